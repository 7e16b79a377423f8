// Settings from all three sources: a file with comments, the environment, flags. The input is text:
// the program's name in the first line, then the file up to a line "[environment]", its variables
// up to a line "[flags]", and the flags, a word a line.
#include "coordinator/config.hpp"
#include "http/settings.hpp"
#include "participants/config.hpp"
#include "tests/fuzz/hits.hpp"

#include <cstdint>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

extern char** environ;  // POSIX names it so

namespace twophase::fuzz {
namespace {

struct Told {
    std::string program;
    std::string file;
    std::vector<std::string> environment;
    std::vector<std::string> flags;
};

Told read(std::string_view input) {
    Told told;
    std::istringstream lines{std::string(input)};
    std::getline(lines, told.program);
    std::vector<std::string>* words = nullptr;
    for (std::string line; std::getline(lines, line);) {
        if (line == "[environment]") {
            words = &told.environment;
        } else if (line == "[flags]") {
            words = &told.flags;
        } else if (!words) {
            told.file += line + "\n";
        } else if (line.find("--config") != 0) {  // any file of this machine could be named
            words->push_back(line);
        }
    }
    return told;
}

// A file in memory.
class File {
public:
    File() : descriptor_(::memfd_create("settings", 0)) {
        require(descriptor_ >= 0, "a file in memory");
    }
    std::string write(const std::string& text) const {
        const bool is_written =
            ::ftruncate(descriptor_, 0) == 0 &&
            ::pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
        require(is_written, "a file is written");
        return "/proc/self/fd/" + std::to_string(descriptor_);
    }

private:
    int descriptor_;
};

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

struct Loaded {
    std::optional<int> exit_code;
    std::string message;
};

Loaded load(const std::vector<http::Setting>& settings, const std::string& program, Told told) {
    static const File file;
    std::vector<std::string> words{program, "--config", file.write(told.file)};
    words.insert(words.end(), told.flags.begin(), told.flags.end());
    const std::vector<char*> argv = pointers_to(words);
    std::vector<char*> variables = pointers_to(told.environment);
    std::ostringstream errors;
    std::ostringstream output;
    std::streambuf* const kept_errors = std::cerr.rdbuf(errors.rdbuf());
    std::streambuf* const kept_output = std::cout.rdbuf(output.rdbuf());
    char** const kept_environment = std::exchange(environ, variables.data());
    Loaded loaded;
    loaded.exit_code = http::load_settings(settings,
                                           {.argc = static_cast<int>(words.size()),
                                            .argv = argv.data(),
                                            .program = program,
                                            .about = "is fuzzed"});
    environ = kept_environment;
    std::cerr.rdbuf(kept_errors);
    std::cout.rdbuf(kept_output);
    loaded.message = errors.str();
    return loaded;
}

// Loads into a configuration of its own, and what check() says of it.
template <class Make, class Settings, class Check>
auto try_program(
    const std::string& program, const Told& told, Make make, Settings settings_of, Check check) {
    auto config = make();
    const std::vector<http::Setting> settings = settings_of(config);
    const Loaded loaded = load(settings, program, told);
    if (!loaded.exit_code) {
        reached(program + " loaded");
        if (check(config).empty()) reached(program + " checked");
        return config;
    }
    require(*loaded.exit_code == 0 || *loaded.exit_code == 2, "ends with 0 or 2");
    if (*loaded.exit_code == 0) {
        reached(program + " ended");
    } else {
        reached(program + " refused");
        require(loaded.message.starts_with(program + ": ") && loaded.message.ends_with('\n'),
                "a refusal says why");
    }
    return make();
}

void expect_endpoint(const http::Endpoint& endpoint) {
    const auto again = http::Endpoint::parse(endpoint.text());
    require(again && again->base_path() == endpoint.base_path(), "an endpoint is what it says");
}

void try_coordinator(const Told& told) {
    const auto config = try_program(
        "coordinator",
        told,
        [] { return coordinator::Config(); },
        [](auto& into) { return coordinator::settings(into); },
        [](const auto& loaded) { return coordinator::check(loaded); });
    for (const auto& [name, participant] : config.participants) {
        require(coordinator::is_name(name), "a participant has a name");
        expect_endpoint(participant.endpoint);
    }
}

void try_participant(const Told& told) {
    const auto config = try_program(
        "credit-participant",
        told,
        [] { return participants::default_config("credit", 7071); },
        [](auto& into) { return participants::settings_of(into); },
        [](const auto& loaded) { return participants::check(loaded); });
    require(coordinator::is_name(config.name), "a participant has a name");
    for (const auto& [id, endpoint] : config.coordinators) expect_endpoint(endpoint);
}

}  // namespace
}  // namespace twophase::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace twophase::fuzz;
    const Told told = read({reinterpret_cast<const char*>(data), size});
    told.program == "coordinator" ? try_coordinator(told) : try_participant(told);
    return 0;
}
