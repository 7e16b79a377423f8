// Requests about one branch at the same time: one effect, and one end.
#include "tests/conformance/checks.hpp"

#include <algorithm>

namespace twophase::conformance {
namespace {

constexpr int rounds = 4;  // of what two requests may do to each other

std::vector<Message> copies(const Message& message, std::size_t count) {
    return std::vector<Message>(count, message);
}

void prepares(Session& s) {
    const Branch branch = s.fresh();
    const auto answers =
        s.send_together(copies(s.message(Verb::prepare, branch), s.options().parallel));
    for (const Answer& answer : answers) expect_yes(answer);
    const Answer later = s.prepare(branch);
    for (const Answer& answer : answers) expect_same(later, answer);
    expect_state(s.rollback(branch), "rolled_back");
}

void commits(Session& s) {
    const Begun begun = s.prepared();
    const auto answers = s.send_together(copies(s.commit_of(begun), s.options().parallel));
    for (const Answer& answer : answers) expect_state(answer, "committed");
    const Answer later = s.send(s.commit_of(begun));
    for (const Answer& answer : answers) expect_same(later, answer);
}

void rollbacks(Session& s) {
    const Branch branch = s.prepared().branch;
    const auto answers =
        s.send_together(copies(s.message(Verb::rollback, branch), s.options().parallel));
    for (const Answer& answer : answers) expect_state(answer, "rolled_back");
    expect_problem(s.prepare(branch), 409, "already_rolled_back");
}

void prepare_against_rollback(Session& s) {
    for (int round = 0; round < rounds; ++round) {
        const Branch branch = s.fresh();
        const auto answers =
            s.send_together({s.message(Verb::prepare, branch), s.message(Verb::rollback, branch)});
        if (answers[0].status == 200)
            expect_yes(answers[0]);
        else
            expect_problem(answers[0], 409, "already_rolled_back");
        expect_state(answers[1], "rolled_back");
        expect_problem(s.prepare(branch), 409, "already_rolled_back");
        expect_problem(s.commit(branch), 409, "already_rolled_back");
    }
}

void commit_against_rollback(Session& s) {
    for (int round = 0; round < rounds; ++round) {
        const Begun begun = s.prepared();
        const auto answers =
            s.send_together({s.commit_of(begun), s.message(Verb::rollback, begun.branch)});
        const bool is_committed = answers[0].status == 200;
        if (is_committed) {
            expect_state(answers[0], "committed");
            expect_problem(answers[1], 409, "already_committed");
        } else {
            expect_problem(answers[0], 409, "already_rolled_back");
            expect_state(answers[1], "rolled_back");
        }
        const Answer later = s.send(s.commit_of(begun));
        if (is_committed)
            expect_same(later, answers[0]);
        else
            expect_problem(later, 409, "already_rolled_back");
    }
}

void many_branches(Session& s) {
    std::vector<Message> messages;
    for (std::size_t i = 0; i < s.options().parallel; ++i)
        messages.push_back(s.message(Verb::prepare, s.fresh()));
    for (const Answer& answer : s.send_together(messages)) expect_yes(answer);
    for (Message& message : messages) message.verb = Verb::rollback;
    for (const Answer& answer : s.send_together(messages)) expect_state(answer, "rolled_back");
}

}  // namespace

std::vector<Check> concurrency_checks() {
    constexpr const char* alone =
        "a branch is (gid, branch_id) alone: a repeat of a yes gets the first answer";
    constexpr const char* copies_meet =
        "a call that timed out may still be under way when its repeat arrives";
    return {
        {.group = "concurrency",
         .name = "parallel-prepares",
         .claim = "one prepare many times at once gets equal answers",
         .contract = alone,
         .why = copies_meet,
         .run = prepares},
        {.group = "concurrency",
         .name = "parallel-commits",
         .claim = "one commit many times at once gets equal answers",
         .contract = "a message delivered more than once has its effect once",
         .why = copies_meet,
         .run = commits},
        {.group = "concurrency",
         .name = "parallel-rollbacks",
         .claim = "one rollback many times at once is a 200 each time",
         .contract = "a message delivered more than once has its effect once",
         .why = copies_meet,
         .run = rollbacks},
        {.group = "concurrency",
         .name = "prepare-against-rollback",
         .claim = "prepare and rollback at the same time end rolled back",
         .contract =
             "a rollback before its prepare leaves a tombstone, and the late one is refused",
         .why = "at the vote deadline the rollback leaves while the prepare is still on its way",
         .run = prepare_against_rollback},
        {.group = "concurrency",
         .name = "commit-against-rollback",
         .claim = "of commit and rollback at the same time one wins, and the other is told so",
         .contract = "409 already_committed / already_rolled_back against the decision",
         .why = "a person's hand and a coordinator may meet; both believing they won loses a half",
         .run = commit_against_rollback},
        {.group = "concurrency",
         .name = "parallel-branches",
         .claim = "different branches at the same time are all promised",
         .contract = "prepare every branch, all at once",
         .why = "a refusal because others are at work rolls back a transaction that was in order",
         .run = many_branches},
    };
}

}  // namespace twophase::conformance
