// Raises an alert when a store runs out of room.
#pragma once

#include "recovery/alerts.hpp"
#include "recovery/surroundings.hpp"
#include "wal/store.hpp"

#include <functional>
#include <memory>

namespace twophase::recovery {

/// Looks at a store's headroom every few seconds and raises `disk_low` when it is lost, once until
/// it was regained. Belongs to the loop.
class RoomWatch {
public:
    /// `around` and `alerts` outlive it.
    RoomWatch(Surroundings& around, std::function<wal::Headroom()> headroom, Alerts& alerts);

    void start();
    void stop();

private:
    void look();

    Surroundings& around_;
    std::function<wal::Headroom()> headroom_;
    Alerts& alerts_;
    std::unique_ptr<Alarm> alarm_;
    bool had_room_ = true;
};

}  // namespace twophase::recovery
