// The command line of `recoveryctl audit`.
#pragma once

#include "recovery/recoveryctl/commands.hpp"
#include "recovery/recoveryctl/failure.hpp"

#include <functional>

namespace CLI {
class App;
}

namespace twophase::recoveryctl {

/// Adds the subcommand `audit` with its own: list, export, verify. The one given leaves what is to
/// be done in `run`; the three outlive the parsing.
void add_audit(CLI::App& app, std::function<Exit()>& run, bool& is_json);

}  // namespace twophase::recoveryctl
