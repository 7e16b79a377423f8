// Credit accounts: balances, holds and the entries that are the truth about them.
#pragma once

#include "participants/resource.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants::credit {

inline constexpr std::int64_t most_amount = 1'000'000'000'000'000;   // 10^15
inline constexpr std::int64_t most_balance = 9'000'000'000'000'000;  // 9 * 10^15
inline constexpr const char* user_characters = "A-Za-z0-9_.:@-";     // of users and types

struct AccountName {
    std::string user_id;      // 1 to 128 of user_characters
    std::string credit_type;  // 1 to 64
};
/// The key of an account in each table of its own: user_id/credit_type, neither holds a slash.
std::string account_key(const AccountName& name);

struct Account {
    std::uint64_t account_id = 0;
    std::int64_t balance = 0;     // the sum of the entries
    std::int64_t frozen = 0;      // the sum of the holds for deductions
    std::int64_t incoming = 0;    // the sum of the holds for additions: room kept free
    std::uint64_t version = 1;    // raised by every change of balance or frozen
    std::int64_t created_at = 0;  // microseconds since 1970
    std::int64_t updated_at = 0;

    std::int64_t available() const { return balance - frozen; }
    std::int64_t room() const { return most_balance - balance - incoming; }

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.account_id);
        visit(self.balance);
        visit(self.frozen);
        visit(self.incoming);
        visit(self.version);
        visit(self.created_at);
        visit(self.updated_at);
    }
};

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
    }
};

/// A prepared branch's claim on an account.
struct Hold {
    bool is_addition = false;
    std::int64_t amount = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.is_addition);
        visit(self.amount);
    }
};

/// The account tables. Every function works inside one unit; none checks the business rules.
class Accounts {
public:
    explicit Accounts(const TableOf& table_of);
    /// Those of Locks too: what changes an account looks at its lock.
    static std::vector<std::string> tables();

    std::optional<Account> find(const wal::Unit& unit, const AccountName& name) const;
    std::optional<Account> find(const wal::Reader& reader, const AccountName& name) const;
    Account create(wal::Unit& unit, const AccountName& name, const Moment& moment) const;

    /// Changes the balance by the entry's amount and appends it; the entry's id and balance_after
    /// are filled in here. The account must have room, or funds.
    std::uint64_t post(wal::Unit& unit,
                       const AccountName& name,
                       Account& account,
                       Entry entry,
                       const Moment& moment) const;

    void hold(wal::Unit& unit,
              const AccountName& name,
              Account& account,
              std::string_view branch,
              const Hold& hold,
              const Moment& moment) const;
    /// Ends the branch's hold, which must be there. Raises no version: what follows does.
    Hold release(wal::Unit& unit,
                 const AccountName& name,
                 Account& account,
                 std::string_view branch) const;
    /// Stores the account as changed: version and updated_at.
    void save_changed(wal::Unit& unit,
                      const AccountName& name,
                      Account& account,
                      const Moment& moment) const;
    void save(wal::Unit& unit, const AccountName& name, const Account& account) const;

    struct EntryPage {
        std::vector<Entry> items;  // newest first
        std::optional<std::uint64_t> next;
    };
    EntryPage entries(const wal::Reader& reader,
                      const AccountName& name,
                      std::optional<std::uint64_t> before,
                      std::size_t limit) const;
    /// For checks: all holds of an account.
    std::vector<Hold> holds(const wal::Reader& reader, const AccountName& name) const;

private:
    wal::Table accounts_;
    wal::Table entries_;
    wal::Table holds_;
    wal::Table numbers_;
};

/// {"balance":…,"frozen_amount":…}, for the audit.
std::string state_of(const Account& account);

}  // namespace twophase::participants::credit
