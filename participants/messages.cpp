#include "participants/messages.hpp"

#include <algorithm>

namespace twophase::participants {

std::string to_query(const LogClaim& seen) {
    return "log=" + seen.log + "&epoch=" + std::to_string(seen.epoch) + "&start=" + seen.start +
           "&position=" + std::to_string(seen.position);
}

bool LogClaim::does_replace(std::string_view other) const {
    return std::ranges::find(replaces, other) != replaces.end();
}

const char* to_string(Verb verb) {
    switch (verb) {
        case Verb::prepare: return "prepare";
        case Verb::commit: return "commit";
        case Verb::rollback: return "rollback";
        case Verb::execute: return "execute";
        case Verb::compensate: return "compensate";
    }
    return "";
}

bool begins_work(Verb verb) { return verb == Verb::prepare || verb == Verb::execute; }

}  // namespace twophase::participants
