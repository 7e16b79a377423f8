// Credit's own checks: balances against entries, what is held against the prepared branches.
#pragma once

#include "participants/books.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/credit/claims.hpp"

namespace twophase::participants::credit {

class CreditBooks : public Books {
public:
    explicit CreditBooks(const TableOf& table_of);

    std::vector<BooksWalk> walks() const override;
    void check_branch(const Rows& rows,
                      std::string_view key,
                      const Branch& branch,
                      std::vector<Finding>& findings) const override;
    /// Only a balance is ever put right, and never below what is frozen.
    Second look_again(wal::Unit& unit,
                      Finding& finding,
                      std::int64_t correct_below,
                      const Moment& moment) const override;

private:
    BooksPage check_accounts(const wal::Reader& reader, const std::string& after) const;
    BooksPage check_held(const wal::Reader& reader, const std::string& after) const;

    wal::Table table_;  // of the accounts
    Accounts accounts_;
    Claims claims_;
};

}  // namespace twophase::participants::credit
