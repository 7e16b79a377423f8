// Credit accounts: balances, what is held of them, and the entries that are the truth about them.
#pragma once

#include "participants/credit/ledger.hpp"
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
    std::uint64_t version = 1;    // raised by every change of balance or frozen; see Unit
    std::int64_t created_at = 0;  // microseconds since 1970
    std::int64_t updated_at = 0;
    std::uint64_t last_entry = 0;  // in the ledger; 0: none there

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
        visit.newer(self.last_entry);
    }
};

/// A prepared branch's claim on an account. Its branch tells it (claims.hpp); nothing else is kept.
struct Hold {
    bool is_addition = false;
    std::int64_t amount = 0;
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
              const Hold& hold,
              const Moment& moment) const;
    /// Ends a hold. Stores nothing and raises no version: what follows does.
    static void release(Account& account, const Hold& hold);
    /// Stores the account as changed: version and updated_at.
    void save_changed(wal::Unit& unit,
                      const AccountName& name,
                      Account& account,
                      const Moment& moment) const;
    void save(wal::Unit& unit, const AccountName& name, const Account& account) const;

    /// None of an account that isn't there.
    Ledger::Page entries(const wal::Reader& reader,
                         const AccountName& name,
                         std::optional<std::uint64_t> before,
                         std::size_t limit) const;
    /// For checks: of all entries of `account`, whose key `key` is.
    Ledger::Sum sum_of_entries(const Rows& rows,
                               std::string_view key,
                               const Account& account) const;

private:
    wal::Table accounts_;
    wal::Table numbers_;
    Ledger ledger_;
};

/// {"balance":…,"frozen_amount":…}, for the audit.
std::string state_of(const Account& account);

}  // namespace twophase::participants::credit
