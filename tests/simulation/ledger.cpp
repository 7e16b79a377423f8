#include "tests/simulation/ledger.hpp"

#include "coordinator/protocol/modes.hpp"
#include "tests/simulation/coordinator_node.hpp"
#include "tests/simulation/participant_node.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace twophase::simulation {

using namespace twophase::coordinator;
using participants::BranchState;

namespace {

constexpr std::string_view event_names[] = {"submitted",
                                            "logged",
                                            "unlogged",
                                            "voted",
                                            "acknowledged",
                                            "unclear",
                                            "no_room",
                                            "contradicted",
                                            "ticked",
                                            "resolve_asked"};
static_assert(std::size(event_names) == std::variant_size_v<Event>);
constexpr std::size_t gone = 7;  // the place behind the phases: over, or never here

struct GidOf {
    const Gid* operator()(const Submitted&) const { return nullptr; }
    const Gid* operator()(const Ticked&) const { return nullptr; }
    const Gid* operator()(const Logged& e) const { return &gid_of(e.record); }
    template <class Event>
    const Gid* operator()(const Event& e) const {
        return &e.gid;
    }
};

std::string text_of(Decision decision) { return std::string(to_text(decision)); }
std::string text_of(const Ledger::Branch& branch) { return branch.gid + "/" + branch.branch_id; }

bool is_done(const std::optional<participants::Branch>& branch) {
    return branch &&
           (branch->state == BranchState::committed || branch->state == BranchState::executed);
}

}  // namespace

void Ledger::submitted(const Gid& gid, Exchange exchange, const std::string& log) {
    // I2: a gid is used once, ever; what comes later is greater.
    if (gid <= std::exchange(newest_[log], gid))
        world_.fail("gid " + to_text(gid) + " does not grow");
    if (!exchanges_.emplace(gid, std::move(exchange)).second)
        world_.fail("gid " + to_text(gid) + " was minted twice");
}

void Ledger::told_aside(const Gid& gid, Decision decision, const std::string& whom) {
    told(gid, decision, whom, true);
}

void Ledger::told(const Gid& gid, Decision decision, const std::string& whom) {
    told(gid, decision, whom, false);
}

bool Ledger::is_excused(const Gid& gid) const {
    const auto found = exchanges_.find(gid);
    return found != exchanges_.end() && found->second.is_excused;
}

void Ledger::told(const Gid& gid, Decision decision, const std::string& whom, bool is_aside) {
    if (is_excused(gid)) return;
    const auto [found, is_new] = told_.emplace(gid, Told{decision});
    if (is_new) told_in_order_.push_back(gid);
    if (world_.keeps_trace())
        world_.note(whom + " is told " + text_of(decision) + " of " + to_text(gid));
    found->second.is_aside_alone = found->second.is_aside_alone && is_aside;
    if (found->second.decision != decision)
        world_.fail(whom + " is told " + text_of(decision) + " of " + to_text(gid) +
                    ", which was " + text_of(found->second.decision) + " before");
    if (!is_aside && !decided_.contains(gid)) count_aside(gid, decision);
    // I4: it is told only once it is durable, but for a rollback that is presumed.
    const auto known = decided_.find(gid);
    const auto exchange = exchanges_.find(gid);
    const bool is_presumed =
        decision == Decision::rollback &&
        (exchange == exchanges_.end() || coordinator::is_presumed(exchange->second.mode));
    if (!is_presumed && known == decided_.end())
        world_.fail(whom + " is told " + text_of(decision) + " of " + to_text(gid) +
                    " before that is durable");
    if (known != decided_.end() && known->second != decision)
        world_.fail(whom + " is told another decision of " + to_text(gid) + " than the log's");
}

void Ledger::count_aside(const Gid& gid, Decision decision) {
    const auto aside = aside_.find(gid);
    if (aside == aside_.end() || aside->second != decision) return;
    decided_.emplace(gid, decision);
    decided_at_[gid] = world_.now();
    ++(decision == Decision::commit ? commits_ : rollbacks_);
    if (decision == Decision::commit) committed(exchanges_.at(gid).key, gid);
}

void Ledger::committed(const BusinessKey& key, const Gid& gid) {
    const auto [found, is_first] = committed_keys_.emplace(std::pair(key.code, key.id), gid);
    if (!is_first)
        world_.fail("business key " + key.id + " is committed twice, as " + to_text(found->second) +
                    " and as " + to_text(gid));
}

void Ledger::decided(const Transaction& transaction, Decision decision) {
    const Gid& id = transaction.started().gid;
    const std::string gid = to_text(id);
    if (is_excused(id)) return;
    if (const auto known = decided_.find(id); known != decided_.end() && known->second != decision)
        world_.fail("a second decision of " + gid);
    if (const auto known = told_.find(id);
        known != told_.end() && known->second.decision != decision)
        world_.fail(gid + " is decided to " + text_of(decision) + " after somebody was told " +
                    text_of(known->second.decision));
    if (!decided_.emplace(id, decision).second) return;
    decided_at_[id] = world_.now();
    if (decision == Decision::rollback) {
        ++rollbacks_;
        return;
    }
    ++commits_;
    committed(transaction.started().key, id);
    // I3, I5: commit only if all that were asked hold a durable yes.
    const Mode mode = transaction.mode();
    const auto& asked = transaction.started().branches;
    for (BranchIndex i = 0; i < asked.size(); ++i) {
        ParticipantNode& asked_one = participant(std::string(asked[i].participant));
        if (!asked_one.is_ready() || !is_in_first_phase(mode, i)) continue;
        const std::string branch_id(asked[i].branch_id);
        const auto branch = asked_one.branch(gid, branch_id);
        const bool is_held = branch && branch->state == BranchState::prepared;
        if (!is_done(branch) && !(is_held && mode == Mode::two_phase))
            world_.fail(gid + " is decided to commit and " + asked_one.name +
                        " does not hold its branch " + branch_id);
    }
}

const Ledger::Exchange* Ledger::find(const Branch& branch) const {
    const auto found = exchanges_.find(*parse_gid(branch.gid));
    return found == exchanges_.end() ? nullptr : &found->second;
}

const BranchRequest& Ledger::step_of(const Exchange& exchange, std::string_view branch_id) {
    return *std::ranges::find_if(exchange.branches, [&](const BranchRequest& each) {
        return std::string_view(each.branch_id) == branch_id;
    });
}

ParticipantNode& Ledger::participant(const std::string& name) const {
    return **std::ranges::find(participants_, name, [](const auto* each) { return each->name; });
}

void Ledger::undone(const Branch& branch) {
    // A discarded delivery is undone too, of a transaction that commits.
    const Exchange* exchange = find(branch);
    if (exchange != nullptr && exchange->by_hand.contains(branch.branch_id)) return;
    told(*parse_gid(branch.gid), Decision::rollback, branch.participant);
    if (exchange != nullptr) check_steps_after(branch, *exchange);
}

void Ledger::executed(const Branch& branch) {
    const Exchange* exchange = find(branch);
    const bool is_delivery = exchange != nullptr && exchange->mode == Mode::eventual &&
                             branch.branch_id != branch_id_of(0);
    if (is_delivery) told(*parse_gid(branch.gid), Decision::commit, branch.participant);
    if (exchange != nullptr) check_steps_before(branch, *exchange);
}

/// A step is asked only when all that it comes after have run. They may have been undone since.
void Ledger::check_steps_before(const Branch& branch, const Exchange& exchange) {
    const BranchRequest& step = step_of(exchange, branch.branch_id);
    for (const SharedText& id : step.after) {
        const BranchRequest& before = step_of(exchange, id);
        ParticipantNode& there = participant(std::string(before.participant));
        if (!there.is_ready() || may_forget()) continue;
        const auto found = there.branch(branch.gid, std::string(id));
        if (!found || found->is_tombstone())
            world_.fail("step " + text_of(branch) + " runs and step " + std::string(id) +
                        " before it never did");
    }
}

/// A step is undone only when none that came after it stands.
void Ledger::check_steps_after(const Branch& branch, const Exchange& exchange) {
    // The order of the steps was in the lost log alone.
    if (exchange.is_lost || exchange.is_excused) return;
    for (const BranchRequest& step : exchange.branches) {
        const std::string id(step.branch_id);
        ParticipantNode& there = participant(std::string(step.participant));
        const bool comes_after =
            std::ranges::find(step.after, branch.branch_id) != step.after.end();
        if (!comes_after || exchange.by_hand.contains(id) || !there.is_ready()) continue;
        if (is_done(there.branch(branch.gid, id)))
            world_.fail("step " + text_of(branch) + " is undone before step " + id);
    }
}

/// Where stores are full at times, the rollback of what never came may leave nothing: a late yes
/// counts for nobody, and its participant asks.
void Ledger::rolled_back(const Branch& branch) {
    const bool are_stores_full = world_.plan.one_in[static_cast<std::size_t>(Fault::log_full)] > 0;
    if (promises_.contains(branch) || !are_stores_full) rolled_back_.insert(branch);
}

void Ledger::promised(const Branch& branch) {
    if (rolled_back_.contains(branch))
        world_.fail("I8: " + branch.participant + " votes yes to " + text_of(branch) +
                    ", which it rolled back");
    promises_.insert(branch);
}

void Ledger::check_promises(ParticipantNode& participant) {
    const auto first = promises_.lower_bound({participant.name, "", ""});
    for (auto each = first; each != promises_.end() && each->participant == participant.name;) {
        const auto branch = participant.branch(each->gid, each->branch_id);
        const auto gid = parse_gid(each->gid);
        // Forgotten ones have ended; the rest must be there.
        const bool may_be_forgotten = told_.contains(*gid) || decided_.contains(*gid);
        if (!branch && !may_be_forgotten)
            world_.fail(participant.name + " forgot its yes to " + text_of(*each));
        if (branch && branch->is_tombstone())
            world_.fail(participant.name + " forgot its yes to " + text_of(*each) +
                        " and has a tombstone");
        // What has ended is looked at in check_end() alone.
        const bool is_over = !branch || branch->state != BranchState::prepared;
        each = is_over ? promises_.erase(each) : std::next(each);
    }
}

void Ledger::check_remembered(const Service& service, std::size_t latest) {
    check_gids(service, latest);
    const std::size_t from = told_in_order_.size() - std::min(latest, told_in_order_.size());
    for (std::size_t i = from; i < told_in_order_.size(); ++i) {
        const Gid& gid = told_in_order_[i];
        const auto told = told_.find(gid);
        if (told == told_.end()) continue;  // see adopted()
        const Decision decision = told->second.decision;
        const Verdict right = decision == Decision::commit ? Verdict::commit : Verdict::rollback;
        const Inquiry now = service.inquire(gid);
        if (now == right) continue;
        const auto stored = service.log().read(gid);
        if (stored && now != Verdict::pending)
            world_.fail("after a start " + to_text(gid) + " is no longer " + text_of(decision));
        // Only what is finished is ever forgotten, and hours after.
        if (!stored && decision == Decision::commit && !may_forget())
            world_.fail("the commit of " + to_text(gid) + " is lost");
    }
}

void Ledger::check_gids(const Service& service, std::size_t latest) {
    if (may_forget()) return;  // some may be forgotten by now
    const std::size_t from = gids_told_.size() - std::min(latest, gids_told_.size());
    for (std::size_t i = from; i < gids_told_.size(); ++i)
        if (!service.log().read(gids_told_[i]))
            world_.fail(to_text(gids_told_[i]) + " was told to a client and is unknown");
}

void Ledger::check_undone(const BusinessKey& next) const {
    if (next.attempt == 1 || world_.plan.has_mishaps) return;
    for (const auto& [gid, exchange] : exchanges_) {
        BusinessKey key = exchange.key;
        ++key.attempt;
        // Of one whose start was lost in a crash the log knows nothing: it is presumed rolled back.
        if (!(key == next) || !decided_.contains(gid)) continue;
        for (const BranchRequest& each : exchange.branches) {
            const std::string id(each.branch_id);
            ParticipantNode& there = participant(std::string(each.participant));
            if (exchange.by_hand.contains(id) || !there.is_ready()) continue;
            const auto branch = there.branch(to_text(gid), id);
            if (branch && !branch->is_tombstone() && branch->state != BranchState::rolled_back &&
                branch->state != BranchState::compensated)
                world_.fail("attempt " + std::to_string(next.attempt) + " of " + next.id +
                            " is admitted, and " + there.name + " holds " + to_text(gid) + "/" +
                            id);
        }
    }
}

void Ledger::check_branches(ParticipantNode& participant) {
    for (const ParticipantNode::Row& row : participant.branches()) {
        const Branch name{participant.name, row.gid, row.branch_id};
        const Exchange* exchange = find(name);
        if (exchange == nullptr)
            world_.fail(participant.name + " holds " + text_of(name) + ", which nobody submitted");
        if (exchange->by_hand.contains(row.branch_id) || exchange->is_excused) continue;
        const bool is_committed = is_done(row.branch);
        if (row.branch.state == BranchState::prepared)
            world_.fail(participant.name + " still holds " + text_of(name));
        const auto decision = decided_.find(*parse_gid(row.gid));
        const bool is_to_be = decision != decided_.end() && decision->second == Decision::commit;
        if (is_committed != is_to_be)
            world_.fail("I1: " + text_of(name) + " is " + (is_committed ? "" : "not ") +
                        "committed at " + participant.name + " against the decision");
    }
}

/// Each user has paid what was committed, and that alone: also of branches that are forgotten.
void Ledger::check_balances(CreditNode& credit) const {
    std::map<std::string, std::int64_t> paid;
    std::set<std::string> unsure;  // a person ended a branch, or it is not promised
    for (const auto& [gid, exchange] : exchanges_) {
        if (exchange.is_excused || exchange.by_hand.contains(branch_id_of(0)))
            unsure.insert(exchange.user);
        const auto decision = decided_.find(gid);
        const bool is_committed =
            decision != decided_.end() && decision->second == Decision::commit;
        paid[exchange.user] += is_committed ? exchange.amount : 0;
    }
    for (const auto& [user, amount] : paid) {
        const std::int64_t balance = credit.balance(user);
        const std::int64_t right = world_.plan.first_balance - amount;
        if (balance != right && !unsure.contains(user))
            world_.fail("I1: " + user + " has " + std::to_string(balance) + " and should have " +
                        std::to_string(right));
    }
}

void Ledger::check_end(CoordinatorNode& coordinator, CreditNode& credit, CouponNode& coupon) {
    check_remembered(*coordinator.service(), told_in_order_.size());
    for (ParticipantNode* participant :
         {static_cast<ParticipantNode*>(&credit), static_cast<ParticipantNode*>(&coupon)}) {
        check_promises(*participant);
        check_branches(*participant);
        if (std::string fault = participant->fault_in_books(); !fault.empty())
            world_.fail(participant->name + ": " + fault);
        if (participant->held() != 0)
            world_.fail(participant->name + " still holds something for nobody");
        if (participant->in_doubt() != 0)
            world_.fail(participant->name + " is in doubt at the end");
    }
    check_balances(credit);
    // Every durable commit is everywhere, unless it is old enough to be forgotten.
    if (may_forget()) return;
    for (const auto& [gid, decision] : decided_) {
        if (decision != Decision::commit) continue;
        const Exchange& exchange = exchanges_.at(gid);
        // Deliveries that were never asked were in the lost log alone.
        if (exchange.is_excused || (exchange.is_lost && exchange.mode == Mode::eventual)) continue;
        for (const BranchRequest& branch : exchange.branches) {
            const Branch name{
                std::string(branch.participant), to_text(gid), std::string(branch.branch_id)};
            if (exchange.by_hand.contains(name.branch_id)) continue;
            if (!is_done(participant(name.participant).branch(name.gid, name.branch_id)))
                world_.fail("I1: " + text_of(name) + " is decided to commit and not committed at " +
                            name.participant);
        }
    }
}

// --- logs that were lost ---

std::optional<Decision> Ledger::decision_known_to(const Service& service, const Gid& gid) const {
    const Found found = service.find(gid);
    if (found.live != nullptr) return found.live->folded.decision;
    return found.folded ? found.folded->decision : std::nullopt;
}

/// A participant has done what it was told. One that refused, or died over it, may be told another
/// decision; so may one that was told of a rollback and had nothing to undo.
bool Ledger::is_held_to_commit(const Gid& gid) const {
    const Exchange& exchange = exchanges_.at(gid);
    return std::ranges::any_of(exchange.branches, [&](const BranchRequest& each) {
        ParticipantNode& there = participant(std::string(each.participant));
        if (!there.is_ready()) return false;
        const auto branch = there.branch(to_text(gid), std::string(each.branch_id));
        if (!branch) return false;
        const bool is_first = std::string_view(each.branch_id) == branch_id_of(0);
        return branch->state == BranchState::committed ||
               (branch->state == BranchState::executed && exchange.mode == Mode::eventual &&
                !is_first);
    });
}

bool Ledger::lacks_decision(const Service& service, const Gid& gid) const {
    const Found found = service.find(gid);
    // Nothing is forgotten within the time of retention.
    const auto at = decided_at_.find(gid);
    const bool is_old = at != decided_at_.end() && world_.now() >= at->second + retention;
    const bool is_forgotten = is_old && found.live == nullptr && !found.folded;
    return !is_forgotten && !decision_known_to(service, gid);
}

void Ledger::take_aside(const Service& service) {
    for (const auto& [gid, decision] : aside_)
        if (!decided_.contains(gid) && decision_known_to(service, gid) == decision)
            count_aside(gid, decision);
}

void Ledger::adopted(const Service& service, bool is_excused) {
    std::vector<std::pair<Gid, Decision>> lost;
    for (const auto& [gid, decision] : decided_)
        if (lacks_decision(service, gid)) lost.emplace_back(gid, decision);
    // What the witness has run of it, nobody decides any more.
    for (auto& [gid, exchange] : exchanges_)
        if (is_excused && !decided_.contains(gid) && service.core().find(gid) == nullptr &&
            !service.log().read(gid))
            exchange.is_excused = true;
    for (const auto& [gid, decision] : lost) {
        Exchange& exchange = exchanges_.at(gid);
        // A log that was lost before had decided it, and no participant holds a branch to settle.
        if (exchange.is_lost && decision == Decision::rollback) continue;
        exchange.is_lost = true;
        const auto told = told_.find(gid);
        const bool is_told = told != told_.end() && !told->second.is_aside_alone;
        // It presumes the same.
        if (is_told && decision == Decision::rollback && is_presumed(exchange.mode)) continue;
        if (is_told && !is_excused && decision == Decision::commit && is_held_to_commit(gid))
            world_.fail("an old copy of the log works on, and a participant was told of the " +
                        text_of(decision) + " of " + to_text(gid) + ", which it lacks");
        exchange.is_excused = is_excused;
        told_.erase(gid);
        decided_.erase(gid);
        --(decision == Decision::commit ? commits_ : rollbacks_);
        const auto key = committed_keys_.find(
            std::pair(std::string(exchange.key.code), std::string(exchange.key.id)));
        if (key != committed_keys_.end() && key->second == gid) committed_keys_.erase(key);
    }
    forget_unknown_gids(service);
}

void Ledger::forget_unknown_gids(const Service& service) {
    std::erase_if(gids_told_, [&](const Gid& gid) {
        const bool is_unknown = !service.log().read(gid);
        if (is_unknown) exchanges_.at(gid).is_lost = true;
        return is_unknown;
    });
}

bool Ledger::is_lost(const BusinessKey& key) const {
    return std::ranges::any_of(exchanges_, [&](const auto& each) {
        const Exchange& exchange = each.second;
        return exchange.is_lost && exchange.key.code == key.code && exchange.key.id == key.id;
    });
}

Decision Ledger::truth(const Gid& gid) const {
    const auto found = decided_.find(gid);
    return found == decided_.end() ? Decision::rollback : found->second;
}

void Ledger::settled(const Gid& gid, Decision decision) {
    if (is_excused(gid)) return;
    if (truth(gid) != decision)
        world_.fail(to_text(gid) + " is settled to " + text_of(decision) +
                    " against the lost log's decision");
    if (const auto told = told_.find(gid); told != told_.end() && told->second.decision != decision)
        world_.fail(to_text(gid) + " is settled to " + text_of(decision) +
                    " after somebody was told " + text_of(told->second.decision));
    if (!decided_.emplace(gid, decision).second) return;
    decided_at_[gid] = world_.now();
    ++rollbacks_;
}

void Ledger::succeeded(const Service& service) {
    forget_unknown_gids(service);
    // Rolled back ones of which no participant held a branch: nobody asks for them again.
    for (const auto& [gid, decision] : decided_)
        if (decision == Decision::rollback && lacks_decision(service, gid))
            exchanges_.at(gid).is_lost = true;
    check_remembered(service, told_in_order_.size());
}

void Ledger::count_pair(const Event& event, const Protocol& core) {
    const Gid* gid = std::visit(GidOf{}, event);
    const Transaction* t = gid == nullptr ? nullptr : core.find(*gid);
    ++pairs_[event.index()][t == nullptr ? gone : static_cast<std::size_t>(t->phase)];
}

std::map<std::string, std::uint64_t> Ledger::pairs() const {
    std::map<std::string, std::uint64_t> named;
    for (std::size_t event = 0; event < std::size(event_names); ++event)
        for (std::size_t phase = 0; phase <= gone; ++phase)
            if (pairs_[event][phase] > 0)
                named[std::string(event_names[event]) + " in " +
                      (phase == gone ? "gone" : std::string(to_text(static_cast<Phase>(phase))))] =
                    pairs_[event][phase];
    return named;
}

}  // namespace twophase::simulation
