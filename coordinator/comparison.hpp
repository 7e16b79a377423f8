// A participant's branches held against what the log tells of its transactions: the rule alone.
#pragma once

#include "coordinator/protocol/folded.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace twophase::coordinator {

/// A branch as its participant has it: prepared, committed, rolled_back, executed or compensated.
struct ListedBranch {
    Gid gid{};
    std::string branch_id;
    std::string state;
};

/// What the log tells of one transaction, as far as a participant can be held to it.
struct LoggedTransaction {
    enum class Kind {
        open,       // live, unfinished or unreadable: nobody can be held to it
        over,       // finished: `branches` says how
        forgotten,  // not there, and it may have been
        never,      // not there, and it never was: minted here, and nothing was decided
        replaced,   // not there: of a log whose place this one took
    };
    Kind kind = Kind::open;
    struct Branch {
        std::string participant;
        std::string expected;  // the state that its participant acknowledged; empty: any will do
        /// A person has ended it, and this was decided: its participant must not have the other.
        std::optional<Decision> decided = std::nullopt;
    };
    std::map<std::string, Branch> branches;  // by branch_id
    /// Of a lost transaction that a person settled, whose branches nobody knows: what was said.
    std::optional<Decision> settled_by_hand;
};
/// Of a transaction that is read back whole and is not live.
LoggedTransaction logged(const Folded& folded);

struct Contradiction {
    std::string kind;  // "unknown", "missing", "different" or "doubled"
    Gid gid{};
    std::string branch_id;
    std::string recorded_state;  // the participant's
    std::string expected_state;  // the log's
    friend bool operator==(const Contradiction&, const Contradiction&) = default;
};

/// Holds the branches of a participant, under any of its `names`, against the transactions of the
/// same range of gids. Every gid of `listed` is in `log`. The participant has forgotten
/// transactions up to `forgotten_up_to`: what it doesn't list of those is not missing.
///
/// The list was read before the log, so a branch may have moved on since: who reports what comes
/// from here first looks again at the branch. That is simpler than a mark up to which both sides
/// agree, and right for `missing` too: a participant that acknowledged an end before the log had it
/// sees it at its second look.
std::vector<Contradiction> compare(const std::set<std::string>& names,
                                   const std::vector<ListedBranch>& listed,
                                   const std::map<Gid, LoggedTransaction>& log,
                                   const std::optional<Gid>& forgotten_up_to);

}  // namespace twophase::coordinator
