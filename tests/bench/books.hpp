// The books before and after each round: as many points deducted as coupons were issued and as
// exchanges were told to have been carried out, or the round does not count.
#pragma once

#include "tests/bench/exchange.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <string>

namespace twophase::bench {

/// What both participants hold, all users and templates together.
struct Books {
    std::int64_t deducted = 0;        // points of the exchanges' users
    std::int64_t deducted_alone = 0;  // points of the account that the locks are about
    std::int64_t issued = 0;          // coupons
    std::int64_t held = 0;            // frozen points and reserved coupons
};

/// Makes accounts and templates, where they are missing.
void open_books(boost::asio::io_context& io, Exchanges& exchanges);

Books read_books(boost::asio::io_context& io, Exchanges& exchanges);

/// Waits until nothing is under way in the coordinator; throws when that takes a minute.
void wait_until_quiet(boost::asio::io_context& io, Exchanges& exchanges);

/// What disagrees between the books and what clients were told, since `before`; empty when all is
/// well. `committed` and `deducted_alone`: told since then.
std::string disagreement(const Books& before,
                         const Books& after,
                         std::size_t committed,
                         std::int64_t deducted_alone);

}  // namespace twophase::bench
