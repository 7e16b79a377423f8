#include "recovery/room_watch.hpp"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

namespace twophase::recovery {
namespace {

constexpr Time look_every{5'000};

Alert disk_low(const wal::Headroom& room) {
    const std::string used = std::to_string(room.used_bytes);
    const std::string map = std::to_string(room.map_bytes);
    const std::string free = std::to_string(room.disk_free_bytes);
    return {.kind = "disk_low",
            .subject = "store",
            .text = "new work is refused: " + used + " of " + map + " bytes are used, " + free +
                    " are free on the disk",
            .data = R"({"used_bytes":)" + used + R"(,"map_bytes":)" + map +
                    R"(,"disk_free_bytes":)" + free + "}"};
}

}  // namespace

RoomWatch::RoomWatch(Surroundings& around, std::function<wal::Headroom()> headroom, Alerts& alerts)
    : around_(around), headroom_(std::move(headroom)), alerts_(alerts), alarm_(around.alarm()) {}

void RoomWatch::start() { look(); }

void RoomWatch::stop() { alarm_->cancel(); }

void RoomWatch::look() {
    const wal::Headroom room = headroom_();
    if (had_room_ && !room.has_room) alerts_.raise(disk_low(room));
    if (!had_room_ && room.has_room) spdlog::info("the store has room again");
    had_room_ = room.has_room;
    alarm_->set(around_.now() + look_every, [this] { look(); });
}

}  // namespace twophase::recovery
