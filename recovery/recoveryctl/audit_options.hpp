// The command line of `recoveryctl audit`.
#pragma once

#include "recovery/recoveryctl/commands.hpp"
#include "recovery/recoveryctl/failure.hpp"

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace twophase::recoveryctl {

/// A check of CLI11's: an option given without a value, as by an unset variable of a shell, must
/// not mean its default.
inline std::string not_empty(const std::string& given) {
    return given.empty() ? "it is given and empty: an unset variable?" : "";
}

/// Adds the subcommand `audit` with its own: list, export, verify. The one given leaves what is to
/// be done in `run`; the three outlive the parsing.
void add_audit(CLI::App& app, std::function<Exit()>& run, bool& is_json);

}  // namespace twophase::recoveryctl
