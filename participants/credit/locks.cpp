#include "participants/credit/locks.hpp"

#include "participants/record.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

namespace twophase::participants::credit {
namespace {

/// Rounded up, so that whoever comes back then doesn't come too early as a rule.
std::uint64_t seconds_left(const Lock& lock, const Moment& moment) {
    const std::int64_t whole = (lock.lease_ms + 999) / 1'000 + 1;
    const auto passed = static_cast<std::int64_t>(moment.running_seconds - lock.begun_second);
    return static_cast<std::uint64_t>(std::clamp<std::int64_t>(whole - passed, 1, whole));
}

AccountName name_in(std::string_view key) {
    const std::size_t slash = key.find('/');
    if (slash == std::string_view::npos) throw DamagedRecord(key);
    return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

}  // namespace

std::optional<Lock> Locks::held(const wal::Unit& unit, const AccountName& name) const {
    return read<Lock>(unit, locks_, account_key(name));
}

std::optional<Refusal> Locks::objection(const wal::Unit& unit,
                                        const AccountName& name,
                                        std::optional<std::uint64_t> token,
                                        const Moment& moment) const {
    const auto lock = held(unit, name);
    if (!token)
        return lock ? std::optional(account_locked(seconds_left(*lock, moment))) : std::nullopt;
    return lock && lock->token == *token ? std::nullopt : std::optional(stale_token());
}

Lock Locks::grant(wal::Unit& unit,
                  const AccountName& name,
                  std::int64_t lease_ms,
                  const Moment& moment) const {
    assert(!held(unit, name));
    const Lock lock{.token = next_number(unit, numbers_, "lock"),
                    .lease_ms = lease_ms,
                    .begun_second = moment.running_seconds};
    write(unit, locks_, account_key(name), lock);
    return lock;
}

void Locks::end(wal::Unit& unit, const AccountName& name) const {
    unit.erase(locks_, account_key(name));
}

std::vector<Locks::Held> Locks::all(const wal::Reader& reader) const {
    std::vector<Held> all;
    wal::Cursor cursor = reader.cursor(locks_);
    for (bool is_there = cursor.first(); is_there; is_there = cursor.next()) {
        try {
            all.push_back({name_in(cursor.key()), decode<Lock>(cursor.key(), cursor.value())});
        } catch (const DamagedRecord& damage) {
            spdlog::error("an account stays locked: {}", damage.what());
        }
    }
    return all;
}

void Locks::begin_anew(wal::Unit& unit, Held held, const Moment& moment) const {
    held.lock.begun_second = moment.running_seconds;
    write(unit, locks_, account_key(held.name), held.lock);
}

Refusal account_locked(std::uint64_t seconds_left) {
    Refusal refusal;
    refusal.status = 423;
    refusal.code = "account-locked";
    refusal.reason = "account_locked";
    refusal.message = "somebody holds this account's lock";
    refusal.retry_after_seconds = seconds_left;
    return refusal;
}

Refusal stale_token() {
    Refusal refusal;
    refusal.status = 412;
    refusal.code = "stale-lock-token";
    refusal.reason = "stale_lock_token";
    refusal.message = "this token's lock is over: its lease has ended or it was released";
    return refusal;
}

}  // namespace twophase::participants::credit
