// The coordinator's write-ahead log: checksummed records by transaction, in one FIFO of group
// commits.
#pragma once

#include "wal/store.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::wal {

/// A transaction's id: 16 bytes, in time order.
using Gid = std::array<std::uint8_t, 16>;

/// What a client names its request with. code and id: 1 to 128 bytes each.
struct BusinessKey {
    std::string code;
    std::string id;
    std::uint32_t attempt = 1;
    friend bool operator==(const BusinessKey&, const BusinessKey&) = default;
};

struct BusinessEntry {
    BusinessKey key;
    Gid gid{};
    std::array<std::uint8_t, 32> fingerprint{};
    /// The stored entry fails its checksum: the key is taken, gid and fingerprint mean nothing.
    bool damaged = false;
};

/// One record to append. Its payload is opaque to the log.
struct Entry {
    Gid gid{};
    std::uint32_t n = 0;  // 0, 1, 2, ... within the transaction, given by the caller
    std::string payload;
    std::optional<BusinessEntry> starts;  // with n = 0: enters unfinished and business_keys
    bool is_kept = false;                 // with finishes: never forgotten
    bool finishes = false;                // leaves unfinished, enters the retention index
    bool settles = false;                 // its rows among the lost ones go
    const char* label = "";               // for crash points, a literal
};

/// One start of this log, or of one that it replaces, that may have minted ids.
struct LogStart {
    std::uint64_t epoch = 0;
    Token start;
    Token log;                   // whose start it was
    std::uint32_t tag = 0;       // stands in every id that it minted; of no other start here
    std::uint64_t from = 0;      // milliseconds since 1970: the lowest time part of those ids
    std::uint64_t began_at = 0;  // the position of its barrier; 0: not known
};

/// What is remembered of a participant's store, as its answers told.
struct SeenStore {
    Token store;
    std::uint64_t epoch = 0;
    Token start;
    std::uint64_t position = 0;
    friend bool operator==(const SeenStore&, const SeenStore&) = default;
};

/// A branch that a participant has of a transaction which this log lacks, or lacks the decision of.
struct LostBranch {
    Gid gid{};
    std::string participant;
    std::string branch_id;
    std::string state;  // prepared, committed, rolled_back, executed or compensated
    std::string operation;
    std::string business_code;  // both empty where the participant keeps no keys
    std::string business_id;
    friend bool operator==(const LostBranch&, const LostBranch&) = default;
};

/// One record as read back.
struct StoredRecord {
    std::uint32_t n = 0;
    std::string payload;
};

/// A transaction's records as read back. `damage` says what is wrong: a bad frame, a gap, nothing
/// at n = 0; records up to the damage are given.
struct StoredTransaction {
    Gid gid{};
    std::vector<StoredRecord> records;
    std::string damage;  // empty: whole
    bool is_finished = false;
};

struct LogOptions {
    StoreOptions store;  // kind and tables are filled in by Log
    std::chrono::seconds retention{7 * 24 * 3600};
};

/// The log. Open does what Store does; see there for ownership, fail-stop and threads.
class Log {
public:
    Log(LogOptions options, Post post);
    ~Log();

    Store& store();
    const Store& store() const;

    /// Appends entries as one atomic job. `then` runs on the loop once they are durable. Entries
    /// that start a transaction (n = 0, always with `starts`) are new work; records that follow a
    /// start that was refused are refused with it. A business key found taken, a record that is
    /// there already or one whose predecessor is missing ends the process: the caller keeps keys
    /// unique and counts. Pushes the "gid ceiling" (milliseconds) to `ceiling` when given.
    void append(std::vector<Entry> entries,
                Urgency urgency,
                std::function<void(Written)> then,
                std::optional<std::uint64_t> ceiling = std::nullopt);

    /// The highest gid that retention has removed. An unknown gid above it was never removed; one
    /// at or below it may have been. Nothing: nothing was ever removed.
    std::optional<Gid> forgotten_up_to() const;

    /// Every start that is still remembered, in the order of their epochs. Those are dropped whose
    /// ids are all forgotten, but for the last thousand.
    std::vector<LogStart> starts() const;
    /// Enters this start and pushes the ceiling: only then may it mint, or send.
    void begin(const LogStart& start, std::uint64_t ceiling, std::function<void(Written)> then);

    /// What is remembered of participants' stores, by participant.
    std::map<std::string, SeenStore> seen_stores() const;
    /// Shares the next batch: a crash may lose it.
    void remember(const std::string& participant, const SeenStore& seen);
    void forget_store(const std::string& participant, std::function<void(Written)> then);

    /// Writes down branches of lost transactions; those that are there are replaced.
    void note_lost(std::vector<LostBranch> branches, std::function<void(Written)> then);
    /// Drops what was written down of this transaction.
    void forget_lost(const Gid& gid);
    /// The branches of up to `limit` lost transactions above `after` (all: nothing), in gid order;
    /// those of one transaction together, and all of them. Damaged rows are left out: verify()
    /// tells.
    std::vector<LostBranch> lost(std::optional<Gid> after, std::size_t limit) const;
    std::vector<LostBranch> lost(const Gid& gid) const;
    /// The lost transactions under this business key, in gid order.
    std::vector<Gid> lost_under(std::string_view code, std::string_view id) const;
    /// The lowest gid that is lost and not settled.
    std::optional<Gid> lowest_lost() const;
    bool has_lost() const { return lowest_lost().has_value(); }

    /// Milliseconds since 1970 below which ids were minted by earlier starts.
    std::uint64_t gid_ceiling() const;

    /// Visits every unfinished transaction in gid order, with whatever is damaged. Used once, at
    /// start; costs what is unfinished, and memory for one at a time. Returns how many entries have
    /// a gid that can't be told: of a wrong size, or failing their checksum with no records under
    /// that gid.
    std::size_t each_unfinished(const std::function<void(const StoredTransaction&)>& visit) const;

    std::optional<StoredTransaction> read(const Gid& gid) const;

    /// The entry under exactly this key.
    std::optional<BusinessEntry> find(const BusinessKey& key) const;
    /// The entry with the highest attempt under this code and id.
    std::optional<BusinessEntry> find_last_attempt(std::string_view code,
                                                   std::string_view id) const;
    /// All attempts under this code and id, lowest first.
    std::vector<BusinessEntry> find_attempts(std::string_view code, std::string_view id) const;

    /// Up to `limit` transactions below `before` (all: nothing), newest first. One short snapshot.
    std::vector<StoredTransaction> list(std::optional<Gid> before, std::size_t limit) const;

    /// Up to `limit` transactions above `after` (all: nothing), oldest first: verify and export.
    std::vector<StoredTransaction> walk(std::optional<Gid> after, std::size_t limit) const;

    /// Forgets up to `limit` transactions that finished longer ago than the retention, by running
    /// seconds; records and key in one job. Damaged ones stay. `then` gets the number forgotten.
    void forget(std::size_t limit, std::function<void(std::size_t)> then);

    /// Checks every frame, index and key against each other; calls `report` with each finding, and
    /// `progress` with the transactions done so far now and then. Pages through short snapshots.
    void verify(const std::function<void(const std::string& finding)>& report,
                const std::function<void(std::size_t done)>& progress) const;

private:
    struct Tables {
        Table records, unfinished, business_keys, finished;
        Table starts, seen_stores, lost, lost_keys;
    };
    void write(Unit& unit, const Entry& entry) const;
    void start(Unit& unit, const Entry& entry) const;
    void finish(Unit& unit, const Gid& gid, bool is_kept) const;
    std::size_t forget_old(Unit& unit, std::size_t limit) const;
    bool forget_one(Unit& unit, std::string_view key, std::string_view value) const;
    void forget_starts(Unit& unit) const;
    void settle(Unit& unit, const Gid& gid) const;
    std::optional<StoredTransaction> read_from(const Snapshot& snapshot, const Gid& gid) const;
    friend class Verification;

    LogOptions options_;
    // Whose records to come are refused too. The writer's thread alone; a few in a life, as callers
    // look at the headroom before they submit.
    std::set<Gid> refused_starts_;
    std::unique_ptr<Store> store_;
    Tables tables_;
};

}  // namespace twophase::wal
