// A transaction as its records tell it: the one fold, live, at recovery, and for reading history.
#pragma once

#include "coordinator/protocol/records.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace twophase::coordinator {

/// What is durably known of one branch.
struct FoldedBranch {
    BranchVote vote;
    std::optional<How> how;      // set once it ended
    std::optional<How> closing;  // a person ends it so, once it is compensated
    bool is_gone = false;        // by a person's word its participant won't be back
    SharedText result;           // of commit, execute or compensate; JSON text or empty
    std::uint32_t failed_attempts = 0;
    SharedText failure_code;  // the last failed delivery's
    SharedText failure_message;
};

/// The fold of one transaction's records.
struct Folded {
    Started started;  // also set by who submits it, before it is durable: see is_started
    std::vector<FoldedBranch> branches;  // as started.branches
    std::optional<Decision> decision;
    bool is_started = false;
    bool is_finished = false;
    std::uint32_t records = 0;  // folded so far
    Why why;
    std::vector<Resolved> resolved;

    /// Folds the next record. Empty, or what makes it impossible here: then nothing was changed
    /// and the transaction's records can't be trusted.
    std::string fold(const Record& record);

    /// Nothing is left to deliver to this branch: it ended, or the decision settled it.
    bool is_settled(BranchIndex branch) const;
    /// Every branch is settled, and none waits for a person.
    bool is_delivered() const;
    /// A person or a limit ended a branch, so that it may disagree with the decision.
    bool is_heuristic() const;
};

}  // namespace twophase::coordinator
