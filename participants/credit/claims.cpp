#include "participants/credit/claims.hpp"

#include "participants/record.hpp"

namespace twophase::participants::credit {
namespace {

void add(std::int64_t& sum, std::int64_t amount) {
    sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) +
                                    static_cast<std::uint64_t>(amount));
}

}  // namespace

Claims::Claims(const TableOf& table_of)
    : branches_(table_of("branches")), in_doubt_(table_of("in_doubt")) {}

std::map<std::string, Held, std::less<>> Claims::by_account(const Rows& rows) const {
    std::map<std::string, Held, std::less<>> held;
    rows.scan(in_doubt_, "", "", [&](std::string_view key, std::string_view) {
        try {
            const auto branch = read<Branch>(rows, branches_, key);
            if (!branch || branch->state != BranchState::prepared) return true;
            const Claim claim = claim_of(*branch, key);
            Held& account = held[account_key(claim.name)];
            add(claim.hold.is_addition ? account.additions : account.deductions, claim.hold.amount);
        } catch (const DamagedRecord&) {
            // The walk through the branches tells of it.
        }
        return true;
    });
    return held;
}

}  // namespace twophase::participants::credit
