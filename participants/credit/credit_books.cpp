#include "participants/credit/credit_books.hpp"

#include "participants/branch_books.hpp"
#include "participants/record.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace twophase::participants::credit {
namespace {

constexpr std::size_t rows_in_page = 500;
// All entries of one account are read together, however many; then the page ends.
constexpr std::size_t most_rows_read = 5'000;
constexpr std::size_t most_rows_added_up = 10'000;
constexpr std::size_t accounts_in_page = 100'000;  // each page reads all that is in doubt once

AccountName name_in(std::string_view key) {
    const std::size_t slash = key.find('/');
    if (slash == std::string_view::npos) throw DamagedRecord(key);
    return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

Finding account_finding(const char* kind,
                        std::string_view key,
                        const Account& account,
                        std::int64_t recorded,
                        std::int64_t calculated) {
    Finding finding;
    finding.kind = kind;
    finding.subject = key;
    finding.account_id = std::to_string(account.account_id);
    finding.user_id = name_in(key).user_id;
    finding.recorded = recorded;
    finding.calculated = calculated;
    return finding;
}

bool may_be_set_to(const Account& account, std::int64_t balance) {
    return account.frozen >= 0 && account.incoming >= 0 && balance >= account.frozen &&
           balance <= most_balance - account.incoming;
}

}  // namespace

CreditBooks::CreditBooks(const TableOf& table_of)
    : table_(table_of("accounts")), accounts_(table_of), claims_(table_of) {}

std::vector<BooksWalk> CreditBooks::walks() const {
    return {{"accounts",
             [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
                 return check_accounts(reader, after);
             }},
            {"holds",
             [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
                 return check_held(reader, after);
             }}};
}

BooksPage CreditBooks::check_accounts(const wal::Reader& reader, const std::string& after) const {
    const Rows rows(reader);
    std::size_t rows_read = 0;
    const auto check = [&](std::string_view key,
                           std::string_view value,
                           std::vector<Finding>& findings) {
        const Account account = decode<Account>(key, value);
        Ledger::Sum sum;
        try {
            sum = accounts_.sum_of_entries(rows, key, account);
        } catch (const DamagedRecord& damage) {
            findings.push_back(account_finding("ledger", key, account, account.balance, 0));
            findings.back().text =
                std::string("its entries can't be followed to the first: ") + damage.what();
            return;
        }
        rows_read += sum.entries;
        if (account.balance == sum.amount) return;
        findings.push_back(account_finding("balance", key, account, account.balance, sum.amount));
        findings.back().rows = sum.entries;
    };
    BooksPage all;
    all.next = after;
    // An account a time, so that those with many entries end the page early.
    do {
        BooksPage one = walk_rows(reader, table_, "accounts", all.next, 1, check);
        all.checked += one.checked;
        std::ranges::move(one.findings, std::back_inserter(all.findings));
        all.next = std::move(one.next);
    } while (!all.next.empty() && all.checked < rows_in_page && rows_read < most_rows_read);
    return all;
}

BooksPage CreditBooks::check_held(const wal::Reader& reader, const std::string& after) const {
    const auto held = claims_.by_account(Rows(reader));
    const auto compare = [&](std::string_view key, const Account& account, auto& findings) {
        const auto found = held.find(key);
        const Held of_it = found == held.end() ? Held{} : found->second;
        if (account.frozen != of_it.deductions)
            findings.push_back(
                account_finding("frozen", key, account, account.frozen, of_it.deductions));
        if (account.incoming != of_it.additions)
            findings.push_back(
                account_finding("incoming", key, account, account.incoming, of_it.additions));
    };
    const auto check =
        [&](std::string_view key, std::string_view value, std::vector<Finding>& findings) {
            try {
                compare(key, decode<Account>(key, value), findings);
            } catch (const DamagedRecord&) {
                // check_accounts tells of it.
            }
        };
    return walk_rows(reader, table_, "accounts", after, accounts_in_page, check);
}

void CreditBooks::check_branch(const Rows& rows,
                               std::string_view key,
                               const Branch& branch,
                               std::vector<Finding>& findings) const {
    if (branch.state != BranchState::prepared) return;
    const Claim claim = claim_of(branch, key);
    const std::string account = account_key(claim.name);
    if (rows.get(table_, account)) return;
    Finding finding;
    finding.kind = "branch_without_account";
    finding.subject = std::string(key);
    finding.account_id = account;
    finding.user_id = claim.name.user_id;
    std::tie(finding.gid, finding.branch_id) = split_branch_key(key);
    finding.calculated = claim.hold.amount;
    finding.text = "a prepared branch holds credits of an account that isn't there";
    findings.push_back(std::move(finding));
}

Books::Second CreditBooks::look_again(wal::Unit& unit,
                                      Finding& finding,
                                      std::int64_t correct_below,
                                      const Moment& moment) const {
    if (finding.kind != "balance") return {};
    // Balance and entries were read in one snapshot: it is so. Only to put it right they are added
    // up once more, while all others wait.
    if (finding.rows > most_rows_added_up) return {};
    auto account = read<Account>(unit, table_, finding.subject);
    if (!account) return {.is_still_so = false};
    const Ledger::Sum sum = accounts_.sum_of_entries(Rows(unit), finding.subject, *account);
    finding.recorded = account->balance;
    finding.calculated = sum.amount;
    if (finding.recorded == finding.calculated) return {.is_still_so = false};
    const bool is_small =
        finding.difference() > -correct_below && finding.difference() < correct_below;
    if (!is_small || !may_be_set_to(*account, sum.amount)) return {};
    Second second{.is_corrected = true};
    second.correction.user_id = finding.user_id;
    second.correction.amount = -finding.difference();
    second.correction.before_state = state_of(*account);
    account->balance = sum.amount;
    accounts_.save_changed(unit, name_in(finding.subject), *account, moment);
    second.correction.after_state = state_of(*account);
    return second;
}

}  // namespace twophase::participants::credit
