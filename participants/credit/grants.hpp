// Granting credits by a direct call: idempotent by its business code and id.
#pragma once

#include "participants/audit.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/credit/locks.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace twophase::participants::credit {

struct Grant {
    AccountName name;
    std::int64_t amount = 0;
    std::string business_code;
    std::string business_id;
    std::string reason;
    std::string canonical;  // the request as canonical JSON, to tell a repeat from another one
    std::optional<std::uint64_t> lock_token = {};
};

struct Granted {
    std::optional<Refusal> refusal;
    Account account;
    std::uint64_t entry_id = 0;
    bool is_repeat = false;
};

/// The rule of a grant, inside one unit, audited.
class Grants {
public:
    /// All but `table_of` must outlive this.
    Grants(const Accounts& accounts,
           const Locks& locks,
           const Audit& audit,
           const TableOf& table_of)
        : accounts_(accounts), locks_(locks), audit_(audit), calls_(table_of("direct_calls")) {}

    /// `entry` is the audit's, as far as the caller knows it.
    Granted grant(wal::Unit& unit,
                  const Grant& grant,
                  AuditEntry entry,
                  const Moment& moment) const;

private:
    Granted first(wal::Unit& unit,
                  const Grant& grant,
                  std::optional<Account> account,
                  AuditEntry& entry,
                  const Moment& moment) const;

    const Accounts& accounts_;
    const Locks& locks_;
    const Audit& audit_;
    wal::Table calls_;
};

}  // namespace twophase::participants::credit
