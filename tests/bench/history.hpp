// What a coordinator's log holds already when a round begins: finished transactions, or a backlog
// of unfinished ones. Written through wal/ directly, with the records that the coordinator writes.
#pragma once

#include "tests/bench/servers.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>

namespace twophase::bench {

class Exchanges;

/// Told now and then how many are done.
using Progress = std::function<void(std::size_t done)>;

/// Appends finished transactions to the log in `data`, which is made when absent, until it holds
/// `count` of those that fill() wrote; how many were added. Goes on where it was interrupted.
/// Nobody may have the log open.
std::size_t fill(const std::filesystem::path& data, std::size_t count, const Progress& progress);

/// What 10 million take of the disk, with as much again to spare.
constexpr std::size_t bytes_for_history = std::size_t{20} << 30;

/// Leaves `count` transactions in doubt, as a kill -9 does between the decision and its delivery:
/// both participants have prepared them, the log says started, and of nine in ten that the
/// decision is commit. The coordinator must be stopped, the participants running. How many of them
/// were decided.
std::size_t plant_backlog(Servers& servers,
                          Exchanges& exchanges,
                          std::size_t count,
                          const Progress& progress);

}  // namespace twophase::bench
