// Who is meant, who speaks, which branch it is; and which start of a coordinator speaks.
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

void another_participant(Session& s) {
    const Branch branch = s.fresh();
    Message prepare = s.message(Verb::prepare, branch);
    prepare.participant += "-other";
    expect_no(s.send(prepare));
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void end_for_another_participant(Session& s) {
    const auto [branch, first] = s.prepared();
    for (const Verb verb : {Verb::commit, Verb::rollback}) {
        Message end = s.message(verb, branch);
        end.participant += "-other";
        const Answer answer = s.caller().call(request_of(end));
        expect(answer.status >= 400 && answer.status < 500 && !answer.code.empty(),
               answer,
               "a 4xx with a code: another participant is meant");
        expect_same(s.prepare(branch), first);
    }
    expect_state(s.rollback(branch), "rolled_back");
}

void unknown_coordinator(Session& s) {
    const Branch branch = s.fresh();
    Message prepare = s.message(Verb::prepare, branch);
    prepare.coordinator += "-unknown";
    expect_no(s.send(prepare));
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void branches_of_one_transaction(Session& s) {
    const Begun first = s.prepared();
    const Branch second{.gid = first.branch.gid, .branch_id = "2"};
    expect_yes(s.prepare(second));
    expect_state(s.send(s.commit_of(first)), "committed");
    expect_state(s.rollback(second), "rolled_back");
    expect_problem(s.commit(second), 409, "already_rolled_back");
    expect_problem(s.rollback(first.branch), 409, "already_committed");
}

Message stale(const Session& s, Verb verb, const Branch& branch) {
    Message message = s.message(verb, branch);
    message.epoch = s.epoch() - 1;
    return message;
}

void stale_prepare(Session& s) {
    s.raise_epoch();
    s.prepared();
    const Branch branch = s.fresh();
    expect_problem(s.send(stale(s, Verb::prepare, branch)), 409, "stale_epoch");
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void stale_commit(Session& s) {
    const Branch branch = s.prepared().branch;
    s.raise_epoch();
    s.prepared();
    expect_problem(s.send(stale(s, Verb::commit, branch)), 409, "stale_epoch");
    expect_state(s.rollback(branch), "rolled_back");
}

void stale_rollback(Session& s) {
    const Begun begun = s.prepared();
    s.raise_epoch();
    s.prepared();
    const Branch unknown = s.fresh();
    expect_problem(s.send(stale(s, Verb::rollback, begun.branch)), 409, "stale_epoch");
    expect_problem(s.send(stale(s, Verb::rollback, unknown)), 409, "stale_epoch");
    expect_state(s.send(s.commit_of(begun)), "committed");
    expect_yes(s.prepare(unknown));
}

void epoch_of_a_rollback(Session& s) {
    s.raise_epoch();
    expect_state(s.rollback(s.fresh()), "rolled_back");
    expect_problem(s.send(stale(s, Verb::prepare, s.fresh())), 409, "stale_epoch");
}

}  // namespace

std::vector<Check> identity_checks() {
    return {
        {.group = "identity",
         .name = "another-participant",
         .claim = "a prepare that names another participant is refused",
         .contract = "participant (the one meant; another refuses)",
         .why = "two swapped URLs in a configuration must not do one service's work in another",
         .run = another_participant},
        {.group = "identity",
         .name = "another-participant-end",
         .claim = "a commit or rollback that names another participant is refused, without effect",
         .contract = "participant (the one meant; another refuses)",
         .why = "two swapped URLs in a configuration must not end one service's branch in another",
         .run = end_for_another_participant},
        {.group = "identity",
         .name = "unknown-coordinator",
         .claim = "a prepare of a coordinator that isn't configured is refused",
         .contract = "a coordinator that it has no inquiry URL for is refused at prepare",
         .why =
             "who can't be asked can't be trusted with a promise: it would stay in doubt for ever",
         .run = unknown_coordinator},
        {.group = "identity",
         .name = "two-branches",
         .claim = "two branches of one transaction are two, and end each by itself",
         .contract = "a branch is (gid, branch_id) alone",
         .why = "a transaction may have several branches at one participant",
         .run = branches_of_one_transaction},
    };
}

std::vector<Check> epoch_checks() {
    return {
        {.group = "epoch",
         .name = "stale-prepare",
         .claim = "a prepare of a lower epoch is a 409 stale_epoch and promises nothing",
         .contract =
             "keeps the highest epoch per coordinator durably and answers lower ones stale_epoch",
         .why = "a coordinator that was replaced must not go on beside its successor",
         .run = stale_prepare},
        {.group = "epoch",
         .name = "stale-commit",
         .claim = "a commit of a lower epoch is a 409 stale_epoch and commits nothing",
         .contract =
             "keeps the highest epoch per coordinator durably and answers lower ones stale_epoch",
         .why = "the successor may have decided otherwise",
         .run = stale_commit},
        {.group = "epoch",
         .name = "stale-rollback",
         .claim =
             "a rollback of a lower epoch is a 409 stale_epoch, rolls nothing back and leaves no "
             "tombstone",
         .contract =
             "keeps the highest epoch per coordinator durably and answers lower ones stale_epoch",
         .why = "the successor may have decided otherwise",
         .run = stale_rollback},
        {.group = "epoch",
         .name = "epoch-of-rollback",
         .claim = "an epoch counts from the first message that carries it, a rollback too",
         .contract = "keeps the highest epoch per coordinator durably",
         .why = "the first message after a restart may be a rollback of an earlier transaction",
         .run = epoch_of_a_rollback},
    };
}

}  // namespace twophase::conformance
