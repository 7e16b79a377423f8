// Closed-loop clients: each does its task, waits for the end of it, and does it again.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace twophase::bench {

/// What a client does over and over. `done(true)`: carried out; `done(false)`: not, which spoils
/// the round.
using Done = std::function<void(bool)>;
using Task = std::function<void(std::size_t client, Done done)>;

/// What came of a round, or of several of the same kind put together.
struct Measured {
    double seconds = 0;
    std::vector<std::uint32_t> microseconds;  // of each task that ended within the round
    std::size_t carried_out = 0;              // the few after its end too
    std::size_t failed = 0;

    double rate() const { return seconds > 0 ? double(microseconds.size()) / seconds : 0; }
    /// The `part` (0 to 1) of the tasks took at most that long, in milliseconds. 0 without tasks.
    double quantile(double part);
    void add(const Measured& more);
};

/// Runs `clients` of them for `length` on `io`, then lets those under way end. Blocks.
Measured run_clients(boost::asio::io_context& io,
                     std::size_t clients,
                     std::chrono::milliseconds length,
                     const Task& task);

/// The same for as long as `goes_on` says so, asked whenever a client is free.
Measured run_clients_while(boost::asio::io_context& io,
                           std::size_t clients,
                           const std::function<bool()>& goes_on,
                           const Task& task);

/// Does `task` `times` times, `clients` at once; how many failed. For filling and for checks.
std::size_t run_times(boost::asio::io_context& io,
                      std::size_t clients,
                      std::size_t times,
                      const Task& task);

}  // namespace twophase::bench
