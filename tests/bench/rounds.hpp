// Rounds: both sides in turn, so that a machine that drifts hurts them alike, with a look at the
// books after each.
#pragma once

#include "tests/bench/books.hpp"
#include "tests/bench/exchange.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace twophase::bench {

/// One fleet with its clients, and what they may be asked to do.
struct Place {
    Place(boost::asio::io_context& the_io,
          const std::filesystem::path& folder,
          std::size_t clients);

    boost::asio::io_context& io;
    Servers servers;
    Exchanges exchanges;
};

/// A side of a comparison.
struct Side {
    std::string label;
    Place& place;
    Task task;
};

struct Length {
    std::size_t rounds = 3;
    std::chrono::milliseconds round{4'000};
};

/// Runs every side `rounds` times in turn, and reports a row for each. Throws when the books
/// disagree after a round or a task failed.
void compare(Report& report,
             const std::string& name,
             std::size_t clients,
             const std::vector<Side>& sides,
             const Length& length);

/// Says on stderr what goes on.
void say(const std::string& text);

}  // namespace twophase::bench
