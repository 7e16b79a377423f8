// Counts what a participant was asked and what it said.
#pragma once

#include "participants/messages.hpp"
#include "recovery/metrics.hpp"

#include <array>
#include <cstddef>
#include <map>
#include <string_view>

namespace twophase::participants {

/// Belongs to the loop.
class ParticipantMetrics {
public:
    /// What the coordinator said of a branch in doubt.
    enum class Inquired : std::size_t { commit, rollback, undecided, no_answer };

    /// `metrics` outlives it.
    explicit ParticipantMetrics(recovery::Metrics& metrics);
    ParticipantMetrics(const ParticipantMetrics&) = delete;
    ParticipantMetrics& operator=(const ParticipantMetrics&) = delete;

    /// A request with so many messages about branches.
    void received(std::size_t messages);
    /// One message and its answer.
    void note(Verb verb, const Answer& answer);
    void note(Inquired what);
    /// A call without a coordinator. `operation` is a literal.
    void note_direct(const char* operation, unsigned status);

private:
    enum Outcome : std::size_t { done, refused, contradicted, rejected, unavailable };
    static constexpr std::size_t outcomes = 5;
    static constexpr std::size_t verbs = 5;
    static Outcome outcome_of(Verb verb, const Answer& answer);
    using ByOutcome = std::array<prometheus::Counter*, outcomes>;

    recovery::Metrics& metrics_;
    std::array<ByOutcome, verbs> branches_{};
    std::array<prometheus::Counter*, 4> inquiries_{};
    std::map<std::string_view, ByOutcome> direct_;
    prometheus::Histogram& messages_;
};

}  // namespace twophase::participants
