#include "coordinator/service.hpp"

#include "coordinator/log_entries.hpp"
#include "coordinator/protocol/describe.hpp"
#include "coordinator/record_codec.hpp"
#include "http/text.hpp"
#include "wal/crash_point.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr std::uint64_t ceiling_ahead = 60'000;         // milliseconds
constexpr std::uint64_t ceiling_pushed_below = 30'000;  // when less than this is left
constexpr Time housekeeping_interval{10'000};
constexpr std::size_t forget_batch = 1'000;
constexpr int exit_replaced = 4;
constexpr int exit_broken = 5;
constexpr std::size_t most_beside = 2;
constexpr std::string_view restores_name = "restores";
constexpr std::string_view restored_below_name = "restored below";

wal::LogOptions log_options(const Config& config, wal::StoreOptions store) {
    wal::LogOptions options;
    options.store = std::move(store);
    options.store.directory = config.data;
    options.store.id = config.id;
    options.store.node = config.node;
    options.store.map_bytes = config.map_bytes;
    options.store.any_filesystem = config.any_filesystem;
    options.retention = std::chrono::hours(config.retention_hours);
    return options;
}

std::optional<BranchIndex> index_of(const Started& started, const std::string& branch_id) {
    for (BranchIndex i = 0; i < started.branches.size(); ++i)
        if (started.branches[i].branch_id == branch_id) return i;
    return std::nullopt;
}

}  // namespace

Service::Service(recovery::Surroundings& around, const Config& config, Stop stop)
    : around_(around),
      config_(config),
      stop_(std::move(stop)),
      lanes_(
          around,
          config,
          {.render =
               [this](const std::string& p, const BranchKey& k, Verb v) { return render(p, k, v); },
           .answered = [this](const std::string& p,
                              const BranchKey& k,
                              Verb v,
                              const Answer& a,
                              std::uint32_t attempts) { answered(p, k, v, a, attempts); },
           .found_in_doubt = [this](const InDoubt& branch) { found_in_doubt(branch); }}),
      tick_alarm_(around.alarm()),
      housekeeping_alarm_(around.alarm()) {}

Service::~Service() = default;

// --- start and stop ---

void Service::open() {
    log_ = std::make_unique<wal::Log>(
        log_options(config_, around_.store_options()),
        [&around = around_](std::function<void()> task) { around.post(std::move(task)); });
    const auto decode_record = [](const wal::Gid& gid, const std::string& payload) {
        auto stamped = decode(gid, payload);
        using Decoded = boost::system::result<Record, std::string>;
        return stamped ? Decoded(std::move(stamped->record)) : Decoded(stamped.error());
    };
    const auto name = [](const wal::Gid& gid) { return to_text(gid); };
    const recovery::FoldReport report = recovery::fold_at_start(*log_, core_, decode_record, name);
    report_fold(report);
    const std::uint64_t floor = std::max(log_->gid_ceiling(), wall_milliseconds());
    mint_.emplace(config_.node, floor, [this] { return around_.random(); });
    note_restore(floor);
    if (report.unnamed > 0) presumes_nothing_below_ = mint_->next_at_least();
}

/// The first start after a restore notes below which ids the lost log may have known more.
void Service::note_restore(std::uint64_t floor) {
    wal::Store& store = log_->store();
    if (!store.identity().was_restored) return;
    // A restore raises the epoch by more than any number of starts: its millions tell restores
    // apart.
    const std::uint64_t restores = epoch() / wal::restored_epochs_ahead;
    std::uint64_t below = store.number(restored_below_name);
    if (store.number(restores_name) < restores) {
        below = floor;
        store.submit(wal::Job{.work =
                                  [&store, restores, floor](wal::Unit& unit) {
                                      wal::Store::raise(unit, store, restores_name, restores);
                                      wal::Store::raise(unit, store, restored_below_name, floor);
                                  },
                              .then = [](wal::Written) {},
                              .label = "restored"});
    }
    restored_below_ = presumes_nothing_below_ = GidMint(0, below, {}).next_at_least();
    spdlog::warn(
        "this log was restored from a backup: what it does not know to be decided, and ids "
        "below {} that it does not know, wait for a person (recoveryctl resolve)",
        to_text(*restored_below_));
}

void Service::report_fold(const recovery::FoldReport& report) const {
    spdlog::info("coordinator {} epoch {}: {} unfinished transactions read from {}",
                 config_.id,
                 epoch(),
                 report.transactions,
                 config_.data.string());
    for (const std::string& damage : report.set_aside)
        spdlog::error("needs attention, set aside: {}", damage);
    if (report.unnamed > 0)
        spdlog::error(
            "{} unfinished entries have no readable gid: unknown transactions of earlier starts "
            "are "
            "answered 'pending'; run recoveryctl verify",
            report.unnamed);
}

void Service::start() {
    pushed_ceiling_ = milliseconds_of(mint_->next_at_least()) + ceiling_ahead;
    // Nothing is minted, so nothing is admitted, before the ceiling is durable.
    log_->append(
        {},
        wal::Urgency::forced,
        [this](wal::Written) {
            wal::crash_point("before-resume");
            perform(core_.resume(around_.now(), restored_below_));
            lanes_.start();
            is_ready_ = true;
            arm_tick();
            arm_housekeeping();
            wal::crash_point("after-resume");
        },
        pushed_ceiling_);
}

void Service::look() { core_.resume(around_.now(), restored_below_); }

void Service::stop() {
    is_stopped_ = true;
    lanes_.stop();
    tick_alarm_->cancel();
    housekeeping_alarm_->cancel();
}

// --- the one place where events and effects pass ---

void Service::feed(const Event& event) {
    if (spdlog::should_log(spdlog::level::debug)) spdlog::debug("{}", describe(event));
    if (watcher_) watcher_(event, core_);
    Effects effects = core_.step(event, around_.now());
    // The core has moved: an effect that is not performed would leave it ahead of the log.
    try {
        perform(std::move(effects));
    } catch (const std::exception& e) {
        stop_(exit_broken,
              "broken invariant in " + http::for_log(describe(event)) + ": " + e.what());
    }
    arm_tick();
}

void Service::perform(Effects effects) {
    std::vector<Append> appends;
    for (Effect& effect : effects) {
        if (spdlog::should_log(spdlog::level::trace)) spdlog::trace("  {}", describe(effect));
        if (auto* e = std::get_if<Append>(&effect)) appends.push_back(std::move(*e));
    }
    for (std::vector<Append>& job : by_transaction(std::move(appends))) append(std::move(job));
    for (const Effect& effect : effects) {
        if (const auto* send = std::get_if<Send>(&effect)) perform(*send);
        if (const auto* withdraw = std::get_if<Withdraw>(&effect)) perform(*withdraw);
        if (const auto* tell = std::get_if<Tell>(&effect)) perform(*tell);
        if (const auto* alert = std::get_if<Alert>(&effect)) perform(*alert);
    }
}

void Service::append(std::vector<Append> appends) {
    std::vector<wal::Entry> entries;
    std::vector<Record> records;
    bool is_forced = false;
    const std::int64_t at = around_.wall_microseconds();
    for (Append& each : appends) {
        entries.push_back(to_entry(each, at));
        is_forced = is_forced || each.is_forced;
        records.push_back(std::move(each.record));
    }
    log_->append(
        std::move(entries),
        is_forced ? wal::Urgency::forced : wal::Urgency::lazy,
        [this, records = std::move(records)](wal::Written written) { logged(records, written); });
}

void Service::logged(const std::vector<Record>& records, wal::Written written) {
    for (const Record& record : records) {
        if (written == wal::Written::durable)
            feed(Logged{record});
        else
            feed(Unlogged{gid_of(record)});
    }
}

void Service::perform(const Send& e) {
    if (is_stopped_) return;
    const Transaction* t = core_.find(e.gid);
    const BranchRequest& branch = t->started().branches[e.branch];
    const bool has_payload = e.verb == Verb::prepare || e.verb == Verb::execute;
    const std::size_t bytes = has_payload ? branch.payload.size() : 0;
    if (!lanes_.want(branch.participant, {e.gid, branch.branch_id}, e.verb, bytes, e.delay))
        perform(Alert{"unknown_participant",
                      e.gid,
                      e.branch,
                      "'" + branch.participant +
                          "' is no longer configured: put it back, or end the branch by hand"});
}

void Service::perform(const Withdraw& e) { lanes_.drop(e.participant, {e.gid, e.branch_id}); }

void Service::perform(const Tell& e) {
    if (e.milestone == Milestone::resolved || e.milestone == Milestone::failed)
        settling_.erase(e.gid);
    const auto found = waiters_.find(e.gid);
    if (found == waiters_.end()) return;
    const auto is_told = [&](const Waiting& waiting) {
        if (e.milestone == Milestone::failed) return true;
        if (e.milestone == Milestone::resolved) return waiting.milestone == Milestone::resolved;
        if (waiting.milestone == Milestone::resolved) return false;
        if (waiting.milestone <= e.milestone) return true;
        // A rollback is told as soon as it is durable.
        return e.milestone == Milestone::decided &&
               core_.find(e.gid)->folded.decision == Decision::rollback;
    };
    std::vector<Waiting> told;
    std::vector<Waiting>& all = found->second;
    const auto rest = std::stable_partition(
        all.begin(), all.end(), [&](const Waiting& waiting) { return !is_told(waiting); });
    std::move(rest, all.end(), std::back_inserter(told));
    all.erase(rest, all.end());
    if (all.empty()) waiters_.erase(found);
    for (const Waiting& waiting : told) waiting.waiter(e.milestone);
}

void Service::perform(const Alert& e) {
    spdlog::error("ALERT {} gid {} {}: {}",
                  e.kind,
                  to_text(e.gid),
                  e.branch ? "branch " + std::to_string(*e.branch) : "",
                  http::for_log(e.text));
}

// --- clients ---

Admitted Service::submit(Submission submission) {
    using Kind = Admitted::Kind;
    Gid same{};
    switch (admission_of(submission, same)) {
        case Admission::is_new: break;
        case Admission::repeat: return {Kind::repeat, same};
        case Admission::changed: return {Kind::changed, same};
        case Admission::attempt_not_over: return {Kind::attempt_not_over, same};
        case Admission::attempt_unknown: return {Kind::attempt_unknown, same};
        case Admission::superseded: return {Kind::superseded, same};
        case Admission::damaged: return {Kind::damaged, same};
    }
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
    feed(Submitted{.started = {.gid = *gid,
                               .mode = submission.mode,
                               .key = std::move(submission.key),
                               .fingerprint = submission.fingerprint,
                               .branches = std::move(submission.branches),
                               .origin = std::move(submission.origin),
                               .traceparent = std::move(submission.traceparent)},
                   .vote_timeout = submission.vote_timeout,
                   .is_start_awaited = submission.is_start_awaited});
    return {Kind::is_new, *gid};
}

/// Applies the rule of business keys; `same` becomes the gid that the answer is about.
Admission Service::admission_of(const Submission& submission, Gid& same) const {
    const BusinessKey& key = submission.key;
    std::optional<KnownAttempt> exact;
    std::optional<KnownAttempt> highest;
    if (const auto live = core_.last_attempt(key.code, key.id))
        highest = known(live->first, live->second);
    if (const auto stored = log_->find_last_attempt(key.code, key.id);
        stored && (!highest || stored->key.attempt > highest->attempt))
        highest = known(*stored);
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

std::optional<KnownAttempt> Service::known(const BusinessKey& key, const Gid& gid) const {
    const Transaction* t = core_.find(gid);
    return KnownAttempt{.attempt = key.attempt,
                        .gid = gid,
                        .fingerprint = t->started().fingerprint,
                        .is_durably_rolled_back = t->folded.decision == Decision::rollback};
}

std::optional<KnownAttempt> Service::known(const wal::BusinessEntry& entry) const {
    KnownAttempt attempt{.attempt = entry.key.attempt,
                         .gid = entry.gid,
                         .fingerprint = entry.fingerprint,
                         .is_damaged = entry.damaged};
    if (!entry.damaged) attempt.is_durably_rolled_back = inquire(entry.gid) == Verdict::rollback;
    return attempt;
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
    return milestone == Milestone::decided || t->folded.decision == Decision::rollback ||
           t->phase == Phase::finishing;
}

Found Service::find(const Gid& gid) const {
    if (const Transaction* live = core_.find(gid))
        return {.live = live, .folded = std::nullopt, .damage = live->damage};
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
    if (!mint_->has_minted(gid)) return std::nullopt;
    return gid < presumes_nothing_below_ ? Verdict::pending : Verdict::rollback;
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
        const BranchRequest& branch = core_.find(asked.gid)->started().branches[*asked.branch];
        // What is under way may still arrive; ending the branch now could leave it half done.
        if (lanes_.is_in_flight(branch.participant, {asked.gid, branch.branch_id}))
            return {ResolveResult::busy, ResolveRefusal::none};
    }
    settling_.insert(asked.gid);
    feed(asked);
    return {};
}

bool Service::may_settle_unknown(const Gid& gid) const {
    return !settling_.contains(gid) && core_.find(gid) == nullptr && !log_->read(gid) &&
           inquire(gid) == Verdict::pending;
}

void Service::settle_unknown(const Gid& gid,
                             Decision decision,
                             const std::string& who,
                             const std::string& reason,
                             std::function<void(wal::Written)> then) {
    settling_.insert(gid);
    const Started started{.gid = gid,
                          .mode = Mode::two_phase,
                          .key = {.code = unknown_code, .id = to_text(gid)},
                          .origin = {.actor = who}};
    const std::string how(to_text(decision));
    const std::vector<Record> records{
        started,
        Resolved{gid, std::nullopt, how, who, reason},
        Decided{gid, decision, {.code = "by_hand", .message = reason, .branch = {}}, {}},
        Finished{gid}};
    std::vector<wal::Entry> entries;
    for (std::uint32_t n = 0; n < records.size(); ++n)
        entries.push_back(to_entry({records[n], n, true}, around_.wall_microseconds()));
    spdlog::error("ALERT resolved_by_hand gid {}: {} by {}: {}",
                  to_text(gid),
                  how,
                  http::for_log(who),
                  http::for_log(reason));
    log_->append(std::move(entries),
                 wal::Urgency::forced,
                 [this, gid, then = std::move(then)](wal::Written written) {
                     settling_.erase(gid);
                     then(written);
                 });
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

// --- participants ---

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

// --- time ---

std::uint64_t Service::wall_milliseconds() const {
    return static_cast<std::uint64_t>(around_.wall_microseconds()) / 1000;
}

std::optional<Gid> Service::mint() {
    const auto gid = mint_->mint(wall_milliseconds(), log_->gid_ceiling());
    if (!gid) push_ceiling();  // a clock that jumped: the next one finds room
    return gid;
}

/// Where little room is left below the ceiling. An append of its own: no lack of room refuses it.
void Service::push_ceiling() {
    const std::uint64_t position =
        std::max(wall_milliseconds(), milliseconds_of(mint_->next_at_least()));
    if (position + ceiling_pushed_below < pushed_ceiling_) return;
    const std::uint64_t wanted = position + ceiling_ahead;
    if (wanted <= pushed_ceiling_) return;
    pushed_ceiling_ = wanted;
    log_->append(
        {}, wal::Urgency::forced, [](wal::Written) {}, wanted);
}

void Service::arm_tick() {
    const auto due = core_.next_deadline();
    if (!due || is_stopped_ || (tick_armed_for_ && *tick_armed_for_ <= *due)) return;
    tick_armed_for_ = due;
    tick_alarm_->set(*due, [this] {
        tick_armed_for_.reset();
        feed(Ticked{});
    });
}

void Service::arm_housekeeping() {
    housekeeping_alarm_->set(around_.now() + housekeeping_interval, [this] {
        if (is_stopped_) return;
        push_ceiling();
        log_->forget(forget_batch, [](std::size_t) {});
        arm_housekeeping();
    });
}

}  // namespace twophase::coordinator
