// The coordinator program: settings, one loop, the server, the service, and an orderly end.
#include "coordinator/api.hpp"
#include "coordinator/config.hpp"
#include "coordinator/service.hpp"
#include "http/endpoint.hpp"
#include "http/server.hpp"
#include "recovery/common_settings.hpp"
#include "recovery/machine.hpp"
#include "recovery/program_metrics.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
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
    spdlog::shutdown();
    std::_Exit(code);
}

class Program {
public:
    explicit Program(const Config& config)
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
          signals_(io_, SIGTERM, SIGINT) {
        service_.metrics().at_scrape([this](recovery::Readings& to) {
            recovery::read_server(to, server_);
            recovery::read_process(to);
        });
    }

    /// Throws when it can't.
    void listen() {
        server_.start();
        spdlog::info("listening on http://{}:{}", config_.address, server_.port());
    }

    int run() {
        signals_.async_wait([this](boost::system::error_code failed, int) {
            if (!failed) end();
        });
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
        server_.stop(config_.shutdown_grace, [this] {
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
    boost::asio::signal_set signals_;
    int exit_code_ = 0;
};

int run(int argc, const char* const* argv) {
    Config config;
    const auto end = http::load_settings(
        settings(config),
        {.argc = argc,
         .argv = argv,
         .program = "coordinator",
         .about = "Commits or rolls back global transactions across participants; "
                  "--print-sample-config prints every setting.",
         .settings_of_others = recovery::participant_setting_names()});
    if (end) return *end;
    if (const std::string wrong = check(config); !wrong.empty()) {
        std::cerr << "coordinator: " << wrong << "\n";
        return exit_usage;
    }
    spdlog::set_default_logger(spdlog::stderr_color_mt("coordinator"));
    spdlog::set_level(spdlog::level::from_str(config.log_level));
    std::optional<Program> program;
    try {
        program.emplace(config);
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
