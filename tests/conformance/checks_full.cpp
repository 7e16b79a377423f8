// A store that is full: what begins is refused in words that bind nobody, what ends is taken. The
// last of all checks, as the participant stays full.
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

/// What was made before the store was filled.
struct Filled {
    std::string failure;  // why there is nothing to look at
    Begun to_repeat;
    Begun to_commit;
    Begun to_roll_back;
    Begun to_compensate;  // with --saga
    Answer refused;       // to the first prepare afterwards
};

Filled filled_now(Session& s) {
    Filled made;
    made.to_repeat = s.prepared();
    made.to_commit = s.prepared();
    made.to_roll_back = s.prepared();
    if (s.options().is_saga) made.to_compensate = s.executed();
    if (const std::string why = s.options().fill(); !why.empty()) {
        made.failure = "--fill: " + why;
        return made;
    }
    s.keep();
    made.refused = s.try_once(s.message(Verb::prepare, s.fresh()));
    if (made.refused.status == 200) made.failure = "it takes new work after --fill";
    return made;
}

const Filled& filled(Session& s) {
    if (!s.filled) s.filled = std::make_shared<Filled>(filled_now(s));
    const auto& made = *std::static_pointer_cast<Filled>(s.filled);
    if (!made.failure.empty()) throw CannotCheck{made.failure};
    return made;
}

void full_refuses(Session& s) {
    const Filled& made = filled(s);
    const Answer& answer = made.refused;
    expect(answer.status == 503 && answer.gid == answer.about.gid && answer.code == "no-room" &&
               answer.has_written_nothing,
           answer,
           R"(503 {"gid":"...","branch_id":"...","code":"no-room","written":false,...})");
    expect_same(s.prepare(made.to_repeat.branch), made.to_repeat.yes);
}

void full_ends(Session& s) {
    const Filled& made = filled(s);
    expect_state(s.send(s.commit_of(made.to_commit)), "committed");
    expect_state(s.rollback(made.to_roll_back.branch), "rolled_back");
    expect_state(s.rollback(s.fresh()), "rolled_back");
    if (!s.options().is_saga) return;
    expect_state(s.compensate(made.to_compensate.branch), "compensated");
    expect_state(s.compensate(s.fresh()), "compensated");
}

}  // namespace

std::vector<Check> full_checks() {
    return {
        {.group = "full",
         .name = "full-refuses",
         .claim =
             "what finds no room is refused as such, and a repeat of a yes is answered as before",
         .contract = "503 no-room with \"written\": false, to prepare and execute of branches that "
                     "aren't known",
         .why = "another 503 is no answer: each transaction would wait for its deadline",
         .needs = fill,
         .run = full_refuses},
        {.group = "full",
         .name = "full-ends",
         .claim = "commit, rollback and compensate find room, of unknown branches too",
         .contract = "commit, rollback and compensate never get no-room",
         .why = "what is decided would never be carried out, and what was promised never let go",
         .needs = fill,
         .run = full_ends},
    };
}

}  // namespace twophase::conformance
