#include "recovery/recoveryctl/words.hpp"

#include "http/suggestion.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstddef>

namespace twophase::recoveryctl {
namespace {

using Words = std::vector<std::string>;

bool is_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

Words names_of(const CLI::App& app) {
    Words names;
    for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
    return names;
}

const CLI::App* find(const CLI::App& app, const std::string& name) {
    for (const CLI::App* command : commands_of(app))
        if (command->get_name() == name) return command;
    return nullptr;
}

/// Whether `app` or a command of it has this option, and it takes no value.
bool is_flag(const CLI::App& app, const std::string& word) {
    const CLI::Option* option = app.get_option_no_throw(word);
    if (option != nullptr) return option->get_expected_max() == 0;
    return std::ranges::any_of(commands_of(app),
                               [&](const CLI::App* command) { return is_flag(*command, word); });
}

/// How many of the first words are options with their values.
std::size_t options_in_front(const CLI::App& app, const Words& words) {
    std::size_t count = 0;
    while (count < words.size() && is_option(words[count])) {
        if (app.get_option_no_throw(words[count]) != nullptr) return 0;  // --help, --version
        const bool has_its_value = words[count].find('=') != std::string::npos;
        count += has_its_value || is_flag(app, words[count]) ? 1 : 2;
    }
    return std::min(count, words.size());
}

}  // namespace

Words command_first(const CLI::App& app, Words words) {
    const auto in_front = static_cast<std::ptrdiff_t>(options_in_front(app, words));
    const CLI::App* at = &app;
    auto command = words.begin() + in_front;
    // A command of a command, such as `audit list`, stands right behind it. An unknown one is moved
    // like a known one, to be named.
    while (command != words.end() && !is_option(*command) && at != nullptr &&
           !commands_of(*at).empty())
        at = find(*at, *command++);
    std::rotate(words.begin(), words.begin() + in_front, command);
    return words;
}

std::string unknown_command(const CLI::App& app, const Words& words) {
    const CLI::App* at = &app;
    for (const std::string& word : words) {
        const Words names = names_of(*at);
        if (names.empty() || is_option(word)) return "";
        const CLI::App* found = find(*at, word);
        if (found == nullptr) {
            std::string all;
            for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
            return "'" + word + "' is no command" + http::suggestion(word, names) +
                   " (commands: " + all + ")";
        }
        at = found;
    }
    return "";
}

}  // namespace twophase::recoveryctl
