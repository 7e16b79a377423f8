// What Branches does beside answering messages: forgetting ended branches, listing those in doubt.
#include "http/json.hpp"
#include "participants/branches.hpp"
#include "participants/credible.hpp"
#include "participants/record.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace twophase::participants {
namespace {

/// A damaged entry is shown without its particulars: better asked about once too often.
InDoubt entry_or_unknown(const wal::Cursor& cursor) {
    try {
        return decode<InDoubt>(cursor.key(), cursor.value());
    } catch (const DamagedRecord&) {
        return {};
    }
}

bool fits(const InDoubt& entry, const Branches::InDoubtFilter& filter) {
    if (entry.coordinator.empty()) return true;
    const bool is_old = !filter.prepared_before || entry.prepared_at < *filter.prepared_before ||
                        (filter.now && entry.prepared_at > *filter.now);
    return is_old && (filter.coordinator.empty() || entry.coordinator == filter.coordinator);
}

}  // namespace

// --- which log of a coordinator is listened to ---

bool Branches::take_log(wal::Unit& unit,
                        const std::string& coordinator,
                        const LogClaim& claim,
                        const std::optional<LogClaim>& seen,
                        const Moment& moment) const {
    Coordinator known =
        read<Coordinator>(unit, tables_.coordinators, coordinator).value_or(Coordinator{});
    const bool is_same_log = known.log == claim.log;
    if (is_same_log && known.start == claim.start) return true;
    if (is_same_log && (!seen || known.start != seen->start || known.position > seen->position))
        return false;
    if (is_same_log &&
        (claim.epoch <= known.epoch || lacks_what_was_seen(known, claim.epoch, claim.began_at)))
        return false;
    if (!is_same_log && !known.log.empty() && !claim.does_replace(known.log)) return false;
    const std::string before = known.log;
    listen_to(known, claim);
    write(unit, tables_.coordinators, coordinator, known);
    audit_.append(unit,
                  {.service = options_.participant,
                   .operation = "take_log",
                   .timestamp = moment.microseconds,
                   .success = true,
                   .detail = http::dump_replacing(http::Json{
                       {"coordinator", coordinator}, {"log", claim.log}, {"before", before}})});
    return true;
}

void Branches::take_mark(wal::Unit& unit,
                         const std::string& coordinator,
                         const LogClaim& claim,
                         const std::string& low_water) const {
    auto known = read<Coordinator>(unit, tables_.coordinators, coordinator);
    if (!known || known->log != claim.log || !is_time_ordered(low_water)) return;
    if (low_water <= known->low_water) return;
    known->low_water = low_water;
    write(unit, tables_.coordinators, coordinator, *known);
}

bool Branches::forget_log(wal::Unit& unit,
                          const std::string& coordinator,
                          const std::string& reason,
                          const Origin& who,
                          const Moment& moment) const {
    auto known = read<Coordinator>(unit, tables_.coordinators, coordinator);
    if (!known || known->log.empty()) return false;
    const std::string before = known->log;
    listen_to(*known, {});
    write(unit, tables_.coordinators, coordinator, *known);
    audit_.append(unit,
                  {.service = options_.participant,
                   .operation = "forget_log",
                   .origin = who,
                   .timestamp = moment.microseconds,
                   .success = true,
                   .detail = http::dump_replacing(http::Json{
                       {"coordinator", coordinator}, {"log", before}, {"reason", reason}})});
    return true;
}

std::optional<LogClaim> Branches::known_log(const wal::Reader& reader,
                                            const std::string& coordinator) const {
    LogClaim seen = seen_of(
        read<Coordinator>(reader, tables_.coordinators, coordinator).value_or(Coordinator{}));
    const auto pinned = options_.pinned_logs.find(coordinator);
    if (pinned != options_.pinned_logs.end() && seen.log != pinned->second)
        return LogClaim{.log = pinned->second};  // nothing was heard of it yet
    if (seen.log.empty()) return std::nullopt;
    return seen;
}

std::size_t Branches::forget(wal::Unit& unit,
                             const Moment& moment,
                             std::uint64_t retention_seconds,
                             std::size_t limit) const {
    if (moment.running_seconds < retention_seconds) return 0;
    const std::uint64_t newest = moment.running_seconds - retention_seconds;
    std::vector<std::string> names;
    unit.scan(tables_.coordinators, "-", "\x7f", [&](std::string_view name, std::string_view) {
        names.emplace_back(name);
        return true;
    });
    std::size_t forgotten = 0;
    for (const std::string& name : names) {
        try {
            forgotten += forget_of(name, unit, moment, newest, limit - forgotten);
        } catch (const DamagedRecord& damage) {
            spdlog::error("nothing of coordinator {} is forgotten: {}", name, damage.what());
        }
    }
    return forgotten;
}

std::size_t Branches::forget_of(const std::string& coordinator,
                                wal::Unit& unit,
                                const Moment& moment,
                                std::uint64_t newest_second,
                                std::size_t limit) const {
    constexpr std::size_t most_ahead = 10'000;
    std::size_t ahead = 0;
    Coordinator sender = read<Coordinator>(unit, tables_.coordinators, coordinator).value();
    const std::string prefix = ended_prefix(coordinator);
    std::vector<std::string> keys;
    // Ordered by the time of their end. The first one that must stay holds up those behind it:
    // nearly all of them must stay too, and looking at each again and again would cost. But for
    // those ahead of the clock: they may be made up.
    const auto collect = [&](std::string_view key, std::string_view) {
        if (keys.size() == limit) return false;
        const std::string gid = split_branch_key(key.substr(prefix.size() + 8)).first;
        if (gid >= sender.low_water) return !is_credible(gid, moment) && ++ahead < most_ahead;
        keys.emplace_back(key);
        return true;
    };
    unit.scan(tables_.ended, prefix, prefix + key_of(newest_second), collect);
    for (const std::string& key : keys) forget_one(unit, key, sender);
    if (!keys.empty()) write(unit, tables_.coordinators, coordinator, sender);
    return keys.size();
}

void Branches::forget_one(wal::Unit& unit, std::string_view ended_key, Coordinator& sender) const {
    const std::string_view key = ended_key.substr(ended_key.find('/') + 1 + 8);
    const std::string gid = split_branch_key(key).first;
    if (gid > sender.forgotten_up_to) sender.forgotten_up_to = gid;
    unit.erase(tables_.branches, key);
    unit.erase(tables_.ended, ended_key);
}

Branches::ListPage Branches::list(const wal::Reader& reader, const ListFilter& filter) const {
    constexpr std::size_t most_looked_at = 5'000;
    ListPage page;
    wal::Cursor cursor = reader.cursor(tables_.branches);
    const std::string from = filter.after.empty() ? filter.from : filter.after + '\0';
    bool is_there = from.empty() ? cursor.first() : cursor.seek(from);
    std::string last;
    for (std::size_t looked = 0; is_there; is_there = cursor.next(), ++looked) {
        if (page.items.size() == filter.limit || looked == most_looked_at) {
            page.next = last;
            break;
        }
        last = cursor.key();
        try {
            Branch branch = decode<Branch>(cursor.key(), cursor.value());
            if (branch.coordinator != filter.coordinator) continue;
            auto [gid, branch_id] = split_branch_key(last);
            page.items.push_back({std::move(gid), std::move(branch_id), std::move(branch)});
        } catch (const DamagedRecord&) {
            continue;  // a reconciliation tells of it
        }
    }
    return page;
}

Branches::InDoubtPage Branches::in_doubt(const wal::Reader& reader,
                                         const InDoubtFilter& filter) const {
    constexpr std::size_t most_looked_at = 5'000;
    InDoubtPage page;
    wal::Cursor cursor = reader.cursor(tables_.in_doubt);
    // No id holds a NUL, so this is the first key after `after`.
    bool is_there = filter.after.empty() ? cursor.first() : cursor.seek(filter.after + '\0');
    std::string last;
    for (std::size_t looked = 0; is_there; is_there = cursor.next(), ++looked) {
        if (page.items.size() == filter.limit || looked == most_looked_at) {
            page.next = last;
            break;
        }
        last = cursor.key();
        InDoubt entry = entry_or_unknown(cursor);
        if (!fits(entry, filter)) continue;
        auto [gid, branch_id] = split_branch_key(last);
        page.items.push_back({std::move(gid), std::move(branch_id), std::move(entry)});
    }
    return page;
}

}  // namespace twophase::participants
