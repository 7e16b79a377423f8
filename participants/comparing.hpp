// What a participant tells a coordinator of its branches, to be held against the log, and what it
// reads from the answer.
#pragma once

#include "http/message.hpp"
#include "participants/branch.hpp"
#include "participants/finding.hpp"
#include "participants/messages.hpp"
#include "participants/resource.hpp"
#include "wal/environment.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace twophase::participants {

/// A part of the branches of one coordinator, in the order of gids.
struct BranchPage {
    struct Item {
        std::string gid;
        std::string branch_id;
        BranchState state = BranchState::prepared;
        bool is_ahead = false;  // of our clock
    };
    std::vector<Item> items;
    /// Gids of branches that no coordinator of ours can have minted, so that it can't be asked.
    std::vector<std::string> not_askable;
    std::string after;            // exclusive; empty: from the first
    std::string through;          // inclusive; empty: to the last
    std::string forgotten_up_to;  // what is not above it may have been forgotten here
    std::string low_water;        // what is below it was over when the coordinator last sent one
};

/// Looks at a bounded number of rows.
BranchPage branches_to_compare(const wal::Reader& reader,
                               const TableOf& table_of,
                               const std::string& coordinator,
                               const std::string& after,
                               const Moment& moment);

/// The body of POST /v1/comparisons. `former_names`: under which the log may know us too.
std::string comparison_body(const std::string& participant,
                            const std::set<std::string>& former_names,
                            const BranchPage& page);

/// What the coordinator says about a page.
struct Compared {
    std::vector<Finding> findings;
    std::string through;  // where it stopped before the page's end; empty: it compared all of it
    /// The coordinator has forgotten transactions that were not over when this store last heard of
    /// it. A store made out of a backup may lack them, and nobody can tell.
    bool has_forgotten_later_ones = false;
    /// Branches that ended under a log whose place this one took: nobody can compare them.
    std::size_t of_replaced_logs = 0;
    /// Branches of which the log can't say anything: their transaction can't be read there, or
    /// their gid isn't one of that coordinator's.
    std::size_t not_compared = 0;
};
/// Nothing, and `fault` says why, when it is no answer of this coordinator.
std::optional<Compared> read_comparison(const http::Response& response,
                                        const std::string& coordinator,
                                        const BranchPage& page,
                                        std::string& fault);

}  // namespace twophase::participants
