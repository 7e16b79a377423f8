// The answer to prepare: a yes, its repeat, a changed one, a refusal.
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

void yes(Session& s) { expect_yes(s.prepare(s.fresh())); }

void repeat(Session& s) {
    const auto [branch, first] = s.prepared();
    expect_same(s.prepare(branch), first);
}

void repeat_after_start(Session& s) {
    const auto [branch, first] = s.prepared();
    s.raise_epoch();
    Message again = s.message(Verb::prepare, branch);
    again.request_id = "another";
    expect_same(s.send(again), first);
}

void changed_payload(Session& s) {
    const auto [branch, first] = s.prepared();
    Message changed = s.message(Verb::prepare, branch);
    changed.payload = s.options().changed_payload;
    expect_problem(s.send(changed), 422);
    expect_same(s.prepare(branch), first);
    expect_state(s.rollback(branch), "rolled_back");
}

void changed_operation(Session& s) {
    const auto [branch, first] = s.prepared();
    Message changed = s.message(Verb::prepare, branch);
    changed.operation += "_changed";
    expect_problem(s.send(changed), 422);
    expect_same(s.prepare(branch), first);
    expect_state(s.rollback(branch), "rolled_back");
}

void repeat_after_commit(Session& s) {
    const Begun begun = s.prepared();
    expect_state(s.send(s.commit_of(begun)), "committed");
    expect_same(s.prepare(begun.branch), begun.yes);
    expect(!s.is_in_doubt(begun.branch), begun.yes, "that the repeat leaves nothing in doubt");
}

Message refused(const Session& s, const Branch& branch) {
    Message message = s.message(Verb::prepare, branch);
    message.payload = s.options().refused_payload;
    return message;
}

void refusal(Session& s) { expect_no(s.send(refused(s, s.fresh()))); }

void refusal_binds_nobody(Session& s) {
    const Branch branch = s.fresh();
    const Answer no = s.send(refused(s, branch));
    if (no.status == 200) throw CannotCheck{"the refused payload was not refused"};
    expect(
        !s.is_in_doubt(branch), no, "that a refused branch is not in the list of those in doubt");
    expect_problem(s.commit(branch), 404, "never_prepared");
    expect_yes(s.prepare(branch));
}

void rollback_after_refusal(Session& s) {
    const Branch branch = s.fresh();
    const Answer no = s.send(refused(s, branch));
    if (no.status == 200) throw CannotCheck{"the refused payload was not refused"};
    expect_state(s.rollback(branch), "rolled_back");
    expect_problem(s.prepare(branch), 409, "already_rolled_back");
}

}  // namespace

std::vector<Check> vote_checks() {
    return {
        {.group = "vote",
         .name = "prepare-yes",
         .claim = "prepare gets a yes that names its branch",
         .contract = R"(200 {"gid","branch_id","vote":"prepared","prepare_id"?,"result"?}, )"
                     "echoing gid and branch_id",
         .why = "an answer of another shape, or about another branch, is no vote: the transaction "
                "waits for its deadline and is rolled back",
         .run = yes},
        {.group = "vote",
         .name = "prepare-repeat",
         .claim = "the same prepare again gets the first answer",
         .contract = "a repeat of a yes gets the first answer",
         .why = "an answer can be lost after the promise was made; the coordinator asks again and "
                "must learn the same prepare_id, without a second promise",
         .run = repeat},
        {.group = "vote",
         .name = "prepare-repeat-epoch",
         .claim = "the same prepare under a higher epoch gets the first answer",
         .contract = "compared by operation and payload, never by epoch or headers",
         .why = "a coordinator that restarts repeats what it asked before, under its next epoch",
         .run = repeat_after_start},
        {.group = "vote",
         .name = "prepare-repeat-ended",
         .claim = "a late copy of a prepare promises nothing anew after the commit",
         .contract = "a branch is (gid, branch_id) alone: a repeat of a yes gets the first answer",
         .why = "networks deliver copies late; a second promise would stay in doubt for ever, or "
                "be committed a second time",
         .run = repeat_after_commit},
        {.group = "vote",
         .name = "changed-payload",
         .claim = "another payload for a promised branch is a 422 and changes nothing",
         .contract = "another payload 422",
         .why = "what is committed must be what was promised, not what came later under its name",
         .run = changed_payload},
        {.group = "vote",
         .name = "changed-operation",
         .claim = "another operation for a promised branch is a 422 and changes nothing",
         .contract = "compared by operation and payload; another 422",
         .why = "what is committed must be what was promised, not what came later under its name",
         .run = changed_operation},
        {.group = "vote",
         .name = "refusal",
         .claim = "what can't be done is refused with the contract's body",
         .contract = R"(409 "refused" or a fault of the request: problem+json with )"
                     R"({"gid","branch_id","code","message"})",
         .why = "any other answer is unclear: the client waits for the deadline and is not told "
                "what was wrong",
         .needs = refused_payload,
         .run = refusal},
        {.group = "vote",
         .name = "refusal-binds-nobody",
         .claim = "a refused branch isn't in doubt, can't be committed, and may be asked again",
         .contract = "participants remember a yes and a tombstone; a refusal binds nobody",
         .why = "nobody would ever end what a refusal left behind",
         .needs = refused_payload,
         .run = refusal_binds_nobody},
        {.group = "vote",
         .name = "refusal-rollback",
         .claim = "rollback after a refusal is a 200 and makes the refusal final",
         .contract =
             "after a rollback decision the coordinator sends rollback to every branch asked, "
             "the refusing one too, until acknowledged",
         .why = "without it a late copy of the prepare could be promised, with nobody to end it",
         .needs = refused_payload,
         .run = rollback_after_refusal},
    };
}

}  // namespace twophase::conformance
