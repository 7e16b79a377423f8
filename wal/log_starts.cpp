// The log's own list of its starts, and what it remembers of its participants' stores.
#include "wal/bytes.hpp"
#include "wal/log.hpp"
#include "wal/log_keys.hpp"
#include "wal/sealed.hpp"

#include <utility>

namespace twophase::wal {
namespace {

constexpr std::size_t starts_always_kept = 1'000;

std::string start_key(std::uint64_t epoch) {
    std::string key;
    append_number(key, epoch);
    return key;
}

std::string start_value(std::string_view key, const LogStart& start) {
    std::string value;
    append_token(value, start.start);
    append_token(value, start.log);
    append_number(value, start.tag);
    append_number(value, start.from);
    append_number(value, start.began_at);
    return seal(key, std::move(value));
}

/// A damaged row is refused: which ids this log minted would be a guess.
LogStart to_start(std::string_view key, std::string_view stored) {
    auto value = unseal(key, stored);
    if (!value || key.size() != sizeof(std::uint64_t))
        throw StoreError::refused("the log's list of its starts is damaged; restore a backup");
    LogStart start{.epoch = read_number<std::uint64_t>(key)};
    start.start = take_token(*value);
    start.log = take_token(*value);
    start.tag = take_number<std::uint32_t>(*value);
    start.from = take_number<std::uint64_t>(*value);
    start.began_at = take_number<std::uint64_t>(*value);
    return start;
}

std::string seen_value(std::string_view key, const SeenStore& seen) {
    std::string value;
    append_token(value, seen.store);
    append_number(value, seen.epoch);
    append_token(value, seen.start);
    append_number(value, seen.position);
    return seal(key, std::move(value));
}

}  // namespace

std::vector<LogStart> Log::starts() const {
    std::vector<LogStart> all;
    const Snapshot snapshot = store_->snapshot();
    Cursor cursor = snapshot.cursor(tables_.starts);
    for (bool found = cursor.first(); found; found = cursor.next())
        all.push_back(to_start(cursor.key(), cursor.value()));
    return all;
}

void Log::begin(const LogStart& start, std::uint64_t ceiling, std::function<void(Written)> then) {
    store_->submit({.work =
                        [this, start, ceiling](Unit& unit) {
                            const std::string key = start_key(start.epoch);
                            unit.put(tables_.starts, key, start_value(key, start));
                            Store::raise(unit, *store_, gid_ceiling_name, ceiling);
                            forget_starts(unit);
                        },
                    .then = std::move(then),
                    .label = "begun"});
}

// A start goes when every id that it minted is at or below the highest one forgotten: nothing is
// presumed of those anyway.
void Log::forget_starts(Unit& unit) const {
    std::vector<std::pair<std::string, LogStart>> all;
    unit.scan(tables_.starts, "", "", [&](std::string_view key, std::string_view value) {
        all.emplace_back(key, to_start(key, value));
        return true;
    });
    const std::uint64_t forgotten = store_->number(highest_forgotten);
    for (std::size_t i = 0; i + starts_always_kept < all.size(); ++i) {
        if (order_at(all[i + 1].second.from) > forgotten) break;
        unit.erase(tables_.starts, all[i].first);
    }
}

std::map<std::string, SeenStore> Log::seen_stores() const {
    std::map<std::string, SeenStore> all;
    const Snapshot snapshot = store_->snapshot();
    Cursor cursor = snapshot.cursor(tables_.seen_stores);
    for (bool found = cursor.first(); found; found = cursor.next()) {
        auto value = unseal(cursor.key(), cursor.value());
        if (!value) continue;  // as if it had not been seen yet
        SeenStore& seen = all[std::string(cursor.key())];
        seen.store = take_token(*value);
        seen.epoch = take_number<std::uint64_t>(*value);
        seen.start = take_token(*value);
        seen.position = take_number<std::uint64_t>(*value);
    }
    return all;
}

void Log::remember(const std::string& participant, const SeenStore& seen) {
    store_->submit({.work =
                        [this, participant, seen](Unit& unit) {
                            unit.put(
                                tables_.seen_stores, participant, seen_value(participant, seen));
                        },
                    .then = {},
                    .urgency = Urgency::lazy,
                    .label = "seen"});
}

void Log::forget_store(const std::string& participant, std::function<void(Written)> then) {
    store_->submit(
        {.work = [this, participant](Unit& unit) { unit.erase(tables_.seen_stores, participant); },
         .then = std::move(then),
         .label = "seen"});
}

}  // namespace twophase::wal
