// The state of the core: folding records, resuming after a crash, looking things up.
#include "coordinator/protocol/modes.hpp"
#include "coordinator/protocol/protocol.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace twophase::coordinator {
namespace {

/// Of a request while it lives; its results are as small as participants keep them.
std::size_t bytes_of(const Started& started) {
    constexpr std::size_t for_itself = 1'024;
    constexpr std::size_t for_a_branch = 512;
    std::size_t bytes = for_itself;
    for (const BranchRequest& branch : started.branches)
        bytes += for_a_branch + branch.payload.size();
    return bytes;
}

}  // namespace

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

void Protocol::set_aside(const Gid& gid, SharedText damage) {
    Transaction& t = transactions_[gid];
    t.folded.started.gid = gid;
    t.phase = Phase::damaged;
    t.damage = std::move(damage);
    damaged_.insert(gid);
}

Effects Protocol::resume(const Gid& gid, Time now, Undecided undecided) {
    Transaction& t = transactions_.at(gid);
    if (t.phase == Phase::damaged) return {};
    for (BranchIndex i = 0; i < t.live.size(); ++i) {
        const FoldedBranch& known = t.folded.branches[i];
        t.live[i].vote = known.vote;
        t.live[i].how = known.how;
        t.live[i].closing = known.closing;
        t.live[i].is_gone = known.is_gone;
        t.live[i].result = known.result;
        t.live[i].is_asked = is_in_first_phase(t.mode(), i);  // nobody knows any more
    }
    Effects effects;
    if (!t.folded.decision && undecided == Undecided::waits_for_operator) {
        t.phase = Phase::held;
    } else if (!t.folded.decision && undecided == Undecided::waits_for_confirmation) {
        t.phase = Phase::unconfirmed;
    } else {
        t.phase = Phase::preparing;
        resume(t, now, effects);
    }
    return effects;
}

void Protocol::hold_undecided() {
    for (auto& [gid, t] : transactions_)
        if (t.phase == Phase::preparing) t.phase = Phase::unconfirmed;
}

void Protocol::resume(Transaction& t, Time now, Effects& effects) {
    if (t.folded.decision) {
        t.decision = t.folded.decision;
        t.phase = Phase::delivering;
        deliver(t, effects);
        finish_if_delivered(t, effects);
    } else if (is_presumed(t.mode())) {
        // Votes are not logged, so those received before the crash are lost: roll back.
        decide(t,
               Decision::rollback,
               {.code = "restarted",
                .message = "the coordinator stopped before it had decided",
                .branch = {}},
               effects);
    } else {
        // Executing is repeatable: it goes on where it was.
        ask(t, effects);
        if (const auto timeout = t.started().timeout_milliseconds)
            add_deadline({now + Time(*timeout), t.started().gid});
    }
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

/// The transaction, if `verb` is what was sent to this branch and is not answered; nothing when too
/// late, or early: a commit that nobody sent can't be acknowledged.
Transaction* Protocol::find_awaiting(const Gid& gid, BranchIndex branch, Verb verb) {
    Transaction* t = find_mutable(gid);
    if (t == nullptr || branch >= t->live.size() || !t->live[branch].is_sent) return nullptr;
    if (t->phase == Phase::preparing) return verb == asking_verb(t->mode()) ? t : nullptr;
    const bool is_under_way = t->phase == Phase::deciding || t->phase == Phase::delivering;
    return is_under_way && verb == t->delivery_to(branch) ? t : nullptr;
}

std::optional<Gid> Protocol::find(const BusinessKey& key) const {
    const auto found = keys_.find(key);
    if (found == keys_.end()) return std::nullopt;
    return (*found)->gid;
}

std::optional<std::pair<BusinessKey, Gid>> Protocol::last_attempt(std::string_view code,
                                                                  std::string_view id) const {
    const auto above = keys_.upper_bound(ByBusinessKey::Parts(code, id, UINT32_MAX));
    if (above == keys_.begin()) return std::nullopt;
    const Started& last = **std::prev(above);
    if (last.key.code != code || last.key.id != id) return std::nullopt;
    return std::pair(last.key, last.gid);
}

std::optional<Verdict> Protocol::verdict(const Gid& gid) const {
    const Transaction* t = find(gid);
    if (t == nullptr) return std::nullopt;
    if (t->phase == Phase::damaged || !t->folded.decision) return Verdict::pending;
    return *t->folded.decision == Decision::commit ? Verdict::commit : Verdict::rollback;
}

std::optional<Gid> Protocol::low_water(std::string_view participant) const {
    std::optional<Gid> lowest;
    const auto found = unfinished_by_participant_.find(participant);
    if (found != unfinished_by_participant_.end() && !found->second.empty())
        lowest = *found->second.begin();
    if (!damaged_.empty() && (!lowest || *damaged_.begin() < *lowest)) lowest = *damaged_.begin();
    return lowest;
}

std::optional<Time> Protocol::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.front().at;
}

/// Most are over long before: they go when they are more than what is live.
void Protocol::add_deadline(Deadline deadline) {
    constexpr std::size_t few = 1'024;
    if (deadlines_.size() >= few + 2 * transactions_.size()) {
        std::erase_if(deadlines_, [this](const Deadline& each) {
            const Transaction* t = find(each.gid);
            return t == nullptr || t->phase != Phase::preparing;
        });
        std::ranges::make_heap(deadlines_, std::greater<>());
    }
    deadlines_.push_back(deadline);
    std::ranges::push_heap(deadlines_, std::greater<>());
}

Transaction& Protocol::start(const Started& started) {
    Transaction& t = transactions_[started.gid];
    t.folded.started = started;
    live_bytes_ += bytes_of(started);
    t.live.resize(started.branches.size());
    keys_.insert(&t.folded.started);
    for (BranchRequest& branch : t.folded.started.branches) {
        const auto of = unfinished_by_participant_.try_emplace(branch.participant).first;
        of->second.insert(started.gid);
        branch.participant = of->first;  // one text for all
    }
    return t;
}

void Protocol::erase(const Gid& gid) {
    const auto found = transactions_.find(gid);
    const Started& started = found->second.started();
    live_bytes_ -= bytes_of(started);
    keys_.erase(&started);
    for (const BranchRequest& branch : started.branches)
        unfinished_by_participant_[branch.participant].erase(gid);
    transactions_.erase(found);
}

}  // namespace twophase::coordinator
