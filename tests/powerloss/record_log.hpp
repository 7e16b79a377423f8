// Recordings of a single log, through its starts, kills and restarts.
#pragma once

#include "tests/powerloss/recording.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace twophase::powerloss {

/// One run of the appender.
struct Appending {
    std::size_t map_bytes = std::size_t{16} << 20;
    std::uint64_t jobs = 100;
    std::uint64_t window = 1;        // jobs under way at once
    std::uint64_t forget_every = 0;  // jobs; 0: never
    std::uint64_t kill_after = 0;    // events; 0: never
};

/// Runs the appender so, one run after the other, on one store in `folder`. Throws
/// std::runtime_error when a run ends otherwise, or when the recording is not all that happened.
/// Gives how many runs were killed, as they were told to be.
std::size_t record_log(const Recorded& recorded, const std::vector<Appending>& runs);

/// Compares the files with what the recording says of them; empty, or what was missed.
std::string missed_by(const std::vector<Event>& events, const std::filesystem::path& root);

}  // namespace twophase::powerloss
