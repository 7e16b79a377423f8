// Granting and deducting credits by a direct call: once per operation, business code and id.
#pragma once

#include "participants/audit.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/credit/locks.hpp"
#include "participants/direct_calls.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace twophase::participants::credit {

struct Posting {
    EntryKind kind = EntryKind::grant;  // or deduct; its name is the operation's
    AccountName name;
    std::int64_t amount = 0;  // 1 to most_amount, also of a deduction
    std::string business_code;
    std::string business_id;
    std::string reason;
    std::string canonical;  // the request as canonical JSON, to tell a repeat from another one
    std::optional<std::uint64_t> lock_token = {};
};

struct Posted {
    std::optional<Refusal> refusal;
    Account account;
    std::uint64_t entry_id = 0;
    bool is_repeat = false;
};

/// The rule of a posting, inside one unit, audited.
class Postings {
public:
    /// All but `table_of` must outlive this.
    Postings(const Accounts& accounts,
             const Locks& locks,
             const Audit& audit,
             const TableOf& table_of)
        : accounts_(accounts), locks_(locks), audit_(audit), calls_(table_of) {}

    /// `entry` is the audit's, as far as the caller knows it.
    Posted carry_out(wal::Unit& unit,
                     const Posting& posting,
                     AuditEntry entry,
                     const Moment& moment) const;

private:
    Posted first(wal::Unit& unit,
                 const Posting& posting,
                 std::optional<Account> account,
                 AuditEntry& entry,
                 const Moment& moment) const;
    std::optional<Refusal> objection(const wal::Unit& unit,
                                     const Posting& posting,
                                     const Account& account,
                                     const Moment& moment) const;

    const Accounts& accounts_;
    const Locks& locks_;
    const Audit& audit_;
    DirectCalls calls_;
};

}  // namespace twophase::participants::credit
