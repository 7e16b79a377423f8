// The verbs of sagas and eventual delivery: execute and compensate.
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

void yes(Session& s) {
    const Branch branch = s.fresh();
    const Answer answer = s.execute(branch);
    expect_executed(answer);
    expect(!s.is_in_doubt(branch), answer, "that what was executed is not in doubt");
}

void repeat(Session& s) {
    const auto [branch, first] = s.executed();
    expect_same(s.execute(branch), first);
    Message later = s.message(Verb::execute, branch);
    later.retry_count = 2;
    expect_same(s.send(later), first);
}

void changed(Session& s) {
    const auto [branch, first] = s.executed();
    Message other = s.message(Verb::execute, branch);
    other.payload = s.options().changed_payload;
    expect_problem(s.send(other), 422);
    expect_same(s.execute(branch), first);
}

void refusal(Session& s) {
    const Branch branch = s.fresh();
    Message message = s.message(Verb::execute, branch);
    message.payload = s.options().refused_payload;
    expect_no(s.send(message));
    expect_executed(s.execute(branch));
}

void compensate(Session& s) {
    const Branch branch = s.executed().branch;
    expect_state(s.compensate(branch), "compensated");
    expect_state(s.compensate(branch), "compensated");
    expect_problem(s.execute(branch), 409, "already_rolled_back");
}

void late_execute(Session& s) {
    const Branch branch = s.fresh();
    expect_state(s.compensate(branch), "compensated");
    expect_state(s.compensate(branch), "compensated");
    expect_problem(s.execute(branch), 409, "already_rolled_back");
    expect_problem(s.execute(branch), 409, "already_rolled_back");
}

void stale(Session& s) {
    const Branch branch = s.executed().branch;
    s.raise_epoch();
    s.executed();
    for (const Verb verb : {Verb::execute, Verb::compensate}) {
        Message message = s.message(verb, verb == Verb::execute ? s.fresh() : branch);
        message.epoch = s.epoch() - 1;
        expect_problem(s.send(message), 409, "stale_epoch");
    }
    expect_state(s.compensate(branch), "compensated");
}

void at_the_same_time(Session& s) {
    const Branch branch = s.fresh();
    const auto answers = s.send_together(
        std::vector<Message>(s.options().parallel, s.message(Verb::execute, branch)));
    for (const Answer& answer : answers) expect_executed(answer);
    const Answer later = s.execute(branch);
    for (const Answer& answer : answers) expect_same(later, answer);
}

}  // namespace

std::vector<Check> saga_checks() {
    constexpr const char* repeats =
        "a repeat of a yes gets the first answer; compared by operation and payload";
    constexpr const char* tombstone =
        "a compensate before its execute leaves a tombstone, and the late one is refused";
    return {
        {.group = "saga",
         .name = "execute-yes",
         .claim = "execute gets a yes that names its branch, and leaves nothing in doubt",
         .contract = R"(200 {"gid","branch_id","vote":"executed","result"?})",
         .why = "an answer of another shape is asked again, for as long as it takes",
         .needs = saga,
         .run = yes},
        {.group = "saga",
         .name = "execute-repeat",
         .claim = "the same execute again gets the first answer, at another retry_count too",
         .contract = repeats,
         .why = "an answer can be lost after the work was done",
         .needs = saga,
         .run = repeat},
        {.group = "saga",
         .name = "execute-changed",
         .claim = "another payload for an executed branch is a 422",
         .contract = "another payload 422",
         .why = "one branch does one thing",
         .needs = saga,
         .run = changed},
        {.group = "saga",
         .name = "execute-refusal",
         .claim = "a refused execute binds nobody: the branch may be asked again",
         .contract = "a delivery after a commit decision may be refused, and later accepted",
         .why = "in eventual delivery a refusal is tried again later",
         .needs = saga | refused_payload,
         .run = refusal},
        {.group = "saga",
         .name = "compensate",
         .claim = "compensate takes an executed branch back, once, and for ever",
         .contract = R"(200 {…,"state":"compensated"}; 409 already_rolled_back)",
         .why = "the coordinator sends compensate for ever until this answer comes",
         .needs = saga,
         .run = compensate},
        {.group = "saga",
         .name = "late-execute",
         .claim = "an execute that comes after its compensate is refused, again and again",
         .contract = tombstone,
         .why = "nobody would compensate what ran after the end",
         .needs = saga,
         .run = late_execute},
        {.group = "saga",
         .name = "saga-stale-epoch",
         .claim = "execute and compensate of a lower epoch are a 409 stale_epoch",
         .contract =
             "keeps the highest epoch per coordinator durably and answers lower ones stale_epoch",
         .why = "a coordinator that was replaced must not go on beside its successor",
         .needs = saga,
         .run = stale},
        {.group = "saga",
         .name = "parallel-executes",
         .claim = "one execute many times at once gets equal answers",
         .contract = repeats,
         .why = "a call that timed out may still be under way when its repeat arrives",
         .needs = saga,
         .run = at_the_same_time},
    };
}

}  // namespace twophase::conformance
