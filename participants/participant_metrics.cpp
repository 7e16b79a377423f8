#include "participants/participant_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <string>

namespace twophase::participants {
namespace {

constexpr std::array<const char*, 5> outcome_names{
    "done", "refused", "contradicted", "rejected", "unavailable"};
constexpr std::array<const char*, 4> inquiry_names{"commit", "rollback", "undecided", "no_answer"};

}  // namespace

ParticipantMetrics::ParticipantMetrics(recovery::Metrics& metrics)
    : metrics_(metrics),
      messages_(metrics.sizes("twophase_branch_request_messages",
                              "Messages about branches that came in one request.")) {
    for (const Verb verb :
         {Verb::prepare, Verb::commit, Verb::rollback, Verb::execute, Verb::compensate})
        for (std::size_t i = 0; i < outcomes; ++i) {
            // A refusal binds nobody and answers a question; an order is contradicted.
            if (i == (begins_work(verb) ? contradicted : refused)) continue;
            branches_[static_cast<std::size_t>(verb)][i] =
                &metrics.counter("twophase_branch_messages_total",
                                 "Messages of coordinators, by what was answered.",
                                 {{"verb", to_string(verb)}, {"outcome", outcome_names[i]}});
        }
    for (std::size_t i = 0; i < inquiries_.size(); ++i)
        inquiries_[i] =
            &metrics.counter("twophase_inquiries_total",
                             "Questions to coordinators about branches in doubt, by the answer.",
                             {{"answer", inquiry_names[i]}});
}

void ParticipantMetrics::received(std::size_t messages) {
    messages_.Observe(static_cast<double>(messages));
}

void ParticipantMetrics::note(Verb verb, const Answer& answer) {
    branches_[static_cast<std::size_t>(verb)][outcome_of(verb, answer)]->Increment();
}

void ParticipantMetrics::note(Inquired what) {
    inquiries_[static_cast<std::size_t>(what)]->Increment();
}

void ParticipantMetrics::note_direct(const char* operation, unsigned status) {
    const auto [found, is_new] = direct_.try_emplace(operation);
    if (is_new)
        for (const Outcome outcome : {done, refused, unavailable})
            found->second[outcome] = &metrics_.counter(
                "twophase_direct_calls_total",
                "Calls without a coordinator that reached the store, by what was answered.",
                {{"operation", operation}, {"outcome", outcome_names[outcome]}});
    found->second[status < 300 ? done : status < 500 ? refused : unavailable]->Increment();
}

ParticipantMetrics::Outcome ParticipantMetrics::outcome_of(Verb verb, const Answer& answer) {
    if (answer.status < 300) return done;
    if (answer.status >= 500) return unavailable;
    const bool is_against_us = answer.status == 409 || answer.status == 404;
    if (!is_against_us || answer.code == "stale_epoch") return rejected;
    return begins_work(verb) ? refused : contradicted;
}

}  // namespace twophase::participants
