#include "tests/conformance/command.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>

namespace twophase::conformance {
namespace {

std::string how_it_ended(int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
    if (WIFEXITED(status))
        return "the command ended with exit code " + std::to_string(WEXITSTATUS(status));
    return "the command was ended by signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

std::string run_command(const std::string& command) {
    // A participant started by it must not hold our output, nor write into our report.
    const std::string quiet = "exec </dev/null >/dev/null\n" + command;
    // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): to run a command is what is asked for
    return how_it_ended(std::system(quiet.c_str()));
}

std::optional<std::string> output_of(const std::string& command) {
    // NOLINTNEXTLINE(cert-env33-c): to run a command is what is asked for
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return std::nullopt;
    std::string output;
    std::array<char, 4096> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
        output.append(buffer.data(), got);
    if (::pclose(pipe) != 0) return std::nullopt;
    while (output.ends_with('\n')) output.pop_back();
    return output;
}

}  // namespace twophase::conformance
