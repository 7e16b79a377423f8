// A reconciliation on the table bench: the look around, and the second look at what it found.
#pragma once

#include "participants/branch_books.hpp"
#include "participants/second_look.hpp"
#include "tests/participants/bench.hpp"

#include <functional>
#include <iterator>
#include <stop_token>
#include <string>
#include <vector>

namespace twophase::participants::testing {

class BenchReconciliation {
public:
    /// `branches` and `kind` must outlive this.
    BenchReconciliation(OpenStore& store,
                        const Branches& branches,
                        const Books& kind,
                        std::int64_t correct_below = 100)
        : store_(store),
          books_(store.table_of(), &kind),
          second_({.participant = "here", .correct_below = correct_below},
                  store.table_of(),
                  branches.audit(),
                  &kind) {}

    /// Calls `between` after each page; how many pages there were goes to `pages`.
    std::vector<Finding> look(const std::function<void()>& between = [] {}) {
        std::vector<Finding> all;
        for (const BooksWalk& walk : books_.walks()) {
            std::string after;
            do {
                BooksPage page = walk.step(store_.batch(), after, std::stop_token());
                std::ranges::move(page.findings, std::back_inserter(all));
                after = page.next;
                ++pages;
                between();
            } while (!after.empty());
        }
        return all;
    }

    /// What is still so.
    std::vector<Finding> settle(std::vector<Finding> findings, const Moment& moment) {
        std::vector<Finding> kept;
        for (Finding& finding : findings)
            if (store_.in_unit(
                    [&](wal::Unit& unit) { return second_.settle(unit, finding, moment); }))
                kept.push_back(finding);
        return kept;
    }

    std::size_t pages = 0;

private:
    OpenStore& store_;
    BranchBooks books_;
    SecondLook second_;
};

/// "balance ann/points 199 100", in the order of the findings.
inline std::vector<std::string> short_texts(const std::vector<Finding>& findings) {
    std::vector<std::string> texts;
    for (const Finding& finding : findings)
        texts.push_back(finding.kind + " " + finding.subject + " " +
                        std::to_string(finding.recorded) + " " +
                        std::to_string(finding.calculated));
    return texts;
}

}  // namespace twophase::participants::testing
