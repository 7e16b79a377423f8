#include "participants/branch.hpp"

#include <sstream>

namespace twophase::participants {

LogClaim seen_of(const Coordinator& coordinator) {
    LogClaim seen{.log = coordinator.log,
                  .epoch = coordinator.epoch,
                  .start = coordinator.start,
                  .position = coordinator.position,
                  .began_at = 0,
                  .replaces = {}};
    std::istringstream names(coordinator.replaces);
    for (std::string name; names >> name;) seen.replaces.push_back(name);
    return seen;
}

bool lacks_what_was_seen(const Coordinator& coordinator,
                         std::uint64_t epoch,
                         std::uint64_t began_at) {
    return epoch > coordinator.epoch && began_at > 0 && began_at <= coordinator.position;
}

void listen_to(Coordinator& coordinator, const LogClaim& claim) {
    coordinator.log = claim.log;
    coordinator.epoch = claim.epoch;
    coordinator.start = claim.start;
    coordinator.position = claim.position;
    coordinator.replaces.clear();
    for (const std::string& name : claim.replaces) {
        if (!coordinator.replaces.empty()) coordinator.replaces += ' ';
        coordinator.replaces += name;
    }
}

}  // namespace twophase::participants
