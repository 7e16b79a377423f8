// The log's reading side: what recovery, inquiries and listings ask for.
#include "wal/bytes.hpp"
#include "wal/log.hpp"
#include "wal/log_keys.hpp"
#include "wal/log_records.hpp"
#include "wal/sealed.hpp"

#include <limits>
#include <utility>

namespace twophase::wal {
namespace {

// The gid that a key of the records table begins with.
std::optional<Gid> gid_of(std::string_view record_key) {
    return to_gid(record_key.substr(0, std::tuple_size_v<Gid>));
}

// Nothing when no row begins with this gid.
std::optional<StoredTransaction> read_records(Cursor& records, const Gid& gid) {
    RecordCheck check(gid);
    bool is_known = false;
    for (bool found = records.seek(bytes_of(gid));
         found && records.key().starts_with(bytes_of(gid));
         found = records.next()) {
        is_known = true;
        check.add(records.key(), records.value());
    }
    if (!is_known) return {};
    return std::move(check).take();
}

}  // namespace

std::size_t Log::each_unfinished(const std::function<void(const StoredTransaction&)>& visit) const {
    std::size_t bad_keys = 0;
    const Snapshot now = store_->snapshot();
    Cursor rows = now.cursor(tables_.unfinished);
    Cursor records = now.cursor(tables_.records);
    for (bool found = rows.first(); found; found = rows.next()) {
        const auto gid = to_gid(rows.key());
        auto transaction = gid ? read_records(records, *gid) : std::nullopt;
        const bool is_whole_row = unseal(rows.key(), rows.value()).has_value();
        if (!gid || (!transaction && !is_whole_row)) {
            // Even the gid may be what is damaged.
            ++bad_keys;
            continue;
        }
        if (!transaction) transaction = RecordCheck(*gid).take();
        if (!is_whole_row && transaction->damage.empty())
            transaction->damage = "its entry in the unfinished index fails its checksum";
        visit(*transaction);
    }
    return bad_keys;
}

std::optional<StoredTransaction> Log::read_from(const Snapshot& snapshot, const Gid& gid) const {
    Cursor records = snapshot.cursor(tables_.records);
    auto transaction = read_records(records, gid);
    const bool is_unfinished = snapshot.get(tables_.unfinished, bytes_of(gid)).has_value();
    if (!transaction && is_unfinished) transaction = RecordCheck(gid).take();
    if (transaction) transaction->is_finished = !is_unfinished;
    return transaction;
}

std::optional<StoredTransaction> Log::read(const Gid& gid) const {
    return read_from(store_->snapshot(), gid);
}

std::optional<BusinessEntry> Log::find(const BusinessKey& key) const {
    if (!is_valid(key)) return {};
    const std::string bytes = business_key(key);
    const Snapshot now = store_->snapshot();
    const auto value = now.get(tables_.business_keys, bytes);
    if (!value) return {};
    return to_business_entry(bytes, *value);
}

std::optional<BusinessEntry> Log::find_last_attempt(std::string_view code,
                                                    std::string_view id) const {
    BusinessKey last{.code = std::string(code),
                     .id = std::string(id),
                     .attempt = std::numeric_limits<std::uint32_t>::max()};
    if (!is_valid(last)) return {};
    const Snapshot now = store_->snapshot();
    Cursor keys = now.cursor(tables_.business_keys);
    const std::string bound = business_key(last) + '\0';
    if (!keys.seek_before(bound) || !keys.key().starts_with(business_prefix(code, id))) return {};
    return to_business_entry(keys.key(), keys.value());
}

std::vector<BusinessEntry> Log::find_attempts(std::string_view code, std::string_view id) const {
    std::vector<BusinessEntry> attempts;
    if (!is_valid({.code = std::string(code), .id = std::string(id)})) return attempts;
    const std::string prefix = business_prefix(code, id);
    const Snapshot now = store_->snapshot();
    Cursor keys = now.cursor(tables_.business_keys);
    for (bool found = keys.seek(prefix); found && keys.key().starts_with(prefix);
         found = keys.next())
        attempts.push_back(to_business_entry(keys.key(), keys.value()));
    return attempts;
}

std::vector<StoredTransaction> Log::list(std::optional<Gid> before, std::size_t limit) const {
    std::vector<StoredTransaction> newest;
    const Snapshot now = store_->snapshot();
    Cursor records = now.cursor(tables_.records);
    bool found = before ? records.seek_before(bytes_of(*before)) : records.last();
    while (found && newest.size() < limit) {
        const auto gid = gid_of(records.key());
        if (!gid) {  // not a key of ours: verify() reports that
            found = records.previous();
            continue;
        }
        newest.push_back(*read_from(now, *gid));
        found = records.seek_before(bytes_of(*gid));
    }
    return newest;
}

std::vector<StoredTransaction> Log::walk(std::optional<Gid> after, std::size_t limit) const {
    std::vector<StoredTransaction> oldest;
    const Snapshot now = store_->snapshot();
    Cursor records = now.cursor(tables_.records);
    std::string from = after ? above_records(*after) : "";
    bool found = from.empty() ? !after && records.first() : records.seek(from);
    while (found && oldest.size() < limit) {
        const auto gid = gid_of(records.key());
        if (!gid) {
            found = records.next();
            continue;
        }
        oldest.push_back(*read_from(now, *gid));
        from = above_records(*gid);
        found = !from.empty() && records.seek(from);
    }
    return oldest;
}

}  // namespace twophase::wal
