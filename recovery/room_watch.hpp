// Raises an alert when a store runs out of room, and when somebody keeps it from using room again.
#pragma once

#include "recovery/alerts.hpp"
#include "recovery/surroundings.hpp"
#include "wal/store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace twophase::recovery {

/// What it looks at; both are called on the loop.
struct RoomSource {
    std::function<wal::Headroom()> headroom;
    std::function<std::vector<wal::StoreReader>()> readers;
};
RoomSource room_of(const wal::Store& store);

/// Looks at a store every few seconds. Raises `disk_low` when its headroom is lost, once until it
/// was regained, and `old_reader` when another process has read one state of it for a minute: pages
/// that were freed since can't be used again, so the store grows. Belongs to the loop.
class RoomWatch {
public:
    /// `around` and `alerts` outlive it.
    RoomWatch(Surroundings& around, RoomSource source, Alerts& alerts);

    void start();
    void stop();

private:
    void look();
    void look_at_room();
    void look_at_readers();

    Surroundings& around_;
    RoomSource source_;
    Alerts& alerts_;
    std::unique_ptr<Alarm> alarm_;
    bool had_room_ = true;
    /// Since when each reader of another process was seen where it stands.
    std::map<wal::StoreReader, Time> seen_since_;
};

}  // namespace twophase::recovery
