// Setting a balance on top of the version that the caller has seen: the optimistic lock.
#pragma once

#include "participants/audit.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/credit/locks.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace twophase::participants::credit {

struct Adjustment {
    AccountName name;
    std::int64_t balance = 0;  // the new one, 0 to most_balance
    std::string reason;
    std::uint64_t seen_version = 0;
    std::optional<std::uint64_t> lock_token = {};
};

inline constexpr const char* concurrent_modification = "concurrent-modification";

struct Adjusted {
    std::optional<Refusal> refusal;
    std::optional<Account> account;  // as it is now, where there is one
};

/// The rule of an adjustment, inside one unit, audited. The difference becomes an entry, since the
/// entries are the truth. No difference changes nothing: no entry, no version, no audit.
class Adjustments {
public:
    /// All must outlive this.
    Adjustments(const Accounts& accounts, const Locks& locks, const Audit& audit)
        : accounts_(accounts), locks_(locks), audit_(audit) {}

    /// `entry` is the audit's, as far as the caller knows it.
    Adjusted adjust(wal::Unit& unit,
                    const Adjustment& adjustment,
                    AuditEntry entry,
                    const Moment& moment) const;

private:
    std::optional<Refusal> objection(const wal::Unit& unit,
                                     const Adjustment& wanted,
                                     const std::optional<Account>& account,
                                     const Moment& moment) const;

    const Accounts& accounts_;
    const Locks& locks_;
    const Audit& audit_;
};

}  // namespace twophase::participants::credit
