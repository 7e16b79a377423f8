// Counts and times the calls to one participant.
#pragma once

#include "coordinator/messages.hpp"
#include "coordinator/protocol/records.hpp"
#include "recovery/metrics.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace twophase::coordinator {

/// Belongs to the loop.
class LaneMetrics {
public:
    LaneMetrics(recovery::Metrics& metrics, const std::string& participant);

    /// A request leaves with so many calls; `retries` of them were sent before.
    void sent(std::size_t calls, std::size_t retries);
    /// It was answered, or given up.
    void answered(Verb verb, std::chrono::nanoseconds took);
    /// What came of one of its calls.
    void note(Verb verb, const Answer& answer);

private:
    enum Outcome : std::size_t { yes, no, done, contradicted, stale_epoch, no_room, unclear };
    static constexpr std::size_t outcomes = 7;
    static constexpr std::size_t verbs = 5;
    static Outcome outcome_of(const Answer& answer);

    struct OfVerb {
        std::array<prometheus::Counter*, outcomes> by_outcome{};  // null where it can't be
        prometheus::Histogram* durations = nullptr;
    };
    std::array<OfVerb, verbs> by_verb_;
    prometheus::Histogram& request_calls_;
    prometheus::Counter& retries_;
};

}  // namespace twophase::coordinator
