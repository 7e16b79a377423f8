// Branches in doubt ask their coordinator, which is us, and obey.
#include "tests/conformance/checks.hpp"

#include <thread>

namespace twophase::conformance {
namespace {

constexpr const char* question = "GET {coordinator}/v1/transactions/{gid}/decision";

void expect_asked(Session& s, const Begun& begun, int times, const std::string& after) {
    if (s.stand_in().wait_asked(begun.branch.gid, times, s.options().inquiry_limit)) return;
    throw DidNotHold{begun.yes.sent,
                     came(begun.yes),
                     std::string(question) + ", " + after + ", of --listen within " +
                         std::to_string(s.options().inquiry_limit.count()) + " ms"};
}

/// What a decision makes of a branch shows in the list first: asking the branch would end it.
void expect_ended(Session& s, const Begun& begun, const std::string& decision) {
    const auto end = std::chrono::steady_clock::now() + s.options().inquiry_limit;
    while (s.is_in_doubt(begun.branch)) {
        expect(std::chrono::steady_clock::now() < end,
               begun.yes,
               "that it leaves the list of those in doubt once it was told " + decision);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

/// A branch that hears `say` from its first question on.
Begun prepared_to_hear(Session& s, Say say) {
    const Branch branch = s.fresh();
    s.stand_in().answer(branch.gid, say);
    return s.prepared(branch);
}

void obeys_commit(Session& s) {
    const Begun begun = prepared_to_hear(s, Say::commit);
    expect_asked(s, begun, 1, "as the branch is in doubt");
    expect_ended(s, begun, "commit");
    expect_problem(s.rollback(begun.branch), 409, "already_committed");
}

void obeys_rollback(Session& s) {
    const Begun begun = prepared_to_hear(s, Say::rollback);
    expect_asked(s, begun, 1, "as the branch is in doubt");
    expect_ended(s, begun, "rollback");
    expect_problem(s.commit(begun.branch), 409, "already_rolled_back");
}

/// Tells it something that is no decision, and looks whether it waits.
void waits_through(Session& s, Say say) {
    const Begun begun = prepared_to_hear(s, say);
    expect_asked(s, begun, 1, "as the branch is in doubt");
    expect_asked(s, begun, 2, "again, as the answer was no decision");
    expect(s.is_in_doubt(begun.branch), begun.yes, "that it is still in doubt after that answer");
    expect_same(s.prepare(begun.branch), begun.yes);
    expect_state(s.send(s.commit_of(begun)), "committed");
}

void waits_while_pending(Session& s) { waits_through(s, Say::pending); }
void waits_after_not_found(Session& s) { waits_through(s, Say::not_found); }
void waits_after_another_gid(Session& s) { waits_through(s, Say::another_commit); }

}  // namespace

std::vector<Check> inquiry_checks() {
    constexpr const char* contract =
        "in doubt for longer than inquire_after it asks GET "
        "{coordinator}/v1/transactions/{gid}/decision "
        "→ {gid, coordinator, epoch, decision: commit | rollback | pending}";
    constexpr const char* promise =
        "a participant that voted yes never gives up by itself: it asks";
    return {
        {.group = "inquiry",
         .name = "inquiry-commit",
         .claim = "a branch in doubt asks, and commits when told so",
         .contract = contract,
         .why = "a decision that never arrives would hold its resources for ever",
         .needs = listen,
         .run = obeys_commit},
        {.group = "inquiry",
         .name = "inquiry-rollback",
         .claim = "a branch in doubt asks, and rolls back when told so",
         .contract = contract,
         .why = "a decision that never arrives would hold its resources for ever",
         .needs = listen,
         .run = obeys_rollback},
        {.group = "inquiry",
         .name = "inquiry-pending",
         .claim = "told \"pending\" it keeps its promise and asks again",
         .contract = promise,
         .why = "the others may be committed a moment later",
         .needs = listen,
         .run = waits_while_pending},
        {.group = "inquiry",
         .name = "inquiry-not-found",
         .claim = "a 404 is no decision: it keeps its promise and asks again",
         .contract = "an unclear answer is not an answer",
         .why = "the wrong service may answer at that address",
         .needs = listen,
         .run = waits_after_not_found},
        {.group = "inquiry",
         .name = "inquiry-another-gid",
         .claim =
             "a decision about another transaction is none: it keeps its promise and asks again",
         .contract = "{gid, coordinator, epoch, decision}",
         .why = "a cache or a mixed-up answer would commit what was rolled back",
         .needs = listen,
         .run = waits_after_another_gid},
    };
}

}  // namespace twophase::conformance
