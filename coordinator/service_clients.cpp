// What clients and people on call ask of the service.
#include "coordinator/log_entries.hpp"
#include "coordinator/protocol/modes.hpp"
#include "coordinator/record_codec.hpp"
#include "coordinator/service.hpp"
#include "http/text.hpp"
#include "wal/crash_point.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr std::size_t most_beside = 2;

}  // namespace

Admitted Service::submit(Submission submission) {
    const Admitted admitted = take(std::move(submission));
    transaction_metrics_.note(admitted.kind);
    return admitted;
}

Admitted Service::take(Submission submission) {
    using Kind = Admitted::Kind;
    Gid same{};
    // Before what is known here: of the attempts of a lost log nobody knows which one it was.
    if (const auto lost = lost_under(submission.key)) return {Kind::lost_key, *lost};
    switch (admission_of(submission, same)) {
        case Admission::is_new: break;
        case Admission::repeat: return {Kind::repeat, same};
        case Admission::changed: return {Kind::changed, same};
        case Admission::attempt_not_over: return {Kind::attempt_not_over, same};
        case Admission::attempt_unknown: return {Kind::attempt_unknown, same};
        case Admission::superseded: return {Kind::superseded, same};
        case Admission::damaged: return {Kind::damaged, same};
    }
    if (!closed_for_.empty() || awaits_acceptance_) return {Kind::closed, {}};
    for (BranchIndex i = 0; i < submission.branches.size(); ++i)
        if (is_in_first_phase(submission.mode, i) &&
            !lanes_.held_for(submission.branches[i].participant).empty())
            return {Kind::held, {}};
    if (core_.transactions().size() >= config_.max_live ||
        core_.live_bytes() >= config_.max_live_bytes)
        return {Kind::too_many, {}};
    // A participant that is away must not use up what the others need.
    for (const BranchRequest& branch : submission.branches)
        if (lanes_.backlog(branch.participant) >= config_.max_live / 4) return {Kind::backlog, {}};
    if (!log_->store().headroom().has_room) return {Kind::no_room, {}};
    const std::optional<Gid> gid = mint();
    if (!gid) return {Kind::no_gid, {}};
    wal::crash_point("submitted");
    Started started{.gid = *gid,
                    .mode = submission.mode,
                    .key = std::move(submission.key),
                    .fingerprint = submission.fingerprint,
                    .branches = std::move(submission.branches),
                    .origin = std::move(submission.origin),
                    .traceparent = std::move(submission.traceparent)};
    // A crash ends two-phase commit's first phase anyway; the others' goes on, with its deadline.
    if (submission.mode != Mode::two_phase && submission.vote_timeout.count() > 0)
        started.timeout_milliseconds = submission.vote_timeout.count();
    feed(Submitted{.started = std::move(started),
                   .vote_timeout = submission.vote_timeout,
                   .is_start_awaited = submission.is_start_awaited});
    return {Kind::is_new, *gid};
}

/// Applies the rule of business keys; `same` becomes the gid that the answer is about.
Admission Service::admission_of(const Submission& submission, Gid& same) const {
    const BusinessKey& key = submission.key;
    std::optional<KnownAttempt> exact;
    const std::optional<KnownAttempt> highest = highest_attempt(key);
    if (highest && highest->attempt == key.attempt) {
        exact = highest;
    } else if (highest) {
        if (const auto live = core_.find(key))
            exact = known(key, *live);
        else if (const auto stored = log_->find(to_wal(key)))
            exact = known(*stored);
    }
    if (exact) same = exact->gid;
    if (!exact && highest) same = highest->gid;
    return admit(key.attempt, submission.fingerprint, exact, highest);
}

/// The highest attempt known under the key's code and id, live or in the log.
std::optional<KnownAttempt> Service::highest_attempt(const BusinessKey& key) const {
    std::optional<KnownAttempt> highest;
    if (const auto live = core_.last_attempt(key.code, key.id))
        highest = known(live->first, live->second);
    if (const auto stored = log_->find_last_attempt(key.code, key.id);
        stored && (!highest || stored->key.attempt > highest->attempt))
        highest = known(*stored);
    return highest;
}

std::optional<KnownAttempt> Service::known(const BusinessKey& key, const Gid& gid) const {
    const Transaction* t = core_.find(gid);
    const bool is_rolled_back = t->folded.decision == Decision::rollback;
    return KnownAttempt{.attempt = key.attempt,
                        .gid = gid,
                        .fingerprint = t->started().fingerprint,
                        .is_durably_rolled_back = is_rolled_back,
                        .is_undone = is_rolled_back && t->is_completed()};
}

std::optional<KnownAttempt> Service::known(const wal::BusinessEntry& entry) const {
    KnownAttempt attempt{.attempt = entry.key.attempt,
                         .gid = entry.gid,
                         .fingerprint = entry.fingerprint,
                         .is_damaged = entry.damaged};
    if (entry.damaged) return attempt;
    const Transaction* live = core_.find(entry.gid);
    attempt.is_durably_rolled_back = inquire(entry.gid) == Verdict::rollback;
    attempt.is_undone = attempt.is_durably_rolled_back && (live == nullptr || live->is_completed());
    return attempt;
}

std::optional<NextAttempt> Service::next_attempt(const BusinessKey& key) const {
    const std::optional<KnownAttempt> highest = highest_attempt(key);
    if (!highest || highest->is_damaged || !highest->is_durably_rolled_back) return std::nullopt;
    if (highest->attempt >= most_attempts) return std::nullopt;
    return NextAttempt{.number = highest->attempt + 1, .is_possible = highest->is_undone};
}

void Service::force() {
    log_->append({}, wal::Urgency::forced, [](wal::Written) {});
}

void Service::when_written(std::function<void()> then) {
    log_->store().submit(
        {.work = {}, .then = [then = std::move(then)](wal::Written) { then(); }, .label = "asked"});
}

std::uint64_t Service::wait(const Gid& gid, Milestone milestone, Waiter waiter) {
    waiters_[gid].push_back({++tickets_, milestone, std::move(waiter)});
    return tickets_;
}

void Service::forget_waiter(const Gid& gid, std::uint64_t ticket) {
    const auto found = waiters_.find(gid);
    if (found == waiters_.end()) return;
    std::erase_if(found->second, [&](const Waiting& w) { return w.ticket == ticket; });
    if (found->second.empty()) waiters_.erase(found);
}

bool Service::has_reached(const Gid& gid, Milestone milestone) const {
    const Transaction* t = core_.find(gid);
    // Finished; or damaged, where nothing more will ever be told.
    if (t == nullptr || t->phase == Phase::damaged) return true;
    if (milestone == Milestone::started) return t->folded.is_started;
    if (!t->folded.decision) return false;
    if (milestone == Milestone::undone) return t->is_completed();
    return milestone == Milestone::decided || t->folded.decision == Decision::rollback ||
           t->is_completed();
}

Found Service::find(const Gid& gid) const {
    if (const Transaction* live = core_.find(gid))
        return {.live = live, .folded = std::nullopt, .damage = std::string(live->damage)};
    const auto stored = log_->read(gid);
    return stored ? read_back(*stored) : Found{};
}

Found read_back(const wal::StoredTransaction& stored) {
    Found found{.live = nullptr, .folded = Folded{}, .damage = stored.damage};
    for (const wal::StoredRecord& record : stored.records) {
        auto stamped = decode(stored.gid, record.payload);
        if (found.damage.empty() && !stamped) found.damage = stamped.error();
        if (found.damage.empty()) found.damage = found.folded->fold(stamped->record);
    }
    return found;
}

Inquiry Service::inquire(const Gid& gid) const {
    if (const auto verdict = core_.verdict(gid)) return verdict;
    const Found found = find(gid);
    if (!found.damage.empty()) return Verdict::pending;
    if (found.folded) {
        if (!found.folded->decision) return Verdict::pending;
        return *found.folded->decision == Decision::commit ? Verdict::commit : Verdict::rollback;
    }
    if (node_of(gid) != config_.node) return std::nullopt;
    return may_presume_rollback(gid) ? Verdict::rollback : Verdict::pending;
}

/// Presumed abort holds of what this log never knew: not of what a lost one may have known, nor of
/// what it has forgotten. Who asks about that had acknowledged its end and lost it, and can't hear
/// another one from us (a participant restored from an old backup).
bool Service::may_presume_rollback(const Gid& unknown) const {
    if (!is_confirmed_ || !closed_for_.empty()) return false;
    if (!guard_->has_minted(unknown, mint_->next_at_least())) return false;
    return unknown >= presumes_nothing_below_ && !(unknown <= log_->forgotten_up_to());
}

std::size_t Service::retry(const Gid& gid) {
    const Transaction* t = core_.find(gid);
    if (t == nullptr) return 0;
    std::size_t hurried = 0;
    for (const BranchRequest& branch : t->started().branches)
        if (lanes_.hurry(branch.participant, {gid, branch.branch_id})) ++hurried;
    return hurried;
}

Service::Resolving Service::resolve(const ResolveAsked& asked) {
    const ResolveRefusal refusal = core_.may_resolve(asked);
    if (refusal != ResolveRefusal::none) return {ResolveResult::refused, refusal};
    // One at a time, so that each hears of its own record.
    if (settling_.contains(asked.gid)) return {ResolveResult::busy, ResolveRefusal::none};
    if (asked.branch) {
        const Transaction* t = core_.find(asked.gid);
        const BranchRequest& branch = t->started().branches[*asked.branch];
        // What is under way may still arrive; ending the branch now could leave it half done. Whom
        // the decision is told, it is told all the same.
        if (!t->is_told_on(*asked.branch) &&
            lanes_.is_in_flight(branch.participant, {asked.gid, branch.branch_id}))
            return {ResolveResult::busy, ResolveRefusal::none};
    }
    settling_.insert(asked.gid);
    feed(asked);
    return {};
}

bool Service::may_settle_unknown(const Gid& gid) const {
    const bool is_unknown =
        !settling_.contains(gid) && core_.find(gid) == nullptr && !log_->read(gid);
    if (!is_unknown || node_of(gid) != config_.node) return false;
    // What this log is sure of, or will be in a moment, nobody has to tell it.
    return !guard_->has_minted(gid, mint_->next_at_least()) || gid < presumes_nothing_below_ ||
           gid <= log_->forgotten_up_to();
}

std::size_t Service::needing_attention() {
    constexpr std::size_t few = 1'000;
    constexpr Time fresh{1'000};
    const auto& all = core_.transactions();
    const Time now = around_.now();
    if (!counted_ || all.size() <= few || now >= counted_->at + fresh) {
        const bool none_is_removed = removed_participants().empty();
        const auto count = std::ranges::count_if(all, [&](const auto& each) {
            return each.second.needs_attention() || (!none_is_removed && is_stranded(each.second));
        });
        counted_ = {now, static_cast<std::size_t>(count)};
    }
    return counted_->attention;
}

bool Service::run_beside(std::function<void(std::stop_token)> work) {
    std::erase_if(beside_, [](const Beside& each) { return each.is_over->load(); });
    if (beside_.size() >= most_beside) return false;
    auto is_over = std::make_shared<std::atomic<bool>>(false);
    beside_.push_back(
        {is_over, std::jthread([is_over, work = std::move(work)](std::stop_token stop) {
             work(std::move(stop));
             *is_over = true;
         })});
    return true;
}

}  // namespace twophase::coordinator
