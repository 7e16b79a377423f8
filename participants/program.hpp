// A participant as a program: server, store, rules and inquiries around one resource.
#pragma once

#include "participants/config.hpp"
#include "participants/kind.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace twophase::participants {

/// The exit code for a configuration that can't be used, or a store that is another's.
inline constexpr int bad_configuration = 2;

/// A running participant. Listens at once; answers 503 until the store is open, except to
/// /livez and /metrics.
class Program {
public:
    /// `kind` must outlive this. `failed` gets an exit code and is called on the loop when the
    /// store can't be opened.
    Program(boost::asio::io_context& io,
            Config config,
            Kind& kind,
            std::function<void(int exit_code)> failed);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Binds, writes the address file and begins to open the store. Throws when it can't listen.
    void start();
    /// Finishes what runs, then calls `done` on the loop.
    void stop(std::function<void()> done);
    std::uint16_t port() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// main() of a participant: settings, signals, exit code. 0 after SIGTERM or SIGINT, or a SIGHUP
/// where standard error is a terminal; 2 for a configuration that can't be used or a store that
/// another process owns; 3 when the store failed.
int run_program(Kind& kind, Config defaults, int argc, const char* const* argv);

}  // namespace twophase::participants
