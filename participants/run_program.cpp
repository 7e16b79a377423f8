// main() of a participant: settings, signals, exit code.
#include "http/settings.hpp"
#include "participants/program.hpp"
#include "recovery/common_settings.hpp"
#include "recovery/log_output.hpp"
#include "recovery/reload.hpp"
#include "recovery/signals.hpp"
#include "wal/store.hpp"

#include <boost/asio/io_context.hpp>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <functional>
#include <utility>

namespace twophase::participants {
namespace {

namespace asio = boost::asio;

int serve(Kind& kind, Config config, recovery::HangUp hang_up, std::function<void()> reload) {
    asio::io_context io(1);
    int exit_code = 0;
    Program program(io, std::move(config), kind, [&](int code) {
        exit_code = code;
        io.stop();
    });
    const auto end = [&] {
        spdlog::info("stopping");
        program.stop([&io] { io.stop(); });
    };
    recovery::Signals signals(io, hang_up, {.end = end, .reload = std::move(reload)});
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
        spdlog::default_logger()->flush();
        std::_Exit(wal::store_failed_exit_code);
    }
    return exit_code;
}

}  // namespace

int run_program(Kind& kind, Config defaults, int argc, const char* const* argv) {
    const recovery::HangUp hang_up = recovery::prepare_process();
    Config config = defaults;
    const std::vector<http::Setting> settings = settings_of(config);
    const std::string name = kind.name() + "-participant";
    const http::CommandLine line{.argc = argc,
                                 .argv = argv,
                                 .program = name,
                                 .about = "Takes part in transactions with " + kind.name() +
                                          "s; --print-sample-config prints a settings file.",
                                 .settings_of_others = recovery::coordinator_setting_names()};
    http::Values values;
    if (const auto code = http::load_settings(http::noted(settings, values), line)) return *code;
    recovery::log_to_stderr(name, config.log_level);
    if (const std::string fault = check(config); !fault.empty()) {
        spdlog::critical("{}", fault);
        return bad_configuration;
    }
    const auto load_again = [&](http::Values& now) {
        Config again = defaults;
        const std::string wrong =
            http::load_settings_again(http::noted(settings_of(again), now), line);
        return wrong.empty() ? check(again) : wrong;
    };
    return serve(kind, std::move(config), hang_up, [&] { recovery::reload(values, load_again); });
}

}  // namespace twophase::participants
