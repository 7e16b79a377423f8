// The entries of all accounts in the order in which they were made, each linked to the one before
// of its account. What is written lies side by side, whoever it is of: a batch of a hundred
// accounts' entries is a few pages, where a list for each account would be a hundred.
#pragma once

#include "participants/resource.hpp"
#include "participants/rows.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants::credit {

/// Stored as numbers: append only.
enum class EntryKind : std::uint8_t { grant = 1, deduct, add, compensation, adjustment };
const char* to_string(EntryKind kind);

/// One change of a balance, never altered.
struct Entry {
    std::uint64_t entry_id = 0;
    EntryKind kind = EntryKind::grant;
    std::int64_t amount = 0;  // signed
    std::int64_t balance_after = 0;
    std::string gid;  // empty for a direct call
    std::string branch_id;
    std::string business_code;
    std::string business_id;
    std::string reason;                   // a grant's, or why it was compensated
    std::uint64_t original_entry_id = 0;  // of a compensation
    std::int64_t created_at = 0;          // microseconds since 1970
    std::string account;                  // its key
    std::uint64_t previous = 0;           // of this account, in the ledger; 0: the first there

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.entry_id);
        visit(self.kind);
        visit(self.amount);
        visit(self.balance_after);
        visit(self.gid);
        visit(self.branch_id);
        visit(self.business_code);
        visit(self.business_id);
        visit(self.reason);
        visit(self.original_entry_id);
        visit(self.created_at);
        visit.newer(self.account);
        visit.newer(self.previous);
    }
};

/// Holds tables and nothing else, so any thread may use it. An earlier build kept a list for each
/// account (`entries`); those stay where they are, and are an account's oldest.
class Ledger {
public:
    explicit Ledger(const TableOf& table_of);
    static std::vector<std::string> tables() { return {"ledger", "entries"}; }

    /// Appends `entry`, whose id is the highest yet.
    void append(wal::Unit& unit, const Entry& entry) const;

    struct Page {
        std::vector<Entry> items;  // newest first
        std::optional<std::uint64_t> next;
    };
    /// The entries of `account` up to `last`, its newest in the ledger, and below `before`. Looks
    /// at a bounded number of others' where `before` is none of this account's, so a page may hold
    /// fewer than there are below `next`. Throws DamagedRecord.
    Page list(const wal::Reader& reader,
              std::string_view account,
              std::uint64_t last,
              std::optional<std::uint64_t> before,
              std::size_t limit) const;

    struct Sum {
        std::int64_t amount = 0;  // wraps around: damaged amounts may be anything
        std::size_t entries = 0;
    };
    /// Of all entries of `account`. Throws DamagedRecord, also where a link leads nowhere.
    Sum sum(const Rows& rows, std::string_view account, std::uint64_t last) const;

private:
    Entry linked(const Rows& rows, std::string_view account, std::uint64_t id) const;
    struct Start {
        std::uint64_t id = 0;               // of the first entry of a page; 0: none in the ledger
        std::optional<std::uint64_t> next;  // not found yet: look below this
    };
    Start start_below(const wal::Reader& reader,
                      std::string_view account,
                      std::uint64_t last,
                      std::uint64_t before) const;

    wal::Table ledger_;
    wal::Table earlier_;
};

}  // namespace twophase::participants::credit
