// The books of all three programs, compared from outside over HTTP with what clients were told.
#pragma once

#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace twophase::faults {

inline constexpr std::int64_t points_granted = 1'000'000'000;

/// Accounts with points for the load's users, one without, and a template with ample stock.
void open_books(Fleet& fleet);

struct Outcomes {
    std::size_t commits = 0;
    std::size_t rollbacks = 0;
};

/// Waits until nothing is unfinished or in doubt anywhere; a test failure after `limit`.
void expect_quiet(Fleet& fleet, std::chrono::milliseconds limit);

/// Asks for every exchange once more and compares: one gid and one decision for each, ever; as
/// many deductions as coupons, gid by gid and price by price; nothing frozen, reserved or in doubt.
/// `settled` are gids that an earlier comparison accounted for; those of this one are added.
Outcomes expect_books_agree(Fleet& fleet,
                            const std::map<std::string, Exchange>& exchanges,
                            std::set<std::string>& settled);
Outcomes expect_books_agree(Fleet& fleet, const std::map<std::string, Exchange>& exchanges);

}  // namespace twophase::faults
