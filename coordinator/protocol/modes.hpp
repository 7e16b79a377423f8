// The table of the modes: what each asks first, and what a decision leaves to be delivered. All
// else is the same for every mode.
#pragma once

#include "coordinator/protocol/records.hpp"

#include <optional>

namespace twophase::coordinator {

/// What the first phase asks its branches.
Verb asking_verb(Mode mode);

/// Whether the first phase asks this branch: in `eventual` the first one alone, the key operation.
bool is_in_first_phase(Mode mode, BranchIndex branch);

/// Whether this answer to the first phase's question is a yes.
bool is_yes(Mode mode, Vote vote);

/// Presumed abort: what the log doesn't know was rolled back. Where branches execute in the first
/// phase nothing may be presumed: the start is durable before the first of them, and the rollback
/// before it is told.
bool is_presumed(Mode mode);

/// What `decision` leaves to tell a branch that gave this vote; nothing where that settles it.
std::optional<Verb> delivery(Mode mode, Decision decision, BranchIndex branch, Vote vote);

/// How a branch has ended that acknowledged `verb`.
How how_of(Verb verb);

/// The tries of a delivery that may fail before a person is asked, and the time between them.
std::uint32_t tries_of(const BranchRequest& branch);
std::uint64_t retry_delay_milliseconds(const BranchRequest& branch);

/// `step` comes after `other` and its payload names a result of it.
bool uses_result(const BranchRequest& step, const BranchRequest& other);

}  // namespace twophase::coordinator
