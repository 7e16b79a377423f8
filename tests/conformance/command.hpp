// Runs the shell commands of --restart, --fill and --observe.
#pragma once

#include <optional>
#include <string>

namespace twophase::conformance {

/// Runs it with standard output to nowhere; "" when it succeeded, else how it ended.
std::string run_command(const std::string& command);

/// Its standard output without the last newline; nothing when it failed.
std::optional<std::string> output_of(const std::string& command);

}  // namespace twophase::conformance
