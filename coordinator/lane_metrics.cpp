#include "coordinator/lane_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>

namespace twophase::coordinator {
namespace {

constexpr std::array<const char*, 7> outcome_names{
    "yes", "no", "done", "contradicted", "stale_epoch", "no_room", "unclear"};

bool asks(Verb verb) { return verb == Verb::prepare || verb == Verb::execute; }

}  // namespace

LaneMetrics::LaneMetrics(recovery::Metrics& metrics, const std::string& participant)
    : request_calls_(metrics.sizes("twophase_lane_request_calls",
                                   "Calls that left together in one request.",
                                   {{"participant", participant}})),
      retries_(metrics.counter("twophase_call_retries_total",
                               "Calls that were sent again.",
                               {{"participant", participant}})) {
    for (std::size_t v = 0; v < verbs; ++v) {
        const auto verb = static_cast<Verb>(v);
        const std::string name(to_text(verb));
        by_verb_[v].durations = &metrics.durations("twophase_lane_request_duration_seconds",
                                                   "From a request to its answer or time-out.",
                                                   {{"participant", participant}, {"verb", name}});
        for (std::size_t i = 0; i < outcomes; ++i) {
            const bool is_vote = i == yes || i == no || i == no_room;
            const bool is_end = i == done || i == contradicted;
            if (asks(verb) ? is_end : is_vote) continue;
            by_verb_[v].by_outcome[i] = &metrics.counter(
                "twophase_calls_total",
                "Calls to participants, by what their answers meant.",
                {{"participant", participant}, {"verb", name}, {"outcome", outcome_names[i]}});
        }
    }
}

void LaneMetrics::sent(std::size_t calls, std::size_t retries) {
    request_calls_.Observe(static_cast<double>(calls));
    if (retries > 0) retries_.Increment(static_cast<double>(retries));
}

void LaneMetrics::answered(Verb verb, std::chrono::nanoseconds took) {
    by_verb_[static_cast<std::size_t>(verb)].durations->Observe(
        std::chrono::duration<double>(took).count());
}

void LaneMetrics::note(Verb verb, const Answer& answer) {
    prometheus::Counter* counter =
        by_verb_[static_cast<std::size_t>(verb)].by_outcome[outcome_of(answer)];
    if (counter != nullptr) counter->Increment();
}

LaneMetrics::Outcome LaneMetrics::outcome_of(const Answer& answer) {
    switch (answer.kind) {
        case Answer::Kind::voted: return answer.vote.vote == Vote::refused ? no : yes;
        case Answer::Kind::acknowledged: return done;
        case Answer::Kind::contradicted: return contradicted;
        case Answer::Kind::stale_epoch: return stale_epoch;
        case Answer::Kind::no_room: return no_room;
        case Answer::Kind::unclear: break;
    }
    return unclear;
}

}  // namespace twophase::coordinator
