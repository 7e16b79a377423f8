// What a person may decide, and what then happens.
#include "coordinator/protocol/modes.hpp"
#include "coordinator/protocol/protocol.hpp"

#include <cassert>
#include <utility>

namespace twophase::coordinator {

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
        if (t->phase == Phase::unconfirmed) return ResolveRefusal::unconfirmed;
        const bool lacks_votes = asked.how == "commit" && t->phase != Phase::held;
        return lacks_votes ? ResolveRefusal::votes_missing : ResolveRefusal::none;
    }
    if (t->decision && !is_decided) return ResolveRefusal::deciding;
    if (!is_decided) return ResolveRefusal::not_decided;
    if (!asked.branch) return ResolveRefusal::branch_required;
    if (t->live[*asked.branch].how && !t->told_end(*asked.branch)) return ResolveRefusal::deciding;
    const bool is_dead = t->live[*asked.branch].how == How::dead_letter;
    if (asked.how == "retry") return is_dead ? ResolveRefusal::none : ResolveRefusal::not_dead;
    const bool is_owed = t->is_owed(*asked.branch);
    if (!is_dead && t->is_settled(*asked.branch) && !(is_owed && asked.how == "gone"))
        return ResolveRefusal::branch_done;
    const auto verb = t->delivery_to(*asked.branch);
    const bool is_told = verb == Verb::commit || verb == Verb::rollback;
    return is_told && asked.how == "discarded" ? ResolveRefusal::held_there : ResolveRefusal::none;
}

Effects Protocol::on(const ResolveAsked& e, Time) {
    assert(may_resolve(e) == ResolveRefusal::none);
    Transaction& t = transactions_.at(e.gid);
    Effects effects;
    append(t, Resolved{e.gid, e.branch, e.how, e.who, e.reason}, true, effects);
    if (const auto decision = parse_decision(e.how)) {
        decide(t, *decision, {.code = "by_hand", .message = e.reason, .branch = {}}, effects);
    } else if (const bool is_gone = e.how == "gone";
               is_gone || t.delivery_to(*e.branch) != Verb::execute) {
        t.live[*e.branch].is_gone = is_gone;
        // Nobody is there who could compensate what may have run.
        if (t.live[*e.branch].how == How::dead_letter) t.live[*e.branch].how.reset();
        if (t.is_settled(*e.branch)) {  // its waiting was ended before
            effects.push_back(withdraw(t, *e.branch));
            finish_if_delivered(t, effects);
            return effects;
        }
        if (!t.is_told_on(*e.branch)) effects.push_back(withdraw(t, *e.branch));
        end_branch(t, *e.branch, parse_how(e.how).value_or(How::by_hand), {}, effects);
    } else if (e.how != "retry") {
        // It may have run, or may run late: first compensated, once this is durable.
        effects.push_back(withdraw(t, *e.branch));
        t.live[*e.branch].is_sent = false;
        t.live[*e.branch].is_being_ended = true;
    }
    return effects;
}

/// A person's word about a delivery is durable: it is tried again, or compensated and ended so.
void Protocol::resolved(Transaction& t,
                        BranchIndex branch,
                        std::string_view how,
                        Effects& effects) {
    LiveBranch& live = t.live[branch];
    live.is_being_ended = false;
    const bool is_dead = live.how == How::dead_letter;
    if (!is_dead && t.is_settled(branch)) return;
    if (how != "retry") live.closing = parse_how(how);
    if (is_dead) live.how.reset();
    live.is_sent = false;
    live.attempts = 0;
    live.is_alerted = false;
    deliver_next(t, effects);
}

}  // namespace twophase::coordinator
