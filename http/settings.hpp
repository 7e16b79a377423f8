// A program's settings: one table of names, units, defaults and meanings; a JSON file with
// comments, then the environment, then flags fill it, each over the one before.
#pragma once

#include "http/json.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

/// One setting. `name` is its JSON member and, as TWOPHASE_<NAME> and --<name-with-dashes>, its
/// environment variable and flag. Objects and arrays are given as JSON text in those two.
struct Setting {
    std::string name;
    std::string unit;  // "ms", "bytes", "" where none
    Json fallback;     // null: none, the variable stays as it is
    std::string meaning;
    /// Takes a value; the text of a refusal, empty when taken. Each source that names the setting
    /// calls it once, so a value replaces the one before.
    std::function<std::string(const Json&)> take;
    /// Names that are refused with the word that it is called otherwise now.
    std::vector<std::string> old_names = {};
};

/// Setters for the usual kinds; each keeps a reference to `target`.
std::function<std::string(const Json&)> take_text(std::string& target);
std::function<std::string(const Json&)> take_path(std::filesystem::path& target);
std::function<std::string(const Json&)> take_boolean(bool& target);
template <class Number>
std::function<std::string(const Json&)> take_integer(Number& target,
                                                     std::int64_t min,
                                                     std::int64_t max);
/// Milliseconds into any std::chrono duration that holds them exactly.
template <class Duration>
std::function<std::string(const Json&)> take_milliseconds(Duration& target,
                                                          std::int64_t min,
                                                          std::int64_t max);

/// What a program was told at its start.
struct CommandLine {
    int argc = 0;
    const char* const* argv = nullptr;
    std::string program;  // for --help
    std::string about;    // one sentence
    std::string version = "0.1.0";
    /// Settings that only our other programs have: one environment may serve them all.
    std::vector<std::string> settings_of_others = {};
};

/// Fills every setting: fallback, then `--config FILE`, then environment, then flags.
/// Returns an exit code when the program should end at once (0 after --help, --version or
/// --print-sample-config, 2 after a clear message on standard error that names the source: unknown
/// key, variable or flag, wrong type, out of range). Of the variables that begin with TWOPHASE_
/// those of the tests (TWOPHASE_CRASH_, TWOPHASE_TEST_) aren't settings, nor those that Kubernetes
/// makes for services and Docker for links that are named so.
std::optional<int> load_settings(const std::vector<Setting>& settings, const CommandLine& line);

/// By name, what settings took last.
using Values = std::map<std::string, Json>;

/// The same settings; what each takes is noted in `values`, which must outlive them.
std::vector<Setting> noted(std::vector<Setting> settings, Values& values);

/// As load_settings(), for a program that runs: writes nothing, returns what is wrong.
std::string load_settings_again(const std::vector<Setting>& settings, const CommandLine& line);

/// A sample file: every setting with its meaning, unit and default, as commented JSON.
std::string sample_file(const std::vector<Setting>& settings);

// --- implementation of the templates ---

/// The integer in `value`, or the text of a refusal.
std::string read_integer(const Json& value, std::int64_t min, std::int64_t max, std::int64_t& out);

template <class Number>
std::function<std::string(const Json&)> take_integer(Number& target,
                                                     std::int64_t min,
                                                     std::int64_t max) {
    return [&target, min, max](const Json& value) {
        std::int64_t number = 0;
        std::string refusal = read_integer(value, min, max, number);
        if (refusal.empty()) target = static_cast<Number>(number);
        return refusal;
    };
}

template <class Duration>
std::function<std::string(const Json&)> take_milliseconds(Duration& target,
                                                          std::int64_t min,
                                                          std::int64_t max) {
    return [&target, min, max](const Json& value) {
        std::int64_t number = 0;
        std::string refusal = read_integer(value, min, max, number);
        if (refusal.empty()) target = std::chrono::milliseconds(number);
        return refusal;
    };
}

}  // namespace twophase::http
