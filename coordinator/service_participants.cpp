// What is said to participants, and what comes of their answers.
#include "coordinator/messages.hpp"
#include "coordinator/protocol/modes.hpp"
#include "coordinator/service.hpp"
#include "http/text.hpp"
#include "wal/crash_point.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr std::size_t most_payload = std::size_t{1} << 20;  // as of a client's whole request

std::optional<BranchIndex> index_of(const Started& started, std::string_view branch_id) {
    for (BranchIndex i = 0; i < started.branches.size(); ++i)
        if (started.branches[i].branch_id == branch_id) return i;
    return std::nullopt;
}

}  // namespace

Gid Service::low_water(std::string_view participant) const {
    Gid lowest = core_.low_water(participant).value_or(mint_->next_at_least());
    // What a lost log had done must not be forgotten before somebody has settled it.
    if (lowest_lost_) lowest = std::min(lowest, *lowest_lost_);
    if (const auto left = left_.find(std::string(participant)); left != left_.end())
        lowest = std::min(lowest, left->second.begin()->gid);
    // Nor what waits for the participant under a name that it had before.
    for (const auto& [other, gids] : core_.unfinished_by_participant())
        if (!gids.empty() && *gids.begin() < lowest && may_be_the_same(participant, other))
            lowest = *gids.begin();
    return lowest;
}

bool Service::may_tell_low_water(const std::string& participant) const {
    return may_be_listened_to() && is_confirmed_ && heard_.contains(participant) &&
           is_listed(participant) && lanes_.held_for(participant).empty();
}

/// Two names of one participant: the same store was seen under both, or nobody knows any more who
/// the other one is.
bool Service::may_be_the_same(std::string_view participant, std::string_view other) const {
    if (participant == other) return false;
    const auto one = seen_.find(std::string(participant));
    const auto two = seen_.find(std::string(other));
    if (one != seen_.end() && two != seen_.end()) return one->second.store == two->second.store;
    return !config_.participants.contains(other);
}

Rendered Service::render(std::string_view participant, const BranchKey& key, Verb verb) const {
    Envelope envelope{.gid = to_text(key.gid),
                      .branch_id = std::string(key.branch_id),
                      .participant = std::string(participant),
                      .coordinator = config_.id,
                      .epoch = epoch(),
                      .log = log_text_,
                      .start = start_text_,
                      .position = position(),
                      .began_at = log_->store().began_at(),
                      .replaces = replaces_text_,
                      .low_water = to_text(low_water(participant)),
                      .origin = {}};
    const Transaction* t = core_.find(key.gid);
    const auto index = t == nullptr ? std::nullopt : index_of(t->started(), key.branch_id);
    if (!index) return {.body = tell_message(envelope, {}), .traceparent = {}};  // an orphan's
    envelope.origin = t->started().origin;
    return {.body = message_to(envelope, *t, *index, verb),
            .traceparent = std::string(t->started().traceparent),
            .is_awaited = waiters_.contains(key.gid)};
}

std::string Service::message_to(const Envelope& envelope,
                                const Transaction& t,
                                BranchIndex index,
                                Verb verb) const {
    const BranchRequest& branch = t.started().branches[index];
    if (verb == Verb::commit || verb == Verb::rollback)
        return tell_message(envelope, t.live[index].vote.prepare_id);
    if (verb == Verb::compensate) {
        if (t.live[index].closing)
            for (const Resolved& word : std::views::reverse(t.folded.resolved))
                if (word.branch == index && word.how != "retry")
                    return compensate_message(envelope, branch.branch_id, word.how, word.reason);
        const Why& why = t.folded.why;
        if (!why.branch) return compensate_message(envelope, "", why.code, why.message);
        // The business code, where the refusing branch gave one, says more than "refused".
        const SharedText& code = t.folded.branches[*why.branch].vote.code;
        return compensate_message(envelope,
                                  t.started().branches[*why.branch].branch_id,
                                  code.empty() ? why.code : code,
                                  why.message);
    }
    std::optional<Retries> retries;
    if (t.decision) retries = {t.live[index].attempts, tries_of(branch) - 1};
    // perform(Send) has seen that it can be filled in, and results don't change.
    return ask_message(envelope, branch, payload_of(t, index).text, t.started().key, retries);
}

/// The branch's payload with the results of earlier branches in it. Two-phase branches have no
/// references, but may have escaped ones.
FilledPayload Service::payload_of(const Transaction& t, BranchIndex index) const {
    const auto result_of = [&t](std::string_view branch_id) -> std::string_view {
        const auto other = index_of(t.started(), branch_id);
        if (!other) return {};
        return t.folded.branches[*other].vote.result;
    };
    const SharedText& payload = t.started().branches[index].payload;
    return with_results(payload, result_of, most_payload);
}

std::map<std::string, std::size_t> Service::removed_participants() const {
    std::map<std::string, std::size_t> removed;
    if (config_.participants.empty()) return removed;  // a tool's, which doesn't know them
    for (const auto& [participant, gids] : core_.unfinished_by_participant())
        if (!gids.empty() && !config_.participants.contains(participant))
            removed.emplace(participant, gids.size());
    return removed;
}

bool Service::is_stranded(const Transaction& t) const {
    if (config_.participants.empty()) return false;
    for (BranchIndex i = 0; i < t.live.size(); ++i)
        if (t.needs_participant(i) &&
            !config_.participants.contains(t.started().branches[i].participant))
            return true;
    return false;
}

void Service::answered(const std::string& participant,
                       const BranchKey& key,
                       Verb verb,
                       const Answer& answer,
                       std::uint32_t attempts) {
    if (answer.kind == Answer::Kind::stale_epoch && !is_about_an_earlier_start(answer))
        refused_by_[participant] = around_.now();
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
        case Answer::Kind::no_room:
            return feed(NoRoom{key.gid, *index, verb, attempts, answer.message});
        case Answer::Kind::stale_epoch:
            return feed(Unclear{key.gid, *index, verb, attempts, answer.message, false});
    }
}

/// A stale_epoch that tells of no later start than this one was meant for an earlier one.
bool Service::is_about_an_earlier_start(const Answer& answer) const {
    return answer.seen_epoch && *answer.seen_epoch <= epoch();
}

/// Nobody here waits for this branch. Asking on, against its participant's word, helps nobody.
void Service::answered_orphan(const std::string& participant,
                              const BranchKey& key,
                              Verb verb,
                              const Answer& answer) {
    const bool is_contradicted = answer.kind == Answer::Kind::contradicted;
    if (!is_contradicted && answer.kind != Answer::Kind::acknowledged) return;
    if (const auto left = left_.find(participant);
        left != left_.end() && left->second.erase(key) > 0 && left->second.empty()) {
        left_.erase(left);
        if (listed_finally_.contains(participant)) write_listed(participant);
    }
    if (!is_contradicted) return;
    lanes_.drop(participant, key);
    alerts_.raise({.kind = "heuristic_hazard",
                   .subject = to_text(key.gid) + "/" + key.branch_id,
                   .text = participant + " can't " + std::string(to_text(verb)) + ": " +
                           answer.code + ": " + answer.message,
                   .data = {}});
}

/// A branch that waits for a decision: if nobody here is about to tell it, tell it.
void Service::found_in_doubt(const InDoubt& branch) {
    const auto gid = parse_gid(branch.gid);
    constexpr std::size_t most_strangers = 100'000;
    if (lanes_.backlog(branch.participant) >= most_strangers) return;  // the next sweep goes on
    if (!gid || node_of(*gid) != config_.node || core_.find(*gid) != nullptr) return;
    // Looked at again once something may be presumed.
    if (!is_confirmed_ && strangers_.size() < most_strangers) strangers_.push_back(branch);
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
