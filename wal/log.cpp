#include "wal/log.hpp"

#include "wal/frame.hpp"
#include "wal/log_keys.hpp"
#include "wal/sealed.hpp"

#include <algorithm>
#include <cassert>
#include <stdexcept>
#include <utility>

namespace twophase::wal {
namespace {

StoreOptions complete(StoreOptions options) {
    options.kind = "coordinator";
    options.tables = {"records",
                      "unfinished",
                      "business_keys",
                      "finished",
                      "starts",
                      "seen_stores",
                      "lost",
                      "lost_keys"};
    return options;
}

// Found by the writer, this ends the process: the caller lost count or let a key be taken twice.
[[noreturn]] void refuse(const Gid& gid, const std::string& why) {
    throw std::logic_error("transaction " + to_text(gid) + ": " + why);
}

bool is_sound(const Entry& entry) {
    return entry.starts.has_value() == (entry.n == 0) &&
           (!entry.starts || (is_valid(entry.starts->key) && entry.starts->gid == entry.gid));
}

// For crash points, which only test builds have.
[[maybe_unused]] std::vector<const char*> labels_of(const std::vector<Entry>& entries) {
    std::vector<const char*> labels;
    for (const Entry& entry : entries) labels.push_back(entry.label);
    return labels;
}

std::vector<Gid> started_in(const std::vector<Entry>& entries) {
    std::vector<Gid> gids;
    for (const Entry& entry : entries)
        if (entry.starts) gids.push_back(entry.gid);
    return gids;
}

}  // namespace

Log::Log(LogOptions options, Post post) : options_(std::move(options)) {
    store_ = std::make_unique<Store>(complete(options_.store), std::move(post));
    tables_ = {.records = store_->table("records"),
               .unfinished = store_->table("unfinished"),
               .business_keys = store_->table("business_keys"),
               .finished = store_->table("finished"),
               .starts = store_->table("starts"),
               .seen_stores = store_->table("seen_stores"),
               .lost = store_->table("lost"),
               .lost_keys = store_->table("lost_keys")};
}

// Jobs that are still queued use this object until the last is written.
Log::~Log() { store_->stop(); }

Store& Log::store() { return *store_; }
const Store& Log::store() const { return *store_; }

std::optional<Gid> Log::forgotten_up_to() const {
    const std::uint64_t order = store_->number(highest_forgotten);
    return order == 0 ? std::nullopt : std::optional(last_of_order(order));
}

std::uint64_t Log::gid_ceiling() const { return store_->number(gid_ceiling_name); }

void Log::append(std::vector<Entry> entries,
                 Urgency urgency,
                 std::function<void(Written)> then,
                 std::optional<std::uint64_t> ceiling) {
    assert(std::ranges::all_of(entries, is_sound));
    Job job{.work = {}, .then = std::move(then), .urgency = urgency};
#ifdef TWOPHASE_CRASH_POINTS
    job.more_labels = labels_of(entries);
#endif
    std::vector<Gid> started = started_in(entries);
    job.is_new_work = !started.empty();
    if (job.is_new_work)
        job.refused = [this, started = std::move(started)] {
            refused_starts_.insert(started.begin(), started.end());
        };
    job.work = [this, entries = std::move(entries), ceiling](Unit& unit) {
        for (const Entry& entry : entries) write(unit, entry);
        if (ceiling) Store::raise(unit, *store_, gid_ceiling_name, *ceiling);
    };
    store_->submit(std::move(job));
}

void Log::write(Unit& unit, const Entry& entry) const {
    const std::string key = record_key(entry.gid, entry.n);
    const std::string name = "record " + std::to_string(entry.n);
    if (entry.n > 0 && !unit.contains(tables_.records, record_key(entry.gid, entry.n - 1))) {
        if (refused_starts_.contains(entry.gid)) throw BuildsOnRefused{};
        refuse(entry.gid, name + " has no predecessor");
    }
    if (unit.contains(tables_.records, key)) refuse(entry.gid, name + " is there already");
    unit.put(tables_.records, key, encode_frame(entry.gid, entry.n, entry.payload));
    if (entry.starts) start(unit, entry);
    if (entry.settles) settle(unit, entry.gid);
    if (entry.finishes) finish(unit, entry.gid, entry.is_kept);
}

void Log::start(Unit& unit, const Entry& entry) const {
    const std::string key = business_key(entry.starts->key);
    if (unit.contains(tables_.business_keys, key))
        refuse(entry.gid, "its business key is taken already");
    unit.put(tables_.business_keys, key, business_value(key, *entry.starts));
    const auto gid = bytes_of(entry.gid);
    // The finish needs the business key, and the payload is not ours to read.
    unit.put(tables_.unfinished, gid, seal(gid, key));
}

void Log::finish(Unit& unit, const Gid& gid, bool is_kept) const {
    const auto row = unit.get(tables_.unfinished, bytes_of(gid));
    if (!row) refuse(gid, "is finished that is not unfinished");
    const auto business = unseal(bytes_of(gid), *row);
    if (!business) refuse(gid, "its entry in the unfinished index fails its checksum");
    unit.erase(tables_.unfinished, bytes_of(gid));
    // No retention is that long.
    constexpr std::uint64_t never = UINT64_MAX;
    const std::string key = finished_key(is_kept ? never : store_->running_seconds(), gid);
    unit.put(tables_.finished, key, seal(key, std::string(*business)));
}

}  // namespace twophase::wal
