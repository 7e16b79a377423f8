// What is said to participants, and what comes of their answers.
#include "coordinator/messages.hpp"
#include "coordinator/service.hpp"
#include "http/text.hpp"
#include "wal/crash_point.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace twophase::coordinator {
namespace {

constexpr int exit_replaced = 4;

std::optional<BranchIndex> index_of(const Started& started, const std::string& branch_id) {
    for (BranchIndex i = 0; i < started.branches.size(); ++i)
        if (started.branches[i].branch_id == branch_id) return i;
    return std::nullopt;
}

}  // namespace

Rendered Service::render(const std::string& participant, const BranchKey& key, Verb verb) const {
    const Gid low_water = core_.low_water(participant).value_or(mint_->next_at_least());
    Envelope envelope{.gid = to_text(key.gid),
                      .branch_id = key.branch_id,
                      .participant = participant,
                      .coordinator = config_.id,
                      .epoch = epoch(),
                      .low_water = to_text(low_water),
                      .origin = {}};
    const Transaction* t = core_.find(key.gid);
    const auto index = t == nullptr ? std::nullopt : index_of(t->started(), key.branch_id);
    if (!index) return {tell_message(envelope, {}), {}};  // an orphan's
    envelope.origin = t->started().origin;
    if (verb == Verb::prepare || verb == Verb::execute)
        return {ask_message(envelope, t->started().branches[*index], t->started().key),
                t->started().traceparent};
    return {tell_message(envelope, t->live[*index].vote.prepare_id), t->started().traceparent};
}

void Service::answered(const std::string& participant,
                       const BranchKey& key,
                       Verb verb,
                       const Answer& answer,
                       std::uint32_t attempts) {
    if (answer.kind == Answer::Kind::stale_epoch)
        return stop_(exit_replaced,
                     "participant " + participant +
                         " has heard from a later start of coordinator " + config_.id +
                         " than epoch " + std::to_string(epoch()) +
                         ": another one runs, or this log is an old copy");
    const Transaction* t = core_.find(key.gid);
    const auto index = t == nullptr ? std::nullopt : index_of(t->started(), key.branch_id);
    if (!index) return answered_orphan(participant, key, verb, answer);
    switch (answer.kind) {
        case Answer::Kind::voted: return feed(Voted{key.gid, *index, answer.vote, answer.is_fault});
        case Answer::Kind::acknowledged:
            return feed(Acknowledged{key.gid, *index, verb, answer.result});
        case Answer::Kind::contradicted:
            return feed(Contradicted{key.gid, *index, verb, attempts, answer.code, answer.message});
        case Answer::Kind::unclear:
            return feed(Unclear{key.gid, *index, verb, attempts, answer.message, answer.is_fault});
        case Answer::Kind::stale_epoch: return;
    }
}

/// Nobody here waits for this branch. Asking on, against its participant's word, helps nobody.
void Service::answered_orphan(const std::string& participant,
                              const BranchKey& key,
                              Verb verb,
                              const Answer& answer) {
    if (answer.kind != Answer::Kind::contradicted) return;
    lanes_.drop(participant, key);
    spdlog::error("ALERT heuristic_hazard gid {} branch {}: {} can't {}: {}: {}",
                  to_text(key.gid),
                  key.branch_id,
                  participant,
                  to_text(verb),
                  http::for_log(answer.code),
                  http::for_log(answer.message));
}

/// A branch that waits for a decision: if nobody here is about to tell it, tell it.
void Service::found_in_doubt(const InDoubt& branch) {
    const auto gid = parse_gid(branch.gid);
    constexpr std::size_t most_strangers = 100'000;
    if (lanes_.backlog(branch.participant) >= most_strangers) return;  // the next sweep goes on
    if (!gid || node_of(*gid) != config_.node || core_.find(*gid) != nullptr) return;
    const Inquiry verdict = inquire(*gid);
    if (!verdict || *verdict == Verdict::pending) return;
    const BranchKey key{*gid, branch.branch_id};
    if (lanes_.wanted(branch.participant, key)) return;
    spdlog::info("gid {} branch {} is in doubt at {} and not live here: telling it to {}",
                 branch.gid,
                 branch.branch_id,
                 branch.participant,
                 *verdict == Verdict::commit ? "commit" : "roll back");
    lanes_.want(
        branch.participant, key, *verdict == Verdict::commit ? Verb::commit : Verb::rollback, 0);
}

}  // namespace twophase::coordinator
