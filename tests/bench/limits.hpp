// What bounds everything else: the server alone, the log alone, the disk's own sync.
#pragma once

#include "tests/bench/load.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>

namespace twophase::bench {

/// Our HTTP server, on a thread of its own, answering an empty POST to `clients`.
Measured empty_posts(boost::asio::io_context& io,
                     std::size_t clients,
                     std::chrono::milliseconds length);

/// Records a second that a log in `folder` makes durable when `batch` of them are handed over at
/// once and awaited.
double log_records(const std::filesystem::path& folder,
                   std::size_t batch,
                   std::chrono::milliseconds length);

/// A 4 KiB write and an fdatasync, over and over, each a second.
double disk_syncs(const std::filesystem::path& folder, std::chrono::milliseconds length);

}  // namespace twophase::bench
