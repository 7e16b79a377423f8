// What a kind of participant can check of its own books: the part of a reconciliation that credit
// and coupon write themselves.
#pragma once

#include "participants/branch.hpp"
#include "participants/finding.hpp"
#include "participants/resource.hpp"
#include "participants/rows.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants {

/// What one step of a walk looked at.
struct BooksPage {
    std::size_t checked = 0;
    std::vector<Finding> findings;
    std::string next;  // a cursor for `after`; empty: that was all
};

/// A walk through one table, page by page. A page is read from one snapshot, and what belongs
/// together is read in one page, so that writes between two pages or during one can't look like a
/// difference.
struct BooksWalk {
    const char* what;  // "accounts", ...: of the report
    std::function<BooksPage(const wal::Reader&, const std::string& after, const std::stop_token&)>
        step;
};

/// Holds tables and nothing else, so any thread may use it.
class Books {
public:
    virtual ~Books() = default;

    virtual std::vector<BooksWalk> walks() const = 0;

    /// What a branch claims, against what is there for it: adds what is missing to `findings`.
    virtual void check_branch(const Rows& rows,
                              std::string_view key,
                              const Branch& branch,
                              std::vector<Finding>& findings) const = 0;

    /// What came of the second look.
    struct Second {
        bool is_still_so = true;
        bool is_corrected = false;
        Change correction;  // what the audit tells of it
    };
    /// Looks again at a finding of this kind inside the writer's unit, where nothing changes
    /// meanwhile: brings `finding` up to date, and puts right what differs by less than
    /// `correct_below` and may be put right.
    virtual Second look_again(wal::Unit& unit,
                              Finding& finding,
                              std::int64_t correct_below,
                              const Moment& moment) const = 0;
};

/// A record that isn't what was written.
Finding damaged_record(std::string_view table, std::string_view key);

}  // namespace twophase::participants
