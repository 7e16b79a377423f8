// Coupon's own checks: stock against coupons, coupons against what made them.
#pragma once

#include "participants/books.hpp"
#include "participants/coupon/stock.hpp"

namespace twophase::participants::coupon {

/// Puts nothing right by itself: a coupon more or less is for a person to judge.
class CouponBooks : public Books {
public:
    explicit CouponBooks(const TableOf& table_of);

    std::vector<BooksWalk> walks() const override;
    void check_branch(const Rows& rows,
                      std::string_view key,
                      const Branch& branch,
                      std::vector<Finding>& findings) const override;
    Second look_again(wal::Unit&, Finding&, std::int64_t, const Moment&) const override {
        return {};
    }

private:
    /// Counters change with every coupon, so all coupons are counted in the templates' snapshot.
    BooksPage check_templates(const wal::Reader& reader,
                              const std::string& after,
                              const std::stop_token& stop) const;
    BooksPage check_coupons(const wal::Reader& reader, const std::string& after) const;
    BooksPage check_issued(const wal::Reader& reader, const std::string& after) const;
    BooksPage check_direct(const wal::Reader& reader, const std::stop_token& stop) const;
    void check_coupon(const Rows& rows,
                      std::string_view code,
                      const Coupon& coupon,
                      const std::string& forgotten_up_to,
                      std::vector<Finding>& findings) const;
    std::string forgotten_up_to(const Rows& rows) const;

    wal::Table templates_;
    wal::Table coupons_;
    wal::Table issued_;
    wal::Table branches_;
    wal::Table coordinators_;
    wal::Table operations_;
    Stock stock_;
};

}  // namespace twophase::participants::coupon
