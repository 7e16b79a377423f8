// Whether a target gets anywhere: what it reached, counted by name and printed when it ends.
#pragma once

#include <string_view>

namespace twophase::fuzz {

/// Counts that `what` was reached. At the process's end each name and its count are printed to
/// standard error as "reached NAME: COUNT"; run.py wants all that floors.json names.
void reached(std::string_view what);

/// Ends the process with a message, as a crash that libFuzzer keeps the input of, unless `claim`.
void require(bool claim, std::string_view message);

}  // namespace twophase::fuzz
