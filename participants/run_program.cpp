// main() of a participant: settings, signals, exit code.
#include "http/settings.hpp"
#include "participants/program.hpp"
#include "recovery/common_settings.hpp"
#include "wal/store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdlib>
#include <utility>

namespace twophase::participants {
namespace {

namespace asio = boost::asio;

void log_to_stderr(const std::string& name, const std::string& level) {
    spdlog::set_default_logger(spdlog::stderr_color_mt(name));
    spdlog::set_level(spdlog::level::from_str(level));
}

int serve(Kind& kind, Config config) {
    asio::io_context io(1);
    int exit_code = 0;
    Program program(io, std::move(config), kind, [&](int code) {
        exit_code = code;
        io.stop();
    });
    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&](boost::system::error_code error, int) {
        if (error) return;
        spdlog::info("stopping");
        program.stop([&io] { io.stop(); });
    });
    try {
        program.start();
    } catch (const std::exception& error) {
        spdlog::critical("{}", error.what());
        return bad_configuration;
    }
    try {
        io.run();
    } catch (const wal::StoreError& error) {
        // Reading can meet a failed commit before the writer has ended the process for it.
        spdlog::critical("the store failed, the process ends: {}", error.what());
        spdlog::shutdown();
        std::_Exit(wal::store_failed_exit_code);
    }
    return exit_code;
}

}  // namespace

int run_program(Kind& kind, Config defaults, int argc, const char* const* argv) {
    Config config = std::move(defaults);
    const std::vector<http::Setting> settings = settings_of(config);
    const std::string name = kind.name() + "-participant";
    const http::CommandLine line{.argc = argc,
                                 .argv = argv,
                                 .program = name,
                                 .about = "Takes part in transactions with " + kind.name() +
                                          "s; --print-sample-config prints a settings file.",
                                 .settings_of_others = recovery::coordinator_setting_names()};
    if (const auto code = http::load_settings(settings, line)) return *code;
    log_to_stderr(name, config.log_level);
    if (const std::string fault = check(config); !fault.empty()) {
        spdlog::critical("{}", fault);
        return bad_configuration;
    }
    return serve(kind, std::move(config));
}

}  // namespace twophase::participants
