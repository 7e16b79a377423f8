// The check of the whole log: frames, gaps, and the indexes against each other.
#include "wal/log.hpp"
#include "wal/log_keys.hpp"
#include "wal/sealed.hpp"

#include <utility>

namespace twophase::wal {

/// One run of verify(). Reads page by page, each from a snapshot of its own, so that it pins few
/// pages of a running store.
class Verification {
public:
    using Report = std::function<void(const std::string&)>;
    using Progress = std::function<void(std::size_t)>;
    Verification(const Log& log, const Report& report, const Progress& progress)
        : log_(log), report_(report), progress_(progress) {}
    void run();

private:
    using Row = std::function<void(const Snapshot&, std::string_view key, std::string_view value)>;
    void for_each_row(Table table, const Row& check) const;
    void check_transactions();
    void check_business_keys();
    void check_unfinished();
    void check_finished();
    void check_lost();
    void check_business(const Snapshot& now, const Gid& gid, std::string_view business_key);
    void check_counts(std::uint64_t commits_before);
    bool has_records(const Snapshot& now, const Gid& gid) const;
    void find(const Gid& gid, const std::string& fault);
    void find(const std::string& fault);

    const Log& log_;
    const Report& report_;
    const Progress& progress_;
    std::size_t transactions_ = 0;
    std::size_t records_ = 0;
    std::size_t findings_ = 0;
};

namespace {

constexpr std::size_t page_rows = 1000;

}  // namespace

void Log::verify(const std::function<void(const std::string& finding)>& report,
                 const std::function<void(std::size_t done)>& progress) const {
    Verification(*this, report, progress).run();
}

void Verification::run() {
    const std::uint64_t commits_before = log_.store_->commits();
    check_transactions();
    check_business_keys();
    check_unfinished();
    check_finished();
    check_lost();
    check_counts(commits_before);
}

void Verification::find(const std::string& fault) {
    ++findings_;
    if (report_) report_(fault);
}

void Verification::find(const Gid& gid, const std::string& fault) {
    find("transaction " + to_text(gid) + ": " + fault);
}

void Verification::for_each_row(Table table, const Row& check) const {
    std::string from;
    for (bool found = true; found;) {
        const Snapshot now = log_.store_->snapshot();
        Cursor rows = now.cursor(table);
        found = rows.seek(from);
        for (std::size_t row = 0; found && row < page_rows; ++row) {
            check(now, rows.key(), rows.value());
            from.assign(rows.key()).push_back('\0');  // the next possible key
            found = rows.next();
        }
    }
}

void Verification::check_transactions() {
    std::optional<Gid> after;
    for (;;) {
        const auto page = log_.walk(after, page_rows);
        for (const StoredTransaction& transaction : page) {
            if (!transaction.damage.empty()) find(transaction.gid, transaction.damage);
            records_ += transaction.records.size();
        }
        transactions_ += page.size();
        if (progress_) progress_(transactions_);
        if (page.empty()) return;
        after = page.back().gid;
    }
}

bool Verification::has_records(const Snapshot& now, const Gid& gid) const {
    return now.get(log_.tables_.records, record_key(gid, 0)).has_value();
}

void Verification::check_business_keys() {
    for_each_row(log_.tables_.business_keys,
                 [&](const Snapshot& now, std::string_view key, std::string_view value) {
                     const BusinessEntry entry = to_business_entry(key, value);
                     const std::string name = "business key " + entry.key.code + " " +
                                              entry.key.id + " " +
                                              std::to_string(entry.key.attempt);
                     if (entry.damaged)
                         find(name + " fails its checksum");
                     else if (!has_records(now, entry.gid))
                         find(entry.gid, "is named by " + name + " and has no record 0");
                 });
}

void Verification::check_unfinished() {
    for_each_row(log_.tables_.unfinished,
                 [&](const Snapshot& now, std::string_view key, std::string_view value) {
                     const auto gid = to_gid(key);
                     const auto business = unseal(key, value);
                     if (!gid) return find("an entry of the unfinished index names no gid");
                     if (!business)
                         return find(*gid, "its entry in the unfinished index fails its checksum");
                     check_business(now, *gid, *business);
                 });
}

void Verification::check_finished() {
    for_each_row(log_.tables_.finished,
                 [&](const Snapshot& now, std::string_view key, std::string_view value) {
                     const auto finished = to_finished_key(key);
                     const auto business = unseal(key, value);
                     if (!finished) return find("an entry of the finished index names no gid");
                     const Gid& gid = finished->gid;
                     if (!business)
                         return find(gid, "its entry in the finished index fails its checksum");
                     if (now.get(log_.tables_.unfinished, bytes_of(gid)))
                         find(gid, "is both unfinished and finished");
                     check_business(now, gid, *business);
                 });
}

void Verification::check_lost() {
    for_each_row(log_.tables_.lost,
                 [&](const Snapshot&, std::string_view key, std::string_view value) {
                     if (unseal(key, value)) return;
                     const auto gid = to_gid(key.substr(0, sizeof(Gid)));
                     find((gid ? "lost transaction " + to_text(*gid) : "a lost transaction") +
                          ": a branch of it fails its checksum");
                 });
}

void Verification::check_business(const Snapshot& now,
                                  const Gid& gid,
                                  std::string_view business_key) {
    if (!has_records(now, gid)) find(gid, "is in an index and has no record 0");
    const auto value = now.get(log_.tables_.business_keys, business_key);
    if (!value) return find(gid, "its business key is not taken");
    const BusinessEntry entry = to_business_entry(business_key, *value);
    if (!entry.damaged && entry.gid != gid)
        find(gid, "its business key names transaction " + to_text(entry.gid));
}

// Each transaction has one business key and is in one of the two indexes. With what was checked of
// the rows, equal numbers prove that none is missing; while others write they need not be equal.
void Verification::check_counts(std::uint64_t commits_before) {
    const Snapshot now = log_.store_->snapshot();
    const std::size_t indexed =
        now.count(log_.tables_.unfinished) + now.count(log_.tables_.finished);
    const std::size_t keys = now.count(log_.tables_.business_keys);
    if (indexed != keys)
        find(std::to_string(keys) + " business keys, but " + std::to_string(indexed) +
             " transactions in the indexes");
    const std::size_t records = now.count(log_.tables_.records);
    if (findings_ > 0 || log_.store_->commits() != commits_before) return;
    if (indexed != transactions_)
        find(std::to_string(transactions_) + " transactions with records, but " +
             std::to_string(indexed) + " in the indexes");
    if (records != records_)
        find(std::to_string(records) + " rows of records, but " + std::to_string(records_) +
             " belong to a transaction");
}

}  // namespace twophase::wal
