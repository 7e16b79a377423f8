// What the participant owns, as --observe shows it, before and after.
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

void expect_unchanged(Session& s,
                      const std::string& before,
                      const Answer& after_this,
                      const std::string& what) {
    const std::string now = s.observe();
    if (now == before) return;
    throw DidNotHold{
        after_this.sent, came(after_this) + "; then --observe shows: " + now, what + ": " + before};
}

void rolled_back(Session& s) {
    const std::string before = s.observe();
    const Begun begun = s.prepared();
    const Answer answer = s.rollback(begun.branch);
    expect_unchanged(s, before, answer, "what was there before the prepare");
}

void repeats_of_prepare(Session& s) {
    const Begun begun = s.prepared();
    const std::string before = s.observe();
    Answer last;
    for (const Answer& answer : s.send_together(
             std::vector<Message>(s.options().parallel, s.message(Verb::prepare, begun.branch))))
        last = answer;
    expect_unchanged(s, before, last, "what was there after the first prepare");
}

void repeats_of_commit(Session& s) {
    const Begun begun = s.prepared();
    s.send(s.commit_of(begun));
    const std::string before = s.observe();
    Answer last;
    for (const Answer& answer :
         s.send_together(std::vector<Message>(s.options().parallel, s.commit_of(begun))))
        last = answer;
    expect_unchanged(s, before, last, "what was there after the first commit");
}

void at_the_same_time(Session& s) {
    const Begun alone = s.prepared();
    const std::string with_one = s.observe();
    s.rollback(alone.branch);
    const auto answers = s.send_together(
        std::vector<Message>(s.options().parallel, s.message(Verb::prepare, s.fresh())));
    expect_unchanged(s, with_one, answers.back(), "what one prepare leaves");
}

void changed(Session& s) {
    const Begun begun = s.prepared();
    const std::string before = s.observe();
    Message other = s.message(Verb::prepare, begun.branch);
    other.payload = s.options().changed_payload;
    expect_unchanged(s, before, s.send(other), "what was there before the changed prepare");
}

void refused(Session& s) {
    const std::string before = s.observe();
    Message message = s.message(Verb::prepare, s.fresh());
    message.payload = s.options().refused_payload;
    expect_unchanged(s, before, s.send(message), "what was there before the refusal");
}

void compensated(Session& s) {
    const std::string before = s.observe();
    const Begun begun = s.executed();
    s.execute(begun.branch);
    s.compensate(begun.branch);
    expect_unchanged(s, before, s.compensate(begun.branch), "what was there before the execute");
}

}  // namespace

std::vector<Check> effects_checks() {
    constexpr const char* once = "a message delivered more than once has its effect once";
    return {
        {.group = "effects",
         .name = "rollback-restores",
         .claim = "after a rollback everything is as before the prepare",
         .contract = "rollback takes back what prepare reserved",
         .why = "what stays reserved is lost to its owner",
         .needs = observe,
         .run = rolled_back},
        {.group = "effects",
         .name = "prepare-once",
         .claim = "repeats of a prepare reserve nothing more",
         .contract = once,
         .why = "what is reserved twice is released once",
         .needs = observe,
         .run = repeats_of_prepare},
        {.group = "effects",
         .name = "prepare-once-parallel",
         .claim = "copies of a prepare at the same time reserve as much as one",
         .contract = once,
         .why = "what is reserved twice is released once",
         .needs = observe,
         .run = at_the_same_time},
        {.group = "effects",
         .name = "commit-once",
         .claim = "repeats of a commit change nothing more",
         .contract = once,
         .why = "somebody would pay twice",
         .needs = observe,
         .run = repeats_of_commit},
        {.group = "effects",
         .name = "changed-payload-inert",
         .claim = "a prepare with a changed payload changes nothing",
         .contract = "another payload 422",
         .why = "what is committed must be what was promised",
         .needs = observe,
         .run = changed},
        {.group = "effects",
         .name = "refusal-inert",
         .claim = "a refused prepare reserves nothing",
         .contract = "a refusal binds nobody",
         .why = "nobody would ever release it",
         .needs = observe | refused_payload,
         .run = refused},
        {.group = "effects",
         .name = "compensate-restores",
         .claim = "execute and compensate, each twice, leave everything as before",
         .contract = once,
         .why = "somebody would lose, or gain, what a failed saga touched",
         .needs = observe | saga,
         .run = compensated},
    };
}

}  // namespace twophase::conformance
