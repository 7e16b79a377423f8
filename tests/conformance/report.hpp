// The outcomes for people and for programs.
#pragma once

#include "tests/conformance/run.hpp"

#include <ostream>
#include <vector>

namespace twophase::conformance {

/// Writes a line a check while they run.
Watcher progress_on(std::ostream& out);

/// Each breach in full, then the sums.
void write_report(std::ostream& out, const std::vector<Outcome>& outcomes);

/// One JSON object.
void write_json(std::ostream& out, const Options& options, const std::vector<Outcome>& outcomes);

/// All checks with what they claim and need.
void write_list(std::ostream& out);

/// 0: all that was asked for held. 1: something did not, or could not be checked.
int exit_code(const std::vector<Outcome>& outcomes);

}  // namespace twophase::conformance
