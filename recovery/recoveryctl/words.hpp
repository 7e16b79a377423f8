// The words of a command line, put into the order in which CLI11 reads them, and checked.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace twophase::recoveryctl {

/// Options that stand before the command, moved behind it: `--coordinator URL list` is
/// `list --coordinator URL`. They belong to the command, which knows them or refuses them.
std::vector<std::string> command_first(const CLI::App& app, std::vector<std::string> words);

/// What is wrong with the command that `words` name, and which one may be meant; empty: nothing.
std::string unknown_command(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace twophase::recoveryctl
