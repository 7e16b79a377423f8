#include "participants/credit/lock_lines.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <vector>

namespace twophase::participants::credit {
namespace {

using std::chrono::milliseconds;

std::uint64_t whole_seconds(recovery::Time left) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(1, (left.count() + 999) / 1'000));
}

LockAnswer answer_of(LockFate how) {
    LockAnswer answer;
    answer.how = how;
    return answer;
}

}  // namespace

LockLines::LockLines(Parts parts, Limits limits)
    : parts_(std::move(parts)), limits_(limits), alarm_(parts_.machine.alarm()) {
    const std::vector<Locks::Held> left = parts_.locks.all(parts_.queue.store().snapshot());
    if (left.empty()) return;
    // Before the work of any request, so that none is told of a lease that is over.
    parts_.queue.submit({
        .work =
            [locks = &parts_.locks, left, moment = parts_.clock()](wal::Unit& unit) {
                for (const Locks::Held& held : left) locks->begin_anew(unit, held, moment);
            },
        .then = [](Fate) {},
        .label = "locks",
    });
    for (const auto& [name, lock] : left) {
        const std::string key = account_key(name);
        Line& line = lines_[key];
        line.name = name;
        line.held =
            Held{.token = lock.token, .ends = parts_.machine.now() + milliseconds(lock.lease_ms)};
        set_alarm(key, line, line.held->ends);
    }
    spdlog::info("locked accounts: {}; their leases begin anew", left.size());
}

void LockLines::acquire(LockWish wish, LockDone done) {
    if (is_stopped_) return done(answer_of(LockFate::stopping));
    const std::string key = account_key(wish.name);
    const auto found = lines_.find(key);
    const std::size_t in_line = found == lines_.end() ? 0 : found->second.waiters.size();
    if (in_line >= limits_.most_in_line || waiting_ >= limits_.most_waiting)
        return done(answer_of(LockFate::crowded));
    Line& line = lines_[key];
    line.name = wish.name;
    const Time gives_up = parts_.machine.now() + milliseconds(wish.wait_ms);
    line.waiters.push_back({std::move(wish), gives_up, std::move(done)});
    ++waiting_;
    go_on(key);
}

/// Does what can be done for a line now. Whoever is told something is told last: it may call in.
void LockLines::go_on(const std::string& key) {
    const auto found = lines_.find(key);
    // While a lock is being granted, nothing that could be said is durable.
    if (found == lines_.end() || found->second.is_granting) return;
    Line& line = found->second;
    if (!line.held) {
        if (!line.waiters.empty()) return grant_to_first(key, line);
        set_alarm(key, line, std::nullopt);
        lines_.erase(found);
        return;
    }
    const Time now = parts_.machine.now();
    const std::uint64_t seconds = whole_seconds(line.held->ends - now);
    std::deque<Waiter> late = take_late(line, now);
    if (now >= line.held->ends && !line.held->is_ending) end_lease(key, line);
    std::optional<Time> next;
    if (!line.held->is_ending) next = line.held->ends;
    for (const Waiter& waiter : line.waiters)
        if (!next || waiter.gives_up < *next) next = waiter.gives_up;
    set_alarm(key, line, next);
    LockAnswer answer = answer_of(LockFate::still_locked);
    answer.seconds_left = seconds;
    for (const Waiter& waiter : late) waiter.done(answer);
}

/// Whether its client is still there can't be told: a lock given to nobody ends with its lease.
void LockLines::grant_to_first(const std::string& key, Line& line) {
    Waiter first = std::move(line.waiters.front());
    line.waiters.pop_front();
    --waiting_;
    if (!parts_.queue.has_space(true)) {
        first.done(answer_of(LockFate::overloaded));
        return go_on(key);
    }
    line.is_granting = true;
    auto answer = std::make_shared<LockAnswer>();
    const std::int64_t lease_ms = first.wish.lease_ms;
    const Moment moment = parts_.clock();
    parts_.queue.submit({
        .work = [this, wish = std::move(first.wish), answer, moment](
                    wal::Unit& unit) { *answer = grant_in(unit, wish, moment); },
        .then =
            [this, key, answer, lease_ms, done = std::move(first.done)](Fate fate) {
                if (fate != Fate::durable) answer->how = LockFate::not_done;
                answer->fate = fate;
                granted(key, *answer, lease_ms);
                done(*answer);
            },
        .is_new_work = true,
        .label = "lock",
    });
}

LockAnswer LockLines::grant_in(wal::Unit& unit, const LockWish& wish, const Moment& moment) const {
    LockAnswer answer = answer_of(LockFate::no_account);
    const auto account = parts_.accounts.find(unit, wish.name);
    if (!account) return answer;
    answer.how = LockFate::granted;
    answer.account = *account;
    answer.lock = parts_.locks.grant(unit, wish.name, wish.lease_ms, moment);
    AuditEntry entry = wish.entry;
    entry.change.user_id = wish.name.user_id;
    entry.change.transaction_id = std::to_string(answer.lock.token);
    parts_.audit.append(unit, entry);
    return answer;
}

void LockLines::granted(const std::string& key, const LockAnswer& answer, std::int64_t lease_ms) {
    Line& line = lines_.at(key);
    line.is_granting = false;
    if (answer.how == LockFate::granted)
        line.held =
            Held{.token = answer.lock.token, .ends = parts_.machine.now() + milliseconds(lease_ms)};
    go_on(key);
}

std::deque<LockLines::Waiter> LockLines::take_late(Line& line, Time now) {
    const auto late = std::stable_partition(
        line.waiters.begin(), line.waiters.end(), [now](const Waiter& waiter) {
            return waiter.gives_up > now;
        });
    std::deque<Waiter> taken(std::make_move_iterator(late),
                             std::make_move_iterator(line.waiters.end()));
    line.waiters.erase(late, line.waiters.end());
    waiting_ -= taken.size();
    return taken;
}

void LockLines::end_lease(const std::string& key, Line& line) {
    line.held->is_ending = true;
    AuditEntry entry;
    entry.service = parts_.participant;
    entry.operation = "lease_end";
    entry.timestamp = parts_.clock().microseconds;
    entry.success = true;
    parts_.queue.submit({
        .work = [this, name = line.name, token = line.held->token, entry](
                    wal::Unit& unit) { end_in(unit, name, token, entry); },
        .then =
            [this, key, token = line.held->token](Fate fate) {
                // A damaged record can't be ended; its account stays locked for a person.
                if (fate == Fate::durable) ended(key, token);
            },
        .label = "lease_end",
    });
}

ReleaseFate LockLines::end_in(wal::Unit& unit,
                              const AccountName& name,
                              std::uint64_t token,
                              AuditEntry entry) const {
    const auto lock = parts_.locks.held(unit, name);
    if (lock && lock->token != token) return ReleaseFate::stale;
    if (!lock)
        return parts_.accounts.find(unit, name) ? ReleaseFate::already_over
                                                : ReleaseFate::no_account;
    parts_.locks.end(unit, name);
    entry.change.user_id = name.user_id;
    entry.change.transaction_id = std::to_string(token);
    parts_.audit.append(unit, entry);
    return ReleaseFate::released;
}

void LockLines::release(const AccountName& name,
                        std::uint64_t token,
                        AuditEntry entry,
                        ReleaseDone done) {
    auto answer = std::make_shared<ReleaseAnswer>();
    if (!parts_.queue.has_space(true)) {
        answer->how = ReleaseFate::overloaded;
        return done(*answer);
    }
    parts_.queue.submit({
        .work = [this, name, token, entry = std::move(entry), answer](
                    wal::Unit& unit) { answer->how = end_in(unit, name, token, entry); },
        .then =
            [this, key = account_key(name), token, answer, done = std::move(done)](Fate fate) {
                if (fate != Fate::durable) answer->how = ReleaseFate::not_done;
                answer->fate = fate;
                if (answer->how == ReleaseFate::released) ended(key, token);
                done(*answer);
            },
        .label = "unlock",
    });
}

/// The lock with this token is over, and durably so.
void LockLines::ended(const std::string& key, std::uint64_t token) {
    const auto found = lines_.find(key);
    if (found == lines_.end()) return;
    auto& held = found->second.held;
    if (held && held->token == token) held.reset();
    go_on(key);
}

void LockLines::stop() {
    is_stopped_ = true;
    std::vector<Waiter> all;
    for (auto& [key, line] : lines_) {
        std::ranges::move(line.waiters, std::back_inserter(all));
        line.waiters.clear();
    }
    waiting_ = 0;
    for (const Waiter& waiter : all) waiter.done(answer_of(LockFate::stopping));
}

void LockLines::set_alarm(const std::string& key, Line& line, std::optional<Time> at) {
    if (line.alarm == at) return;
    if (line.alarm) due_.erase({*line.alarm, key});
    line.alarm = at;
    if (at) due_.emplace(*at, key);
    arm();
}

void LockLines::arm() {
    if (due_.empty()) return alarm_->cancel();
    alarm_->set(due_.begin()->first, [this] { ring(); });
}

void LockLines::ring() {
    const Time now = parts_.machine.now();
    std::vector<std::string> keys;
    while (!due_.empty() && due_.begin()->first <= now) {
        keys.push_back(due_.begin()->second);
        lines_.at(keys.back()).alarm.reset();
        due_.erase(due_.begin());
    }
    for (const std::string& key : keys) go_on(key);
    arm();
}

}  // namespace twophase::participants::credit
