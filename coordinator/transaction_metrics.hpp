// Counts and times transactions, by watching the events that reach the core.
#pragma once

#include "coordinator/admitted.hpp"
#include "coordinator/protocol/protocol.hpp"
#include "recovery/metrics.hpp"
#include "recovery/surroundings.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <unordered_map>

namespace twophase::coordinator {

/// Belongs to the loop. Remembers when each live transaction came; those of an earlier start are
/// counted and not timed.
class TransactionMetrics {
public:
    /// Both outlive it.
    TransactionMetrics(recovery::Metrics& metrics, const recovery::Surroundings& around);

    /// What a client's submission came to.
    void note(Admitted::Kind kind);
    /// An event that the core has not seen yet.
    void note(const Event& event, const Protocol& core);

private:
    enum Outcome : std::size_t { committed, rolled_back, heuristic, not_started };
    static constexpr std::size_t outcomes = 4;
    static constexpr std::size_t modes = 3;
    struct OfMode {
        std::array<prometheus::Counter*, outcomes> by_outcome{};
        std::array<prometheus::Histogram*, 2> until_decision{};  // by Decision
        prometheus::Histogram* until_end = nullptr;
    };

    OfMode& of(Mode mode) { return by_mode_[static_cast<std::size_t>(mode)]; }
    void logged(const Record& record, const Transaction& t);
    void time(prometheus::Histogram& durations, const Gid& gid) const;

    const recovery::Surroundings& around_;
    std::array<OfMode, modes> by_mode_;
    std::array<prometheus::Counter*, static_cast<std::size_t>(last_kind) + 1> submissions_{};
    prometheus::Counter& dead_letters_;
    prometheus::Counter& failed_deliveries_;
    std::unordered_map<Gid, std::chrono::nanoseconds, GidHash> came_;
};

}  // namespace twophase::coordinator
