#include "wal/headroom.hpp"

#include "wal/disk.hpp"

#include <algorithm>
#include <utility>

namespace twophase::wal {
namespace {

constexpr std::size_t most_reserved_bytes = std::size_t{16} << 20;
constexpr std::size_t most_disk_bytes = std::size_t{1} << 30;
constexpr std::size_t page_bytes = 4096;

std::size_t reserve_for(std::size_t map_bytes) {
    return std::min(most_reserved_bytes, map_bytes / 8 / page_bytes * page_bytes);
}

// Small enough that the fifth of the map that belongs to decisions isn't used up unseen.
std::size_t much_growth(std::size_t map_bytes) { return map_bytes / 128; }

}  // namespace

bool has_room(std::size_t used_bytes,
              std::size_t map_bytes,
              std::size_t file_bytes,
              std::size_t disk_free_bytes) {
    const std::size_t growth = map_bytes - std::min(map_bytes, file_bytes);
    const std::size_t needed = std::min({growth, map_bytes / 10, most_disk_bytes});
    return used_bytes < map_bytes / 5 * 4 && disk_free_bytes >= needed;
}

HeadroomGauge::HeadroomGauge(Environment& environment, std::filesystem::path directory, Now now)
    : environment_(environment), directory_(std::move(directory)), now_(std::move(now)) {
    measure();
}

void HeadroomGauge::measure() {
    // A reader that was killed pins pages: what it kept from use counts as used.
    environment_.clear_dead_readers();
    const std::size_t map = environment_.map_bytes();
    environment_.reserve(reserve_for(map));
    extent_then_ = environment_.extent_bytes();
    measured_ = now_();
    Headroom now{.used_bytes = environment_.used_bytes(),
                 .map_bytes = map,
                 .file_bytes = environment_.file_bytes(),
                 .disk_free_bytes = disk_free_bytes(directory_)};
    now.has_room = has_room(now.used_bytes, map, now.file_bytes, now.disk_free_bytes);
    const std::lock_guard lock(mutex_);
    headroom_ = now;
}

void HeadroomGauge::measure_if_due() {
    const bool is_old = now_() - measured_ >= std::chrono::seconds(1);
    const std::size_t map = environment_.map_bytes();
    const std::size_t grown = environment_.extent_bytes() - extent_then_;
    if (is_old || grown >= much_growth(map)) return measure();
    // A burst uses up what is kept ahead long before; to see to that alone costs little.
    if (grown >= reserve_for(map) / 8) environment_.reserve(reserve_for(map));
}

Headroom HeadroomGauge::read() const {
    const std::lock_guard lock(mutex_);
    return headroom_;
}

}  // namespace twophase::wal
