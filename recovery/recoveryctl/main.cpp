// recoveryctl: what a person or a script does about transactions that don't end by themselves.
#include "recovery/recoveryctl/command_line.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

int main(int argc, char** argv) {
    spdlog::set_default_logger(spdlog::stderr_color_mt("recoveryctl"));
    return twophase::recoveryctl::CommandLine().run({argv + 1, argv + argc});
}
