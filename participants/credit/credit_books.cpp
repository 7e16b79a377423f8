#include "participants/credit/credit_books.hpp"

#include "participants/branch_books.hpp"
#include "participants/credit/credit_resource.hpp"
#include "participants/record.hpp"

#include <algorithm>
#include <utility>

namespace twophase::participants::credit {
namespace {

constexpr std::size_t rows_in_page = 500;
// Entries and holds of one account are read together, however many; then the page ends.
constexpr std::size_t most_rows_read = 5'000;

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

Finding branch_finding(const char* kind,
                       std::string_view branch,
                       std::string_view account,
                       std::int64_t recorded,
                       std::int64_t calculated,
                       std::string text) {
    Finding finding;
    finding.kind = kind;
    finding.subject = std::string(account).append("/").append(branch);
    finding.account_id = account;
    finding.user_id = account.substr(0, account.find('/'));
    std::tie(finding.gid, finding.branch_id) = split_branch_key(branch);
    finding.recorded = recorded;
    finding.calculated = calculated;
    finding.text = std::move(text);
    return finding;
}

/// Wraps around instead of overflowing: damaged amounts may be anything.
void add(std::int64_t& sum, std::int64_t amount) {
    sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) +
                                    static_cast<std::uint64_t>(amount));
}

struct Sums {
    std::int64_t entries = 0;
    std::int64_t deductions = 0;  // held
    std::int64_t additions = 0;   // held
    std::size_t rows = 0;
};

Sums sums_of(const Rows& rows, wal::Table entries, wal::Table holds, std::string_view account) {
    Sums sums;
    const std::string prefix = std::string(account) + "/";
    rows.scan(entries, prefix, end_of(prefix), [&](std::string_view key, std::string_view value) {
        add(sums.entries, decode<Entry>(key, value).amount);
        ++sums.rows;
        return true;
    });
    rows.scan(holds, prefix, end_of(prefix), [&](std::string_view key, std::string_view value) {
        const Hold hold = decode<Hold>(key, value);
        add(hold.is_addition ? sums.additions : sums.deductions, hold.amount);
        ++sums.rows;
        return true;
    });
    return sums;
}

bool may_be_set_to(const Account& account, std::int64_t balance) {
    return account.frozen >= 0 && account.incoming >= 0 && balance >= account.frozen &&
           balance <= most_balance - account.incoming;
}

}  // namespace

CreditBooks::CreditBooks(const TableOf& table_of)
    : accounts_(table_of("accounts")),
      entries_(table_of("entries")),
      holds_(table_of("holds")),
      branches_(table_of("branches")),
      writing_(table_of) {}

std::vector<BooksWalk> CreditBooks::walks() const {
    return {{"accounts",
             [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
                 return check_accounts(reader, after);
             }},
            {"holds",
             [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
                 return check_holds(reader, after);
             }}};
}

BooksPage CreditBooks::check_accounts(const wal::Reader& reader, const std::string& after) const {
    const Rows rows(reader);
    std::size_t rows_read = 0;
    BooksPage all;
    all.next = after;
    // An account a time, so that those with many entries end the page early.
    do {
        BooksPage one = walk_rows(
            reader,
            accounts_,
            "accounts",
            all.next,
            1,
            [&](std::string_view key, std::string_view value, std::vector<Finding>& findings) {
                check_account(rows, key, decode<Account>(key, value), rows_read, findings);
            });
        all.checked += one.checked;
        std::ranges::move(one.findings, std::back_inserter(all.findings));
        all.next = std::move(one.next);
    } while (!all.next.empty() && all.checked < rows_in_page && rows_read < most_rows_read);
    return all;
}

void CreditBooks::check_account(const Rows& rows,
                                std::string_view key,
                                const Account& account,
                                std::size_t& rows_read,
                                std::vector<Finding>& findings) const {
    const Sums sums = sums_of(rows, entries_, holds_, key);
    rows_read += sums.rows;
    if (account.balance != sums.entries)
        findings.push_back(account_finding("balance", key, account, account.balance, sums.entries));
    if (account.frozen != sums.deductions)
        findings.push_back(
            account_finding("frozen", key, account, account.frozen, sums.deductions));
    if (account.incoming != sums.additions)
        findings.push_back(
            account_finding("incoming", key, account, account.incoming, sums.additions));
}

BooksPage CreditBooks::check_holds(const wal::Reader& reader, const std::string& after) const {
    const Rows rows(reader);
    return walk_rows(
        reader,
        holds_,
        "holds",
        after,
        rows_in_page,
        [&](std::string_view key, std::string_view value, std::vector<Finding>& findings) {
            const Hold hold = decode<Hold>(key, value);
            // user/type/gid/branch
            const std::size_t slash = key.find('/', key.find('/') + 1);
            if (slash == std::string_view::npos) throw DamagedRecord(key);
            const std::string_view branch_name = key.substr(slash + 1);
            const auto branch = read<Branch>(rows, branches_, branch_name);
            if (!branch || branch->state != BranchState::prepared)
                findings.push_back(branch_finding("hold_without_branch",
                                                  branch_name,
                                                  key.substr(0, slash),
                                                  hold.amount,
                                                  0,
                                                  "credits are held for a branch that is not "
                                                  "prepared"));
        });
}

void CreditBooks::check_branch(const Rows& rows,
                               std::string_view key,
                               const Branch& branch,
                               std::vector<Finding>& findings) const {
    if (branch.state != BranchState::prepared) return;
    const Claim claim = claim_of(branch, key);
    const std::string account = account_key(claim.name);
    const auto hold = read<Hold>(rows, holds_, account + "/" + std::string(key));
    const std::int64_t held = hold && hold->is_addition == claim.is_addition ? hold->amount : 0;
    if (held != claim.amount)
        findings.push_back(branch_finding("branch_without_hold",
                                          key,
                                          account,
                                          held,
                                          claim.amount,
                                          "a prepared branch doesn't hold what it promised"));
}

Books::Second CreditBooks::look_again(wal::Unit& unit,
                                      Finding& finding,
                                      std::int64_t correct_below,
                                      const Moment& moment) const {
    if (finding.kind != "balance") return {};
    auto account = read<Account>(unit, accounts_, finding.subject);
    if (!account) return {.is_still_so = false};
    const Sums sums = sums_of(Rows(unit), entries_, holds_, finding.subject);
    finding.recorded = account->balance;
    finding.calculated = sums.entries;
    if (finding.recorded == finding.calculated) return {.is_still_so = false};
    const bool is_small =
        finding.difference() > -correct_below && finding.difference() < correct_below;
    if (!is_small || !may_be_set_to(*account, sums.entries)) return {};
    Second second{.is_corrected = true};
    second.correction.user_id = finding.user_id;
    second.correction.amount = -finding.difference();
    second.correction.before_state = state_of(*account);
    account->balance = sums.entries;
    writing_.save_changed(unit, name_in(finding.subject), *account, moment);
    second.correction.after_state = state_of(*account);
    return second;
}

}  // namespace twophase::participants::credit
