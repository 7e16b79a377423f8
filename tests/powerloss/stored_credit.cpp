// Credit's own tables: what an account says of itself against its entries and branches.
#include "participants/credit/accounts.hpp"
#include "participants/credit/claims.hpp"
#include "participants/credit/credit.hpp"
#include "participants/record.hpp"
#include "tests/powerloss/stored_books.hpp"
#include "tests/powerloss/stored_branches.hpp"

#include <limits>

namespace twophase::powerloss {
namespace {

using namespace participants;
using namespace participants::credit;

AccountName name_in(std::string_view key) {
    const std::size_t slash = key.find('/');
    return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

/// Counts of what belongs to a branch, to compare with the branches.
struct Counts {
    std::size_t deductions = 0;
};

std::string fault_of_account(const Contents& contents,
                             const Accounts& accounts,
                             const AccountName& name,
                             Counts& counts) {
    const auto account = accounts.find(contents.reader, name);
    std::int64_t balance = 0, frozen = 0, incoming = 0;
    constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
    for (const Entry& entry : accounts.entries(contents.reader, name, std::nullopt, all).items) {
        balance += entry.amount;
        if (entry.kind != EntryKind::deduct) continue;
        ++counts.deductions;
        const auto branch = contents.branches.find(branch_key(entry.gid, entry.branch_id));
        if (branch == contents.branches.end() || branch->second.state != BranchState::committed)
            return "a deduction without a committed branch: " + entry.gid;
    }
    for (const auto& [key, branch] : contents.branches) {
        if (branch.state != BranchState::prepared) continue;
        const Claim claim = claim_of(branch, key);
        if (account_key(claim.name) != account_key(name)) continue;
        (claim.hold.is_addition ? incoming : frozen) += claim.hold.amount;
    }
    if (account->balance != balance) return "the balance is not the sum of the entries";
    if (account->frozen != frozen) return "what is frozen is not the sum of the holds";
    if (account->incoming != incoming) return "incoming is not the sum of the holds";
    return {};
}

std::string fault_of(const Contents& contents) {
    const Accounts accounts(contents.table_of);
    Counts counts;
    std::string fault;
    for_each_row(contents.reader,
                 contents.table_of("accounts"),
                 [&](std::string_view key, std::string_view) {
                     const auto found = fault_of_account(contents, accounts, name_in(key), counts);
                     if (!found.empty()) fault += std::string(key) + ": " + found + "; ";
                 });
    Counts wanted;
    for (const auto& [key, branch] : contents.branches) {
        if (branch.is_tombstone()) continue;
        wanted.deductions += branch.state == BranchState::committed;
    }
    if (counts.deductions != wanted.deductions) fault += "committed and not deducted; ";
    return fault;
}

}  // namespace

BranchBooks read_credit(const std::filesystem::path& store) {
    return read_branches(store, "credit", CreditKind().tables(), fault_of);
}

}  // namespace twophase::powerloss
