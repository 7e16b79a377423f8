// Commit and rollback: of what is promised, over, or unknown.
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

void commit(Session& s) { expect_state(s.send(s.commit_of(s.prepared())), "committed"); }

void commit_repeat(Session& s) {
    const Begun begun = s.prepared();
    const Answer first = s.send(s.commit_of(begun));
    expect_state(first, "committed");
    expect_same(s.send(s.commit_of(begun)), first);
    // A coordinator that lost the vote doesn't know the prepare_id.
    expect_same(s.commit(begun.branch), first);
}

void commit_unknown(Session& s) {
    const Branch branch = s.fresh();
    expect_problem(s.commit(branch), 404, "never_prepared");
    expect_problem(s.commit(branch), 404, "never_prepared");
    expect_yes(s.prepare(branch));
}

void rollback(Session& s) { expect_state(s.rollback(s.prepared().branch), "rolled_back"); }

void rollback_repeat(Session& s) {
    const Branch branch = s.prepared().branch;
    expect_state(s.rollback(branch), "rolled_back");
    expect_state(s.rollback(branch), "rolled_back");
}

void rollback_unknown(Session& s) {
    const Branch branch = s.fresh();
    expect_state(s.rollback(branch), "rolled_back");
    expect_state(s.rollback(branch), "rolled_back");
}

void late_prepare(Session& s) {
    const Branch branch = s.fresh();
    const Answer gone = s.rollback(branch);
    if (gone.status != 200) throw CannotCheck{"rollback of an unknown branch got " + came(gone)};
    expect_problem(s.prepare(branch), 409, "already_rolled_back");
    expect_problem(s.prepare(branch), 409, "already_rolled_back");
}

void prepare_after_rollback(Session& s) {
    const Branch branch = s.prepared().branch;
    expect_state(s.rollback(branch), "rolled_back");
    expect_problem(s.prepare(branch), 409, "already_rolled_back");
}

void commit_after_rollback(Session& s) {
    const Branch branch = s.prepared().branch;
    expect_state(s.rollback(branch), "rolled_back");
    expect_problem(s.commit(branch), 409, "already_rolled_back");
    expect_state(s.rollback(branch), "rolled_back");
}

void commit_of_a_tombstone(Session& s) {
    const Branch branch = s.fresh();
    const Answer gone = s.rollback(branch);
    if (gone.status != 200) throw CannotCheck{"rollback of an unknown branch got " + came(gone)};
    expect_problem(s.commit(branch), 409, "already_rolled_back");
}

void rollback_after_commit(Session& s) {
    const Begun begun = s.prepared();
    const Answer committed = s.send(s.commit_of(begun));
    expect_state(committed, "committed");
    expect_problem(s.rollback(begun.branch), 409, "already_committed");
    expect_same(s.send(s.commit_of(begun)), committed);
}

}  // namespace

std::vector<Check> end_checks() {
    return {
        {.group = "end",
         .name = "commit",
         .claim = "a promised branch can be committed",
         .contract = R"(200 {"gid","branch_id","state":"committed","result"?})",
         .why = "a yes is a promise; the coordinator sends commit for ever until this answer comes",
         .run = commit},
        {.group = "end",
         .name = "commit-repeat",
         .claim = "commit again, with or without prepare_id, gets the first answer",
         .contract =
             "a message delivered more than once has its effect once; prepare_id is optional",
         .why = "an acknowledgement can be lost: the repeat must neither fail nor act again",
         .run = commit_repeat},
        {.group = "end",
         .name = "commit-unknown",
         .claim = "commit of a branch never prepared is a 404 never_prepared and leaves nothing",
         .contract = "404 never_prepared",
         .why = "a 200 would tell the client that something was done which nobody did",
         .run = commit_unknown},
        {.group = "end",
         .name = "rollback",
         .claim = "a promised branch can be rolled back",
         .contract = R"(200 {"gid","branch_id","state":"rolled_back"})",
         .why = "the coordinator sends rollback for ever until this answer comes",
         .run = rollback},
        {.group = "end",
         .name = "rollback-repeat",
         .claim = "rollback again is a 200",
         .contract = R"(200 {"gid","branch_id","state":"rolled_back"})",
         .why = "an acknowledgement can be lost",
         .run = rollback_repeat},
        {.group = "end",
         .name = "rollback-unknown",
         .claim = "rollback of a branch never seen is a 200",
         .contract = "rollback also for a branch never seen",
         .why = "the prepare may be late, or lost; the transaction could never end otherwise",
         .run = rollback_unknown},
        {.group = "end",
         .name = "late-prepare",
         .claim = "a prepare that comes after its rollback is refused, again and again",
         .contract =
             "a rollback before its prepare leaves a tombstone, and the late one is refused "
             "(409 already_rolled_back)",
         .why = "the transaction is over: what is promised now would be held for ever",
         .run = late_prepare},
        {.group = "end",
         .name = "prepare-after-rollback",
         .claim = "a branch that was rolled back is not promised again",
         .contract = "409 already_rolled_back",
         .why = "the transaction is over: what is promised now would be held for ever",
         .run = prepare_after_rollback},
        {.group = "end",
         .name = "commit-after-rollback",
         .claim = "commit of a branch that was rolled back is a 409 already_rolled_back",
         .contract = "409 already_rolled_back against the decision",
         .why = "only this tells the coordinator that a person must look; a 200 hides a lost half",
         .run = commit_after_rollback},
        {.group = "end",
         .name = "commit-of-tombstone",
         .claim = "commit of a branch rolled back before its prepare is a 409 too",
         .contract = "a rollback before its prepare leaves a tombstone; 409 already_rolled_back",
         .why = "only this tells the coordinator that a person must look; a 200 hides a lost half",
         .run = commit_of_a_tombstone},
        {.group = "end",
         .name = "rollback-after-commit",
         .claim = "rollback of a committed branch is a 409 already_committed and changes nothing",
         .contract = "409 already_committed against the decision",
         .why = "what is committed stays; taking it back in silence breaks all or nothing",
         .run = rollback_after_commit},
    };
}

}  // namespace twophase::conformance
