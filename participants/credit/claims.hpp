// What prepared branches hold of accounts. A branch's own row tells it: a second one beside it
// could only disagree.
#pragma once

#include "participants/branch.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/resource.hpp"
#include "participants/rows.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace twophase::participants::credit {

/// What a branch's payload asks for. Throws DamagedRecord where it can't be what was taken.
struct Claim {
    AccountName name;
    Hold hold;
};
Claim claim_of(const Branch& branch, std::string_view key);

/// The sums of the holds of one account; they wrap around, as damaged amounts may be anything.
struct Held {
    std::int64_t deductions = 0;
    std::int64_t additions = 0;
};

/// For checks. Holds tables and nothing else, so any thread may use it.
class Claims {
public:
    explicit Claims(const TableOf& table_of);

    /// By account key: of all branches that are in doubt, but for what is damaged.
    std::map<std::string, Held, std::less<>> by_account(const Rows& rows) const;

private:
    wal::Table branches_;
    wal::Table in_doubt_;
};

}  // namespace twophase::participants::credit
