// What became of a submission at the door.
#pragma once

#include "coordinator/protocol/gid.hpp"

#include <cstdint>
#include <string_view>

namespace twophase::coordinator {

struct Admitted {
    enum class Kind {
        is_new,
        repeat,
        changed,
        attempt_not_over,
        attempt_unknown,
        superseded,
        damaged,
        backlog,  // a participant named has too much waiting
        no_room,
        too_many,
        no_gid,
        closed,    // the log may lack what another one of this coordinator decided
        held,      // a participant named is not talked to: another log or store is seen there
        lost_key,  // a participant holds this business key under a gid of a lost log
    };
    Kind kind = Kind::is_new;
    Gid gid{};  // of the transaction, new or repeated
};

/// The attempt after one that was rolled back.
struct NextAttempt {
    std::uint32_t number = 0;
    bool is_possible = false;  // now; else once the one before it is undone everywhere
};

/// The last of them: for tables by kind.
constexpr Admitted::Kind last_kind = Admitted::Kind::lost_key;

/// "new", "repeat", ...: a literal.
constexpr std::string_view to_text(Admitted::Kind kind) {
    switch (kind) {
        case Admitted::Kind::is_new: return "new";
        case Admitted::Kind::repeat: return "repeat";
        case Admitted::Kind::changed: return "changed";
        case Admitted::Kind::attempt_not_over: return "attempt_not_over";
        case Admitted::Kind::attempt_unknown: return "attempt_unknown";
        case Admitted::Kind::superseded: return "superseded";
        case Admitted::Kind::damaged: return "damaged";
        case Admitted::Kind::backlog: return "backlog";
        case Admitted::Kind::no_room: return "no_room";
        case Admitted::Kind::too_many: return "too_many";
        case Admitted::Kind::no_gid: return "no_gid";
        case Admitted::Kind::closed: return "closed";
        case Admitted::Kind::held: return "held";
        case Admitted::Kind::lost_key: return "lost_key";
    }
    return "";
}

}  // namespace twophase::coordinator
