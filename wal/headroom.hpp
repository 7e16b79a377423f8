// How much room a store has left, measured on a schedule, so that decisions never lack it.
#pragma once

#include "wal/environment.hpp"
#include "wal/store.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <mutex>

namespace twophase::wal {

/// True while new work may come in: see Headroom::has_room.
bool has_room(std::size_t used_bytes,
              std::size_t map_bytes,
              std::size_t file_bytes,
              std::size_t disk_free_bytes);

/// Measures on the writer's thread; read() from any.
class HeadroomGauge {
public:
    using Now = std::function<std::chrono::steady_clock::time_point()>;
    HeadroomGauge(Environment& environment, std::filesystem::path directory, Now now);

    /// Looks at map and disk, and reserves disk blocks ahead of the next batches.
    void measure();
    /// measure(), if the last one is a second old or the file grew much since.
    void measure_if_due();
    Headroom read() const;

private:
    Environment& environment_;
    std::filesystem::path directory_;
    Now now_;
    std::chrono::steady_clock::time_point measured_;
    std::size_t extent_then_ = 0;
    mutable std::mutex mutex_;
    Headroom headroom_;  // under mutex_
};

}  // namespace twophase::wal
