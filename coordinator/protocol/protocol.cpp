#include "coordinator/protocol/protocol.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace twophase::coordinator {
namespace {

Verb verb_of(Decision decision) {
    return decision == Decision::commit ? Verb::commit : Verb::rollback;
}

How how_of(Decision decision) {
    return decision == Decision::commit ? How::committed : How::rolled_back;
}

constexpr std::uint32_t attempts_until_alert = 10;

/// Of a request while it lives; its results are as small as participants keep them.
std::size_t bytes_of(const Started& started) {
    constexpr std::size_t for_itself = 1'024;
    constexpr std::size_t for_a_branch = 512;
    std::size_t bytes = for_itself;
    for (const BranchRequest& branch : started.branches)
        bytes += for_a_branch + branch.payload.size();
    return bytes;
}

bool is_yes(Vote vote) { return vote == Vote::prepared || vote == Vote::read_only; }

}  // namespace

std::string_view to_text(Phase phase) {
    switch (phase) {
        case Phase::preparing: return "preparing";
        case Phase::deciding: return "deciding";
        case Phase::delivering: return "delivering";
        case Phase::finishing: return "finishing";
        case Phase::held: return "held";
        case Phase::damaged: return "damaged";
    }
    return "?";
}

bool Transaction::needs_attention() const {
    if (phase == Phase::damaged || phase == Phase::held) return true;
    return std::ranges::any_of(
        live, [](const LiveBranch& b) { return b.is_contradicted && !b.is_done(); });
}

Effects Protocol::step(const Event& event, Time now) {
    return std::visit([&](const auto& e) { return on(e, now); }, event);
}

// --- phase one ---

Effects Protocol::on(const Submitted& e, Time now) {
    assert(!transactions_.contains(e.started.gid));
    assert(!keys_.contains(e.started.key));
    Transaction& t = start(e.started);
    Effects effects;
    // Lazy: a lost start means rollback. Forced only where a client waits to be told the gid.
    append(t, e.started, e.is_start_awaited, effects);
    for (BranchIndex i = 0; i < t.live.size(); ++i)
        effects.push_back(Send{e.started.gid, i, Verb::prepare});
    deadlines_.push({now + e.vote_timeout, e.started.gid});
    return effects;
}

Effects Protocol::on(const Voted& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, Verb::prepare);
    if (t == nullptr) return {};
    LiveBranch& branch = t->live[e.branch];
    if (branch.vote.vote != Vote::none) return {};  // a repeat
    branch.vote = e.vote;
    branch.attempts = 0;
    branch.last_error.clear();
    branch.is_alerted = false;
    Effects effects;
    if (e.is_fault)
        effects.push_back(
            Alert{"request_fault", e.gid, e.branch, e.vote.code + ": " + e.vote.message});
    if (!is_yes(e.vote.vote)) {
        decide(*t,
               Decision::rollback,
               {.code = "refused", .message = e.vote.message, .branch = e.branch},
               effects);
    } else if (std::ranges::all_of(t->live,
                                   [](const LiveBranch& b) { return is_yes(b.vote.vote); })) {
        decide(
            *t, Decision::commit, {.code = "all_voted_yes", .message = {}, .branch = {}}, effects);
    }
    return effects;
}

Effects Protocol::on(const Ticked&, Time now) {
    Effects effects;
    while (!deadlines_.empty() && deadlines_.top().at <= now) {
        const Gid gid = deadlines_.top().gid;
        deadlines_.pop();
        Transaction* t = find_mutable(gid);
        if (t == nullptr || t->phase != Phase::preparing) continue;
        const auto silent = std::ranges::find_if(
            t->live, [](const LiveBranch& b) { return b.vote.vote == Vote::none; });
        assert(silent != t->live.end());
        const auto branch = static_cast<BranchIndex>(silent - t->live.begin());
        decide(*t,
               Decision::rollback,
               {.code = "timed_out",
                .message = "no vote from branch " + t->started().branches[branch].branch_id +
                           " by the deadline",
                .branch = branch},
               effects);
    }
    return effects;
}

// --- the decision ---

void Protocol::decide(Transaction& t, Decision decision, Why why, Effects& effects) {
    assert(!t.decision);
    t.decision = decision;
    t.phase = Phase::deciding;
    std::vector<BranchVote> votes;
    for (const LiveBranch& branch : t.live) votes.push_back(branch.vote);
    append(t, Decided{t.started().gid, decision, std::move(why), std::move(votes)}, true, effects);
    // Rollback is presumed, so telling it early promises nothing that a crash could break.
    if (decision == Decision::rollback) deliver(t, effects);
}

Effects Protocol::on(const Logged& e, Time) {
    Transaction* t = find_mutable(gid_of(e.record));
    assert(t);
    const Gid gid = gid_of(e.record);
    const std::string objection = apply(e.record);
    assert(objection.empty());
    Effects effects;
    if (std::holds_alternative<Started>(e.record)) {
        effects.push_back(Tell{gid, Milestone::started});
    } else if (std::holds_alternative<Decided>(e.record)) {
        t->phase = Phase::delivering;
        effects.push_back(Tell{gid, Milestone::decided});
        if (t->decision == Decision::commit) deliver(*t, effects);
        finish_if_delivered(*t, effects);
    } else if (std::holds_alternative<Resolved>(e.record)) {
        effects.push_back(Tell{gid, Milestone::resolved});
    }
    return effects;
}

Effects Protocol::on(const Unlogged& e, Time) {
    // Only a start can be refused by the log; what was queued behind it is refused with it. Whoever
    // prepared meanwhile asks, and hears rollback, as nothing is known.
    const Transaction* t = find(e.gid);
    if (t == nullptr) return {};
    Effects effects{Tell{e.gid, Milestone::failed}};
    for (BranchIndex i = 0; i < t->live.size(); ++i) effects.push_back(withdraw(*t, i));
    erase(e.gid);
    return effects;
}

// --- phase two ---

/// Sends the decision to every branch that it concerns and that has not ended.
void Protocol::deliver(Transaction& t, Effects& effects) {
    t.open = 0;
    for (BranchIndex i = 0; i < t.live.size(); ++i) {
        if (t.live[i].is_done()) continue;
        ++t.open;
        t.live[i].attempts = 0;
        t.live[i].is_alerted = false;
        effects.push_back(Send{t.started().gid, i, verb_of(*t.decision)});
    }
}

Effects Protocol::on(const Acknowledged& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, e.verb);
    if (t == nullptr || t->live[e.branch].is_done()) return {};
    Effects effects;
    end_branch(*t, e.branch, how_of(*t->decision), e.result, effects);
    return effects;
}

void Protocol::end_branch(
    Transaction& t, BranchIndex branch, How how, std::string result, Effects& effects) {
    t.live[branch].how = how;
    t.live[branch].result = result;
    t.live[branch].last_error.clear();
    assert(t.open > 0);
    --t.open;
    const bool by_a_person = how == How::by_hand || how == How::discarded;
    append(t, BranchDone{t.started().gid, branch, how, std::move(result)}, by_a_person, effects);
    finish_if_delivered(t, effects);
}

void Protocol::finish_if_delivered(Transaction& t, Effects& effects) {
    if (t.phase != Phase::delivering || t.open > 0) return;
    t.phase = Phase::finishing;
    const bool is_heuristic = std::ranges::any_of(t.live, [](const LiveBranch& b) {
        return b.how == How::by_hand || b.how == How::discarded;
    });
    append(t, Finished{t.started().gid, is_heuristic}, false, effects);
    effects.push_back(Tell{t.started().gid, Milestone::completed});
}

Effects Protocol::on(const Unclear& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, e.verb);
    if (t == nullptr || t->live[e.branch].is_done()) return {};
    LiveBranch& branch = t->live[e.branch];
    branch.attempts = e.attempts;
    branch.last_error = e.error;
    const bool is_stuck = t->decision && e.attempts >= attempts_until_alert;
    if ((!e.is_fault && !is_stuck) || std::exchange(branch.is_alerted, true)) return {};
    return {Alert{e.is_fault ? "request_fault" : "delivery_stuck", e.gid, e.branch, e.error}};
}

Effects Protocol::on(const Contradicted& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, e.verb);
    if (t == nullptr || t->live[e.branch].is_done()) return {};
    LiveBranch& branch = t->live[e.branch];
    branch.attempts = e.attempts;
    branch.last_error = e.code + ": " + e.message;
    if (std::exchange(branch.is_contradicted, true)) return {};
    Effects effects;
    append(*t, DeliveryFailed{e.gid, e.branch, e.attempts, e.code, e.message}, false, effects);
    effects.push_back(Alert{"heuristic_hazard", e.gid, e.branch, branch.last_error});
    return effects;
}

// --- by hand ---

ResolveRefusal Protocol::may_resolve(const ResolveAsked& asked) const {
    const Transaction* t = find(asked.gid);
    if (t == nullptr || t->phase == Phase::finishing) return ResolveRefusal::unknown;
    if (t->phase == Phase::damaged) return ResolveRefusal::damaged;
    if (asked.branch && *asked.branch >= t->live.size()) return ResolveRefusal::branch_unknown;
    const bool is_decided = t->folded.decision.has_value();
    if (asked.how == "rollback" || asked.how == "commit") {
        if (asked.branch) return ResolveRefusal::branch_not_meant;
        if (is_decided) return ResolveRefusal::decided;
        if (t->decision) return ResolveRefusal::deciding;
        const bool lacks_votes = asked.how == "commit" && t->phase != Phase::held;
        return lacks_votes ? ResolveRefusal::votes_missing : ResolveRefusal::none;
    }
    if (t->decision && !is_decided) return ResolveRefusal::deciding;
    if (!is_decided) return ResolveRefusal::not_decided;
    if (!asked.branch) return ResolveRefusal::branch_required;
    return t->live[*asked.branch].is_done() ? ResolveRefusal::branch_done : ResolveRefusal::none;
}

Effects Protocol::on(const ResolveAsked& e, Time) {
    assert(may_resolve(e) == ResolveRefusal::none);
    Transaction& t = transactions_.at(e.gid);
    Effects effects;
    append(t, Resolved{e.gid, e.branch, e.how, e.who, e.reason}, true, effects);
    if (const auto decision = parse_decision(e.how)) {
        decide(t, *decision, {.code = "by_hand", .message = e.reason, .branch = {}}, effects);
    } else {
        effects.push_back(withdraw(t, *e.branch));
        const How how = e.how == "discarded" ? How::discarded : How::by_hand;
        end_branch(t, *e.branch, how, {}, effects);
    }
    effects.push_back(Alert{"resolved_by_hand", e.gid, e.branch, e.who + ": " + e.reason});
    return effects;
}

// --- the fold, live and at recovery ---

std::string Protocol::apply(const Record& record) {
    const Gid& gid = gid_of(record);
    Transaction* t = find_mutable(gid);
    if (t == nullptr) {
        const auto* started = std::get_if<Started>(&record);
        if (started == nullptr) return std::string(name_of(record)) + " without started";
        if (auto taken = find(started->key))
            return "its business key belongs to " + to_text(*taken);
        t = &start(*started);
    }
    if (std::string objection = t->folded.fold(record); !objection.empty()) return objection;
    t->next_n = std::max(t->next_n, t->folded.records);
    if (t->folded.is_finished) erase(gid);
    return {};
}

void Protocol::set_aside(const Gid& gid, std::string damage) {
    Transaction& t = transactions_[gid];
    t.folded.started.gid = gid;
    t.phase = Phase::damaged;
    t.damage = std::move(damage);
    damaged_.insert(gid);
}

Effects Protocol::resume(Time, const std::optional<Gid>& restored_below) {
    Effects effects;
    for (auto& [gid, t] : transactions_) {
        if (t.phase == Phase::damaged) continue;
        for (BranchIndex i = 0; i < t.live.size(); ++i) {
            t.live[i].vote = t.folded.branches[i].vote;
            t.live[i].how = t.folded.branches[i].how;
            t.live[i].result = t.folded.branches[i].result;
        }
        if (t.folded.decision) {
            t.decision = t.folded.decision;
            t.phase = Phase::delivering;
            deliver(t, effects);
            finish_if_delivered(t, effects);
        } else if (restored_below && gid < *restored_below) {
            t.phase = Phase::held;
        } else {
            // Votes are not logged, so those received before the crash are lost: roll back.
            decide(t,
                   Decision::rollback,
                   {.code = "restarted",
                    .message = "the coordinator stopped before it had decided",
                    .branch = {}},
                   effects);
        }
    }
    return effects;
}

// --- looking things up ---

const Transaction* Protocol::find(const Gid& gid) const {
    const auto found = transactions_.find(gid);
    return found == transactions_.end() ? nullptr : &found->second;
}

Withdraw Protocol::withdraw(const Transaction& t, BranchIndex branch) {
    const BranchRequest& request = t.started().branches[branch];
    return {t.started().gid, branch, request.participant, request.branch_id};
}

Transaction* Protocol::find_mutable(const Gid& gid) {
    const auto found = transactions_.find(gid);
    return found == transactions_.end() ? nullptr : &found->second;
}

/// The transaction, if `verb` is what it now waits for from this branch; nothing when too late.
Transaction* Protocol::find_awaiting(const Gid& gid, BranchIndex branch, Verb verb) {
    Transaction* t = find_mutable(gid);
    if (t == nullptr || branch >= t->live.size()) return nullptr;
    if (verb == Verb::prepare) return t->phase == Phase::preparing ? t : nullptr;
    const bool is_under_way = t->phase == Phase::deciding || t->phase == Phase::delivering;
    if (!is_under_way || verb != verb_of(*t->decision)) return nullptr;
    // A commit that nobody sent can't be acknowledged.
    if (t->decision == Decision::commit && t->phase == Phase::deciding) return nullptr;
    return t->live[branch].vote.vote == Vote::read_only ? nullptr : t;
}

std::optional<Gid> Protocol::find(const BusinessKey& key) const {
    const auto found = keys_.find(key);
    if (found == keys_.end()) return std::nullopt;
    return found->second;
}

std::optional<std::pair<BusinessKey, Gid>> Protocol::last_attempt(const std::string& code,
                                                                  const std::string& id) const {
    auto above = keys_.upper_bound({code, id, UINT32_MAX});
    if (above == keys_.begin()) return std::nullopt;
    --above;
    if (above->first.code != code || above->first.id != id) return std::nullopt;
    return *above;
}

std::optional<Verdict> Protocol::verdict(const Gid& gid) const {
    const Transaction* t = find(gid);
    if (t == nullptr) return std::nullopt;
    if (t->phase == Phase::damaged || !t->folded.decision) return Verdict::pending;
    return *t->folded.decision == Decision::commit ? Verdict::commit : Verdict::rollback;
}

std::optional<Gid> Protocol::low_water(const std::string& participant) const {
    std::optional<Gid> lowest;
    const auto found = unfinished_by_participant_.find(participant);
    if (found != unfinished_by_participant_.end() && !found->second.empty())
        lowest = *found->second.begin();
    if (!damaged_.empty() && (!lowest || *damaged_.begin() < *lowest)) lowest = *damaged_.begin();
    return lowest;
}

std::optional<Time> Protocol::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.top().at;
}

Transaction& Protocol::start(const Started& started) {
    Transaction& t = transactions_[started.gid];
    t.folded.started = started;
    live_bytes_ += bytes_of(started);
    t.live.resize(started.branches.size());
    keys_.emplace(started.key, started.gid);
    for (const BranchRequest& branch : started.branches)
        unfinished_by_participant_[branch.participant].insert(started.gid);
    return t;
}

void Protocol::erase(const Gid& gid) {
    const auto found = transactions_.find(gid);
    const Started& started = found->second.started();
    live_bytes_ -= bytes_of(started);
    keys_.erase(started.key);
    for (const BranchRequest& branch : started.branches)
        unfinished_by_participant_[branch.participant].erase(gid);
    transactions_.erase(found);
}

void Protocol::append(Transaction& t, Record record, bool is_forced, Effects& effects) {
    effects.push_back(Append{std::move(record), t.next_n++, is_forced});
}

}  // namespace twophase::coordinator
