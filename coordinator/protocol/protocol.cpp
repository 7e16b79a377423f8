#include "coordinator/protocol/protocol.hpp"

#include "coordinator/protocol/modes.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr std::uint32_t attempts_until_alert = 10;

std::optional<BranchIndex> index_of(const Started& started, std::string_view branch_id) {
    for (BranchIndex i = 0; i < started.branches.size(); ++i)
        if (started.branches[i].branch_id == branch_id) return i;
    return std::nullopt;
}

bool comes_after(const BranchRequest& step, const BranchRequest& other) {
    return std::ranges::find(step.after, other.branch_id) != step.after.end();
}

/// All that comes before this branch said yes; what it uses of that is durable.
bool is_turn(const Transaction& t, BranchIndex branch) {
    const BranchRequest& request = t.started().branches[branch];
    return std::ranges::all_of(request.after, [&](const SharedText& id) {
        const BranchIndex before = index_of(t.started(), id).value();
        if (!is_yes(t.mode(), t.live[before].vote.vote)) return false;
        return !uses_result(request, t.started().branches[before]) ||
               t.folded.branches[before].vote.vote == Vote::executed;
    });
}

/// Steps are compensated in reverse: each when all that came after it are.
bool is_turn_to_compensate(const Transaction& t, BranchIndex branch) {
    const auto& requests = t.started().branches;
    for (BranchIndex later = 0; later < requests.size(); ++later)
        if (comes_after(requests[later], requests[branch]) && !t.is_settled(later)) return false;
    return true;
}

bool is_all_yes(const Transaction& t) {
    for (BranchIndex i = 0; i < t.live.size(); ++i)
        if (is_in_first_phase(t.mode(), i) && !is_yes(t.mode(), t.live[i].vote.vote)) return false;
    return true;
}

bool is_used_later(const Started& started, BranchIndex branch) {
    return std::ranges::any_of(started.branches, [&](const BranchRequest& request) {
        return uses_result(request, started.branches[branch]);
    });
}

bool is_by_hand(How how) { return how == How::by_hand || how == How::discarded; }

/// Its participant's word; else a limit's or a person's.
bool is_acknowledged(How how) { return !is_by_hand(how) && how != How::dead_letter; }

}  // namespace

std::string_view to_text(Phase phase) {
    switch (phase) {
        case Phase::preparing: return "preparing";
        case Phase::deciding: return "deciding";
        case Phase::delivering: return "delivering";
        case Phase::finishing: return "finishing";
        case Phase::held: return "held";
        case Phase::damaged: return "damaged";
        case Phase::unconfirmed: return "unconfirmed";
    }
    return "?";
}

std::optional<Verb> Transaction::delivery_to(BranchIndex branch) const {
    if (live[branch].closing) return Verb::compensate;
    return delivery(mode(), *decision, branch, live[branch].vote.vote);
}

bool Transaction::is_settled(BranchIndex branch) const {
    return live[branch].how || (decision && !delivery_to(branch));
}

bool Transaction::is_told_on(BranchIndex branch) const {
    const LiveBranch& b = live[branch];
    if (!decision || b.is_gone || b.is_contradicted) return false;
    const auto verb = delivery(mode(), *decision, branch, b.vote.vote);
    return verb == Verb::commit || verb == Verb::rollback;
}

bool Transaction::is_owed(BranchIndex branch) const {
    return live[branch].how == How::by_hand && is_told_on(branch);
}

bool Transaction::needs_participant(BranchIndex branch) const {
    return !decision || !is_settled(branch) || is_owed(branch) ||
           live[branch].how == How::dead_letter;
}

bool Transaction::is_open() const {
    for (BranchIndex i = 0; i < live.size(); ++i)
        if (!is_settled(i)) return true;
    return false;
}

bool Transaction::needs_attention() const {
    if (phase == Phase::damaged || phase == Phase::held) return true;
    for (BranchIndex i = 0; i < live.size(); ++i)
        if (live[i].is_contradicted && !is_settled(i)) return true;
    return false;
}

std::optional<How> Transaction::told_end(BranchIndex branch) const {
    const std::optional<How> how = live[branch].how;
    if (!how || is_acknowledged(*how)) return how;
    return folded.branches[branch].how;
}

std::size_t Transaction::dead_letters() const {
    std::size_t dead = 0;
    for (BranchIndex i = 0; i < live.size(); ++i) dead += told_end(i) == How::dead_letter ? 1 : 0;
    return dead;
}

bool Transaction::is_completed() const {
    for (BranchIndex i = 0; i < live.size(); ++i)
        if (live[i].how && !told_end(i)) return false;
    return phase == Phase::finishing || (phase == Phase::delivering && !is_open());
}

Effects Protocol::step(const Event& event, Time now) {
    return std::visit([&](const auto& e) { return on(e, now); }, event);
}

// --- phase one ---

Effects Protocol::on(const Submitted& e, Time now) {
    assert(!transactions_.contains(e.started.gid));
    assert(!find(e.started.key));
    Transaction& t = start(e.started);
    Effects effects;
    // Lazy where it is presumed: a lost start means rollback. Forced also where a client waits to
    // be told the gid.
    append(t, e.started, e.is_start_awaited || !is_presumed(t.mode()), effects);
    if (is_presumed(t.mode())) ask(t, effects);
    if (e.vote_timeout > Time{0}) add_deadline({now + e.vote_timeout, e.started.gid});
    return effects;
}

/// Asks the branches whose turn it is.
void Protocol::ask(Transaction& t, Effects& effects) {
    for (BranchIndex i = 0; i < t.live.size(); ++i) {
        LiveBranch& branch = t.live[i];
        if (!is_in_first_phase(t.mode(), i) || branch.is_sent || branch.vote.vote != Vote::none)
            continue;
        if (!is_turn(t, i)) continue;
        branch.is_asked = branch.is_sent = true;
        effects.push_back(Send{t.started().gid, i, asking_verb(t.mode())});
    }
}

Effects Protocol::on(const Voted& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, Verb::prepare);
    if (t == nullptr) t = find_awaiting(e.gid, e.branch, Verb::execute);
    if (t == nullptr || (t->decision && t->is_settled(e.branch))) return {};
    Effects effects;
    if (e.is_fault)
        effects.push_back(
            Alert{"request_fault", e.gid, e.branch, e.vote.code + ": " + e.vote.message});
    if (t->phase == Phase::preparing)
        voted(*t, e, effects);
    else if (e.vote.vote == Vote::executed)
        end_branch(*t, e.branch, How::executed, e.vote.result, effects);
    else
        fail_delivery(*t, e.branch, e.vote.code, e.vote.message, effects);
    return effects;
}

void Protocol::voted(Transaction& t, const Voted& e, Effects& effects) {
    LiveBranch& branch = t.live[e.branch];
    if (branch.vote.vote != Vote::none) return effects.clear();  // a repeat
    branch.vote = e.vote;
    branch.attempts = 0;
    branch.last_error.clear();
    branch.is_alerted = false;
    if (!is_yes(t.mode(), e.vote.vote)) {
        decide(t,
               Decision::rollback,
               {.code = "refused", .message = e.vote.message, .branch = e.branch},
               effects);
    } else if (is_all_yes(t)) {
        decide(
            t, Decision::commit, {.code = "all_voted_yes", .message = {}, .branch = {}}, effects);
    } else if (t.mode() == Mode::saga) {
        append(t,
               StepDone{e.gid, e.branch, e.vote.result},
               is_used_later(t.started(), e.branch),
               effects);
        ask(t, effects);
    }
}

Effects Protocol::on(const Ticked&, Time now) {
    Effects effects;
    while (!deadlines_.empty() && deadlines_.front().at <= now) {
        const Gid gid = deadlines_.front().gid;
        std::ranges::pop_heap(deadlines_, std::greater<>());
        deadlines_.pop_back();
        Transaction* t = find_mutable(gid);
        if (t == nullptr || t->phase != Phase::preparing) continue;
        // One that was asked, if any: the others wait for it.
        const auto is_silent = [](const LiveBranch& b) { return b.vote.vote == Vote::none; };
        auto silent = std::ranges::find_if(
            t->live, [&](const LiveBranch& b) { return b.is_asked && is_silent(b); });
        if (silent == t->live.end()) silent = std::ranges::find_if(t->live, is_silent);
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
    // What a restored log does not know may have been decided otherwise by the lost one.
    const bool may_presume = is_presumed(t.mode()) && t.phase != Phase::held;
    t.phase = Phase::deciding;
    std::vector<BranchVote> votes;
    for (BranchIndex i = 0; i < t.live.size(); ++i) {
        LiveBranch& branch = t.live[i];
        if (!branch.is_asked) branch.vote.vote = Vote::unasked;
        // Until it is told the decision, it is asked no more.
        const bool is_open = std::exchange(branch.is_sent, false) && branch.vote.vote == Vote::none;
        if (is_open && !is_presumed(t.mode())) effects.push_back(withdraw(t, i));
        votes.push_back(branch.vote);
    }
    append(t, Decided{t.started().gid, decision, std::move(why), std::move(votes)}, true, effects);
    // Rollback is presumed, so telling it early promises nothing that a crash could break.
    if (decision == Decision::rollback && may_presume) deliver(t, effects);
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
        if (t->phase == Phase::preparing) ask(*t, effects);
    } else if (std::holds_alternative<StepDone>(e.record)) {
        if (t->phase == Phase::preparing) ask(*t, effects);
    } else if (std::holds_alternative<Decided>(e.record)) {
        t->phase = Phase::delivering;
        effects.push_back(Tell{gid, Milestone::decided});
        if (t->decision == Decision::commit || !is_presumed(t->mode()))
            deliver(*t, effects);
        else
            deliver_next(*t, effects);  // all of it, where nothing was presumed
        finish_if_delivered(*t, effects);
    } else if (const auto* by_hand = std::get_if<Resolved>(&e.record)) {
        effects.push_back(Alert{"resolved_by_hand",
                                gid,
                                by_hand->branch,
                                by_hand->how + " by " + by_hand->who + ": " + by_hand->reason});
        effects.push_back(Tell{gid, Milestone::resolved});
        if (by_hand->branch) resolved(*t, *by_hand->branch, by_hand->how, effects);
    } else if (const auto* done = std::get_if<BranchDone>(&e.record)) {
        if (!is_acknowledged(done->how)) ended(*t, *done, effects);
    }
    return effects;
}

/// A limit's or a person's end of a branch is durable: now it may be told.
void Protocol::ended(const Transaction& t, const BranchDone& done, Effects& effects) {
    const FoldedBranch& branch = t.folded.branches[done.branch];
    if (branch.how == How::dead_letter)
        effects.push_back(Alert{"dead_letter",
                                done.gid,
                                done.branch,
                                branch.failure_code + ": " + branch.failure_message});
    if (t.is_completed()) effects.push_back(Tell{done.gid, Milestone::completed});
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

/// Begins to tell the decision to every branch that it concerns and that has not ended.
void Protocol::deliver(Transaction& t, Effects& effects) {
    for (BranchIndex i = 0; i < t.live.size(); ++i) {
        if (t.is_settled(i)) continue;
        const bool is_counted = t.delivery_to(i) == Verb::execute;
        t.live[i].attempts = is_counted ? t.folded.branches[i].failed_attempts : 0;
        t.live[i].is_alerted = false;
    }
    deliver_next(t, effects);
}

/// Tells the branches whose turn it is.
void Protocol::deliver_next(Transaction& t, Effects& effects) {
    for (BranchIndex i = 0; i < t.live.size(); ++i) {
        LiveBranch& branch = t.live[i];
        if (branch.is_sent || branch.is_being_ended) continue;
        if (t.is_settled(i) && !t.is_owed(i)) continue;
        const Verb verb = *t.delivery_to(i);
        if (verb == Verb::compensate && !is_turn_to_compensate(t, i)) continue;
        branch.is_sent = true;
        // A delivery that failed before a crash waits once more.
        const bool has_failed = verb == Verb::execute && branch.attempts > 0;
        const Time delay(has_failed ? retry_delay_milliseconds(t.started().branches[i]) : 0);
        effects.push_back(Send{t.started().gid, i, verb, delay});
    }
}

Effects Protocol::on(const Acknowledged& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, e.verb);
    if (t == nullptr || (t->is_settled(e.branch) && !t->is_owed(e.branch))) return {};
    Effects effects;
    const How how = t->live[e.branch].closing.value_or(how_of(e.verb));
    end_branch(*t, e.branch, how, e.result, effects);
    return effects;
}

/// A try of an eventual delivery failed: once more later, or a person must look.
void Protocol::fail_delivery(
    Transaction& t, BranchIndex branch, SharedText code, SharedText message, Effects& effects) {
    const Gid gid = t.started().gid;
    const BranchRequest& request = t.started().branches[branch];
    LiveBranch& live = t.live[branch];
    ++live.attempts;
    live.last_error = code + ": " + message;
    append(t,
           DeliveryFailed{gid, branch, live.attempts, std::move(code), std::move(message)},
           false,
           effects);
    if (live.attempts < tries_of(request)) {
        const Time delay(retry_delay_milliseconds(request));
        effects.push_back(Send{gid, branch, Verb::execute, delay});
        return;
    }
    effects.push_back(withdraw(t, branch));
    end_branch(t, branch, How::dead_letter, {}, effects);
}

void Protocol::end_branch(
    Transaction& t, BranchIndex branch, How how, SharedText result, Effects& effects) {
    assert(!t.is_settled(branch) || t.is_owed(branch));
    t.live[branch].how = how;
    t.live[branch].result = result;
    if (how != How::dead_letter) t.live[branch].last_error.clear();
    append(t,
           BranchDone{t.started().gid, branch, how, std::move(result)},
           !is_acknowledged(how),
           effects);
    if (t.phase == Phase::delivering) deliver_next(t, effects);
    finish_if_delivered(t, effects);
}

void Protocol::finish_if_delivered(Transaction& t, Effects& effects) {
    if (t.phase != Phase::delivering || t.is_open()) return;
    // A dead letter waits for a person, and nobody else for it; nobody waits for whom a person has
    // ended the waiting, and it is told the decision all the same.
    bool is_over = std::ranges::count(t.live, How::dead_letter, &LiveBranch::how) == 0;
    for (BranchIndex i = 0; i < t.live.size(); ++i) is_over = is_over && !t.is_owed(i);
    if (is_over) {
        t.phase = Phase::finishing;
        const bool is_heuristic = std::ranges::any_of(
            t.live, [](const LiveBranch& b) { return b.how && is_by_hand(*b.how); });
        append(t, Finished{t.started().gid, is_heuristic}, false, effects);
    }
    if (t.is_completed()) effects.push_back(Tell{t.started().gid, Milestone::completed});
}

Effects Protocol::on(const Unclear& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, e.verb);
    if (t == nullptr) return {};
    if (t->decision && t->is_settled(e.branch) && !t->is_owed(e.branch)) return {};
    if (t->decision && e.verb == Verb::execute) {
        Effects effects;
        fail_delivery(*t, e.branch, "unclear", e.error, effects);
        return effects;
    }
    LiveBranch& branch = t->live[e.branch];
    branch.attempts = e.attempts;
    branch.last_error = e.error;
    const bool is_awaited =  // for ever
        (t->decision || !is_presumed(t->mode())) && !t->is_owed(e.branch);
    const bool is_stuck = is_awaited && e.attempts >= attempts_until_alert;
    if ((!e.is_fault && !is_stuck) || std::exchange(branch.is_alerted, true)) return {};
    return {Alert{e.is_fault ? "request_fault" : "delivery_stuck", e.gid, e.branch, e.error}};
}

Effects Protocol::on(const NoRoom& e, Time now) {
    Transaction* t = find_awaiting(e.gid, e.branch, e.verb);
    // A saga has steps behind it that would be undone for a state that passes.
    const bool is_no = t != nullptr && t->phase == Phase::preparing && t->mode() != Mode::saga;
    if (!is_no) return on(Unclear{e.gid, e.branch, e.verb, e.attempts, e.message}, now);
    Effects effects;
    effects.push_back(withdraw(*t, e.branch));
    const BranchVote no{.vote = Vote::refused, .code = "no-room", .message = e.message};
    voted(*t, Voted{e.gid, e.branch, no}, effects);
    return effects;
}

Effects Protocol::on(const Contradicted& e, Time) {
    Transaction* t = find_awaiting(e.gid, e.branch, e.verb);
    if (t == nullptr || !t->decision) return {};
    const bool is_owed = t->is_owed(e.branch);
    if (t->is_settled(e.branch) && !is_owed) return {};
    LiveBranch& branch = t->live[e.branch];
    branch.attempts = e.attempts;
    branch.last_error = e.code + ": " + e.message;
    if (std::exchange(branch.is_contradicted, true)) return {};
    Effects effects;
    append(*t, DeliveryFailed{e.gid, e.branch, e.attempts, e.code, e.message}, false, effects);
    effects.push_back(Alert{"heuristic_hazard", e.gid, e.branch, branch.last_error});
    // A person has ended the waiting for it: nothing more can be told it.
    if (is_owed) {
        effects.push_back(withdraw(*t, e.branch));
        finish_if_delivered(*t, effects);
    }
    return effects;
}

void Protocol::append(Transaction& t, Record record, bool is_forced, Effects& effects) {
    effects.push_back(Append{std::move(record), t.next_n++, is_forced});
}

}  // namespace twophase::coordinator
