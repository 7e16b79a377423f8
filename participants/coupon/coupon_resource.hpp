// What coupon does in a branch: reserve one from the stock and issue it.
#pragma once

#include "participants/coupon/stock.hpp"
#include "participants/resource.hpp"

#include <functional>
#include <string>
#include <utility>

namespace twophase::participants::coupon {

/// Gives a new coupon code.
using MakeCode = std::function<std::string(const Moment&)>;

/// A ULID (github.com/ulid/spec): 26 characters of Crockford's base32, the first ten a time in
/// milliseconds, so that the coupons of one batch lie side by side; the rest 80 bits of the
/// kernel's randomness, so that nobody can guess one. Any thread.
std::string new_code(const Moment& moment);

/// `create_coupon` {template_id, user_id}.
class CouponResource : public Resource {
public:
    CouponResource(const TableOf& table_of, MakeCode make_code)
        : stock_(table_of), make_code_(std::move(make_code)) {}

    Step prepare(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step commit(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step rollback(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step execute(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step compensate(wal::Unit& unit, const Work& work, const Moment& moment) override;
    std::string note_of(const Rows& rows,
                        const Work& work,
                        const std::string& result) const override;

    const Stock& stock() const { return stock_; }

private:
    /// prepare and execute differ only in what the new coupon is.
    Step take(wal::Unit& unit, const Work& work, const Moment& moment, CouponState state) const;
    /// rollback and compensate alike.
    Step give_back(wal::Unit& unit, const Work& work, const Moment& moment) const;

    Stock stock_;
    MakeCode make_code_;
};

}  // namespace twophase::participants::coupon
