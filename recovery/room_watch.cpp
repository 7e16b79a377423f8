#include "recovery/room_watch.hpp"

#include "http/text.hpp"

#include <spdlog/spdlog.h>

#include <fstream>
#include <string>
#include <unistd.h>
#include <utility>

namespace twophase::recovery {
namespace {

constexpr Time look_every{5'000};
constexpr Time old_after{60'000};

Alert disk_low(const wal::Headroom& room) {
    const std::string used = std::to_string(room.used_bytes);
    const std::string map = std::to_string(room.map_bytes);
    const std::string free = std::to_string(room.disk_free_bytes);
    return {.kind = "disk_low",
            .subject = "store",
            .text = "new work is refused: " + used + " of " + map + " bytes are used, " + free +
                    " are free on the disk",
            .data = R"({"used_bytes":)" + used + R"(,"store_max_bytes":)" + map +
                    R"(,"disk_free_bytes":)" + free + "}"};
}

/// What the kernel calls a process, for people; empty where nobody can tell.
std::string name_of(int process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/comm");
    std::string name;
    std::getline(file, name);
    return http::for_log(name);
}

Alert old_reader(const wal::StoreReader& reader, Time age) {
    const std::string process = std::to_string(reader.process);
    const std::string seconds = std::to_string(age.count() / 1'000);
    const std::string name = name_of(reader.process);
    return {.kind = "old_reader",
            .subject = "process " + process,
            .text = "process " + process + (name.empty() ? "" : " (" + name + ")") +
                    " has been reading one state of the store for " + seconds +
                    " s: no room that was freed since can be used again, so the store grows; let "
                    "it finish, or end it",
            .data = R"({"process":)" + process + R"(,"seconds":)" + seconds + "}"};
}

}  // namespace

RoomSource room_of(const wal::Store& store) {
    return {.headroom = [&store] { return store.headroom(); },
            .readers = [&store] { return store.readers(); }};
}

RoomWatch::RoomWatch(Surroundings& around, RoomSource source, Alerts& alerts)
    : around_(around), source_(std::move(source)), alerts_(alerts), alarm_(around.alarm()) {}

void RoomWatch::start() { look(); }

void RoomWatch::stop() { alarm_->cancel(); }

void RoomWatch::look() {
    look_at_room();
    look_at_readers();
    alarm_->set(around_.now() + look_every, [this] { look(); });
}

/// Our own are backups and the like, which end.
void RoomWatch::look_at_readers() {
    std::map<wal::StoreReader, Time> seen;
    for (const wal::StoreReader& reader : source_.readers()) {
        if (reader.process == ::getpid()) continue;
        const auto before = seen_since_.find(reader);
        seen.emplace(reader, before == seen_since_.end() ? around_.now() : before->second);
    }
    seen_since_ = std::move(seen);
    for (const auto& [reader, since] : seen_since_)
        if (around_.now() - since >= old_after)
            alerts_.raise(old_reader(reader, around_.now() - since));
}

void RoomWatch::look_at_room() {
    const wal::Headroom room = source_.headroom();
    if (had_room_ && !room.has_room) alerts_.raise(disk_low(room));
    if (!had_room_ && room.has_room) spdlog::info("the store has room again");
    had_room_ = room.has_room;
}

}  // namespace twophase::recovery
