// The coordinator program: settings, one loop, the server, the service, and an orderly end.
#include "coordinator/api.hpp"
#include "coordinator/config.hpp"
#include "coordinator/service.hpp"
#include "http/endpoint.hpp"
#include "http/server.hpp"
#include "recovery/common_settings.hpp"
#include "recovery/log_output.hpp"
#include "recovery/machine.hpp"
#include "recovery/program_metrics.hpp"
#include "recovery/reload.hpp"
#include "recovery/signals.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <thread>

namespace twophase::coordinator {
namespace {

constexpr int exit_usage = 2;   // bad settings, or another process owns the log
constexpr int exit_broken = 5;  // a bug: the next start recovers
constexpr int exit_store = 3;   // the log can't be opened, read or written

/// Ends at once, as a crash would: recovery is the clean-up.
[[noreturn]] void end_now(int code, const std::string& why) {
    spdlog::critical("{}", why);
    spdlog::default_logger()->flush();
    std::_Exit(code);
}

class Program {
public:
    Program(const Config& config, recovery::HangUp hang_up, std::function<void()> reload)
        : config_(config),
          machine_(io_),
          service_(machine_, config_, end_now),
          api_(io_, machine_, service_, config_),
          http_metrics_(service_.metrics()),
          server_(io_,
                  {.address = config_.address,
                   .port = config_.port,
                   .max_connections = config_.max_connections,
                   .allowed_hosts = config_.allowed_hosts,
                   .answered =
                       [this](const http::Answered& answered) { http_metrics_.note(answered); }},
                  [this](http::Request request, http::Respond respond) {
                      api_(std::move(request), std::move(respond));
                  }),
          signals_(io_, hang_up, {.end = [this] { end(); }, .reload = std::move(reload)}) {
        service_.metrics().at_scrape([this](recovery::Readings& to) {
            recovery::read_server(to, server_);
            recovery::read_process(to);
            recovery::read_log(to);
        });
    }

    /// Throws when it can't.
    void listen() {
        server_.start();
        spdlog::info("listening on http://{}:{}", config_.address, server_.port());
    }

    int run() {
        // The log is read beside the loop, so that /livez answers meanwhile.
        std::jthread opener([this] { open(); });
        auto work = boost::asio::make_work_guard(io_);
        io_.run();
        return exit_code_;
    }

private:
    void open() {
        try {
            service_.open();
            boost::asio::post(io_, [this] {
                if (tell_address()) service_.start();
            });
        } catch (const wal::StoreError& e) {
            fail(e.code() == EBUSY ? exit_usage : exit_store, e.what());
        } catch (const std::exception& e) {
            fail(exit_store, e.what());
        }
    }

    /// Only now: a second start on this log must not lead everybody to itself.
    bool tell_address() try {
        if (!config_.address_file.empty())
            http::write_address_file(config_.address_file, config_.address, server_.port());
        return true;
    } catch (const std::exception& e) {
        fail(exit_usage, e.what());
        return false;
    }

    void fail(int code, const std::string& why) {
        boost::asio::post(io_, [this, code, why] {
            spdlog::critical("can't start: {}", why);
            exit_code_ = code;
            io_.stop();
        });
    }

    void end() {
        spdlog::info("stopping: requests under way are finished first");
        // Whoever still waits is told before connections are cut: of one that nobody answers its
        // client would have to guess what became of it.
        const auto most_margin = std::chrono::milliseconds(1'000);
        const auto margin = std::min(config_.shutdown_grace / 2, most_margin);
        end_waiting_.expires_after(config_.shutdown_grace - margin);
        end_waiting_.async_wait([this](boost::system::error_code cancelled) {
            if (!cancelled) api_.end_waiting();
        });
        refuse_waiting_.expires_after(config_.shutdown_grace - margin / 4);
        refuse_waiting_.async_wait([this](boost::system::error_code cancelled) {
            if (!cancelled) api_.refuse_waiting();
        });
        server_.stop(config_.shutdown_grace, [this] {
            end_waiting_.cancel();
            refuse_waiting_.cancel();
            api_.stop();
            service_.stop();
            io_.stop();
        });
    }

    const Config& config_;
    boost::asio::io_context io_{1};
    recovery::Machine machine_;
    Service service_;
    Api api_;
    recovery::HttpMetrics http_metrics_;
    http::Server server_;
    recovery::Signals signals_;
    boost::asio::steady_timer end_waiting_{io_};
    boost::asio::steady_timer refuse_waiting_{io_};
    int exit_code_ = 0;
};

std::string load_again(const http::CommandLine& line, http::Values& values) {
    Config config;
    const std::string wrong =
        http::load_settings_again(http::noted(settings(config), values), line);
    return wrong.empty() ? check(config) : wrong;
}

int run(int argc, const char* const* argv) {
    const recovery::HangUp hang_up = recovery::prepare_process();
    Config config;
    const http::CommandLine line{
        .argc = argc,
        .argv = argv,
        .program = "coordinator",
        .about =
            "Commits or rolls back global transactions across participants; "
            "--print-sample-config prints every setting.",
        .settings_of_others = recovery::participant_setting_names()};
    http::Values values;
    if (const auto end = http::load_settings(http::noted(settings(config), values), line))
        return *end;
    if (const std::string wrong = check(config); !wrong.empty()) {
        std::cerr << "coordinator: " << wrong << "\n";
        return exit_usage;
    }
    recovery::log_to_stderr("coordinator", config.log_level);
    std::optional<Program> program;
    try {
        program.emplace(config, hang_up, [&] {
            recovery::reload(values, [&](http::Values& now) { return load_again(line, now); });
        });
        program->listen();
    } catch (const std::exception& e) {
        spdlog::critical("can't start: {}", e.what());
        return exit_usage;
    }
    try {
        return program->run();
    } catch (const wal::StoreError& e) {
        // Reading can meet a failed commit before the writer has ended the process for it.
        end_now(exit_store, std::string("the log failed: ") + e.what());
    } catch (const std::exception& e) {
        end_now(exit_broken, std::string("broken invariant: ") + e.what());
    }
}

}  // namespace
}  // namespace twophase::coordinator

int main(int argc, char** argv) { return twophase::coordinator::run(argc, argv); }
