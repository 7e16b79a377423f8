#include "coordinator/service.hpp"

#include "coordinator/log_entries.hpp"
#include "coordinator/protocol/describe.hpp"
#include "coordinator/record_codec.hpp"
#include "http/text.hpp"
#include "recovery/program_metrics.hpp"
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
constexpr int exit_broken = 5;

wal::LogOptions log_options(const Config& config, wal::StoreOptions store) {
    wal::LogOptions options;
    options.store = std::move(store);
    options.store.directory = config.data;
    options.store.id = config.id;
    options.store.node = config.node;
    options.store.map_bytes = config.map_bytes;
    options.store.any_filesystem = config.any_filesystem;
    options.retention = std::chrono::ceil<std::chrono::seconds>(config.retention);
    return options;
}

}  // namespace

Service::Service(recovery::Surroundings& around, const Config& config, Stop stop)
    : around_(around),
      config_(config),
      stop_(std::move(stop)),
      transaction_metrics_(metrics_, around),
      alerts_(around, alert_options(config)),
      lanes_(
          around,
          config,
          metrics_,
          {.render =
               [this](const std::string& p, const BranchKey& k, Verb v) { return render(p, k, v); },
           .answered = [this](const std::string& p,
                              const BranchKey& k,
                              Verb v,
                              const Answer& a,
                              std::uint32_t attempts) { answered(p, k, v, a, attempts); },
           .found_in_doubt = [this](const InDoubt& branch) { found_in_doubt(branch); },
           .question = [this](const std::string& p) { return question_to(p); },
           .introduced = [this](const std::string& p,
                                const Question& q,
                                const Introduction& i) { return introduced(p, q, i); },
           .is_doubtful = [this](const std::string& p,
                                 const http::Response& r) { return is_doubtful(p, r); }}),
      second_round_alarm_(around.alarm()),
      patience_alarm_(around.alarm()),
      seen_alarm_(around.alarm()),
      end_alarm_(around.alarm()),
      tick_alarm_(around.alarm()),
      housekeeping_alarm_(around.alarm()) {
    metrics_.at_scrape([this](recovery::Readings& to) { read_metrics(to); });
}

Service::~Service() = default;

// --- start and stop ---

void Service::open() {
    wal::StoreOptions store = around_.store_options();
    store.committed = recovery::store_metrics(metrics_);
    log_ = std::make_unique<wal::Log>(
        log_options(config_, std::move(store)),
        [&around = around_](std::function<void()> task) { around.post(std::move(task)); });
    const auto decode_record = [](const wal::Gid& gid, const std::string& payload) {
        auto stamped = decode(gid, payload);
        using Decoded = boost::system::result<Record, std::string>;
        return stamped ? Decoded(std::move(stamped->record)) : Decoded(stamped.error());
    };
    const auto name = [](const wal::Gid& gid) { return to_text(gid); };
    const recovery::FoldReport report = recovery::fold_at_start(*log_, core_, decode_record, name);
    report_fold(report);
    const wal::Store& opened = log_->store();
    const std::uint64_t floor = std::max(log_->gid_ceiling(), wall_milliseconds());
    guard_.emplace(LogGuard::Own{.id = config_.id,
                                 .log = opened.identity().log,
                                 .replaces = opened.identity().replaces,
                                 .epoch = opened.epoch(),
                                 .start = opened.start(),
                                 .from_milliseconds = floor,
                                 .began_at = opened.began_at()},
                   log_->starts());
    mint_.emplace(
        config_.node, floor, [this] { return around_.random(); }, guard_->start().tag);
    open_identity();
    if (report.unnamed > 0) presumes_nothing_below_ = mint_->next_at_least();
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
    room_watch_.emplace(around_, recovery::room_of(log_->store()), alerts_);
    pushed_ceiling_ = milliseconds_of(mint_->next_at_least()) + ceiling_ahead;
    // Nothing is minted, so nothing is admitted, and nothing is sent, before this start stands in
    // the log's list and its ceiling is durable.
    log_->begin(guard_->start(), pushed_ceiling_, [this](wal::Written) {
        wal::crash_point("before-resume");
        // One by one: the effects of all would take as much memory again. Nothing that they
        // cause comes back to the core within this turn.
        for (const auto& [gid, transaction] : core_.transactions())
            perform(core_.resume(gid, around_.now(), undecided(gid)));
        begin_hearing();
        is_ready_ = true;
        arm_tick();
        arm_housekeeping();
        room_watch_->start();
        wal::crash_point("after-resume");
    });
}

void Service::look() {
    for (const auto& [gid, transaction] : core_.transactions())
        core_.resume(gid,
                     around_.now(),
                     undecided(gid) == Undecided::waits_for_operator ? Undecided::waits_for_operator
                                                                     : Undecided::goes_on);
}

void Service::stop() {
    is_stopped_ = true;
    lanes_.stop();
    alerts_.stop();
    if (room_watch_) room_watch_->stop();
    if (lost_list_) lost_list_->stop();
    second_round_alarm_->cancel();
    patience_alarm_->cancel();
    seen_alarm_->cancel();
    end_alarm_->cancel();
    tick_alarm_->cancel();
    housekeeping_alarm_->cancel();
    if (is_ready_) write_seen();
}

// --- the one place where events and effects pass ---

void Service::feed(const Event& event) {
    if (spdlog::should_log(spdlog::level::debug)) spdlog::debug("{}", describe(event));
    if (watcher_) watcher_(event, core_);
    transaction_metrics_.note(event, core_);
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
        // A held one's rows go with its decision: a crash must not leave them to nobody.
        entries.back().settles = lowest_lost_ && std::holds_alternative<Decided>(each.record);
        is_forced = is_forced || each.is_forced;
        records.push_back(std::move(each.record));
    }
    log_->append(std::move(entries),
                 is_forced ? wal::Urgency::forced : wal::Urgency::lazy,
                 [this, records = std::move(records)](wal::Written written) mutable {
                     logged(std::move(records), written);
                 });
}

void Service::logged(std::vector<Record> records, wal::Written written) {
    for (Record& record : records) {
        if (written == wal::Written::durable)
            feed(Logged{std::move(record)});
        else
            feed(Unlogged{gid_of(record)});
    }
}

void Service::perform(const Send& e) {
    if (is_stopped_) return;
    const Transaction* t = core_.find(e.gid);
    const BranchRequest& branch = t->started().branches[e.branch];
    std::size_t bytes = 0;
    if (e.verb == Verb::prepare || e.verb == Verb::execute) {
        const FilledPayload payload = payload_of(*t, e.branch);
        if (!payload.objection.empty()) return refuse_for(e, payload.objection);
        bytes = payload.text.size();
    }
    if (!lanes_.want(branch.participant, {e.gid, branch.branch_id}, e.verb, bytes, e.delay))
        perform(Alert{"unknown_participant",
                      e.gid,
                      e.branch,
                      not_configured_text(std::string(branch.participant))});
}

/// What can't be asked is answered as if the participant had refused it; once this turn is over, as
/// the core is answering now.
void Service::refuse_for(const Send& e, const std::string& why) {
    around_.post([this, e, why] {
        if (is_stopped_) return;
        feed(Voted{e.gid,
                   e.branch,
                   {.vote = Vote::refused, .code = "reference_missing", .message = why},
                   true});
    });
}

void Service::perform(const Withdraw& e) { lanes_.drop(e.participant, {e.gid, e.branch_id}); }

void Service::perform(const Tell& e) {
    if (e.milestone == Milestone::resolved || e.milestone == Milestone::failed)
        settling_.erase(e.gid);
    // A held one's branches were listed as evidence.
    if (e.milestone == Milestone::resolved && lowest_lost_) {
        log_->forget_lost(e.gid);
        log_->store().submit({.work = {}, .then = [this](wal::Written) { look_at_lost(); }});
    }
    const auto found = waiters_.find(e.gid);
    if (found == waiters_.end()) return;
    const auto is_told = [&](const Waiting& waiting) {
        if (e.milestone == Milestone::failed) return true;
        if (e.milestone == Milestone::resolved) return waiting.milestone == Milestone::resolved;
        if (waiting.milestone == Milestone::resolved) return false;
        if (e.milestone == Milestone::completed || waiting.milestone <= e.milestone) return true;
        // A rollback is told as soon as it is durable.
        return e.milestone == Milestone::decided && waiting.milestone != Milestone::undone &&
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

/// All that is due, one batch after the other.
void Service::forget() {
    if (std::exchange(is_forgetting_, true)) return;
    log_->forget(forget_batch, [this](std::size_t forgotten) {
        is_forgetting_ = false;
        if (forgotten == forget_batch && !is_stopped_) forget();
    });
}

void Service::arm_housekeeping() {
    housekeeping_alarm_->set(around_.now() + housekeeping_interval, [this] {
        if (is_stopped_) return;
        push_ceiling();
        forget();
        look_for_trouble();
        arm_housekeeping();
    });
}

}  // namespace twophase::coordinator
