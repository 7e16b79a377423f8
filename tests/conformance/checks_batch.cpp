// Arrays of messages of one verb.
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

std::vector<Branch> fresh(Session& s, std::size_t count) {
    std::vector<Branch> branches;
    for (std::size_t i = 0; i < count; ++i) branches.push_back(s.fresh());
    return branches;
}

std::vector<Message> messages(const Session& s, Verb verb, const std::vector<Branch>& branches) {
    std::vector<Message> all;
    for (const Branch& branch : branches) all.push_back(s.message(verb, branch));
    return all;
}

void whole(Session& s) {
    const std::vector<Branch> branches = fresh(s, s.options().batch);
    for (const Answer& item : s.send_array(messages(s, Verb::prepare, branches))) expect_yes(item);
    for (const Answer& item : s.send_array(messages(s, Verb::rollback, branches)))
        expect_state(item, "rolled_back");
}

void of_one(Session& s) {
    const std::vector<Branch> one = fresh(s, 1);
    expect_yes(s.send_array(messages(s, Verb::prepare, one)).front());
    expect_state(s.send_array(messages(s, Verb::rollback, one)).front(), "rolled_back");
}

void mixed(Session& s) {
    const std::vector<Branch> branches = fresh(s, 3);
    std::vector<Message> prepares = messages(s, Verb::prepare, branches);
    prepares[1].participant += "-other";
    const std::vector<Answer> votes = s.send_array(prepares);
    expect_yes(votes[0]);
    expect_no(votes[1]);
    expect_yes(votes[2]);
    const std::vector<Answer> ends = s.send_array(messages(s, Verb::commit, branches));
    expect_state(ends[0], "committed");
    expect_problem(ends[1], 404, "never_prepared");
    expect_state(ends[2], "committed");
}

/// An item that is no message, which Session::send_array could not have made.
void malformed(Session& s) {
    const std::vector<Branch> two = fresh(s, 2);
    const std::vector<Message> prepares = messages(s, Verb::prepare, two);
    const std::string bad =
        to_json(without(members_of(s.message(Verb::prepare, s.fresh())), "epoch"));
    const std::string body =
        "[" + to_json(prepares[0]) + "," + bad + ",7," + to_json(prepares[1]) + "]";
    Request request = raw_request(Verb::prepare, body, two[0]);
    const Answer answer = s.send(request);
    expect(answer.status == 200 && answer.has_items && answer.items.size() == 4,
           answer,
           "200 and an array of 4 answers");
    for (const std::size_t i : {0U, 3U})
        expect(answer.items[i].status == 200, answer, "status 200 in items 0 and 3");
    for (const std::size_t i : {1U, 2U})
        expect(answer.items[i].status == 400 || answer.items[i].status == 422,
               answer,
               "status 400 (or 422) in items 1 and 2, which are no messages");
    for (const Branch& branch : two) expect_state(s.rollback(branch), "rolled_back");
}

void as_single(Session& s) {
    const std::vector<Branch> branches = fresh(s, 2);
    const std::vector<Answer> votes = s.send_array(messages(s, Verb::prepare, branches));
    for (std::size_t i = 0; i < votes.size(); ++i) {
        expect_yes(votes[i]);
        expect_same(s.prepare(branches[i]), votes[i]);
    }
}

void twice_the_same(Session& s) {
    const Branch branch = s.fresh();
    const std::vector<Answer> votes = s.send_array(messages(s, Verb::prepare, {branch, branch}));
    expect_yes(votes[0]);
    expect_same(votes[1], votes[0]);
    const std::vector<Answer> ends = s.send_array(messages(s, Verb::commit, {branch, branch}));
    expect_state(ends[0], "committed");
    expect_same(ends[1], ends[0]);
}

}  // namespace

std::vector<Check> batch_checks() {
    constexpr const char* arrays =
        "answered 200 by an array of the same length and order whose items are the single answers "
        "plus \"status\"; items succeed and fail singly";
    constexpr const char* why =
        "the coordinator gathers calls under load; an array that it can't read is asked again item "
        "by item";
    return {
        {.group = "batch",
         .name = "batch-whole",
         .claim = "an array is answered by an array of the same length and order, with statuses",
         .contract = arrays,
         .why = why,
         .needs = batch,
         .run = whole},
        {.group = "batch",
         .name = "batch-of-one",
         .claim = "an array of one is answered by an array of one",
         .contract = arrays,
         .why = why,
         .needs = batch,
         .run = of_one},
        {.group = "batch",
         .name = "batch-mixed",
         .claim = "a message that is refused doesn't touch its neighbours",
         .contract = arrays,
         .why = "strangers' transactions share an array; one must not roll back the other",
         .needs = batch,
         .run = mixed},
        {.group = "batch",
         .name = "batch-malformed",
         .claim = "an item that is no message fails itself alone",
         .contract = arrays,
         .why = "strangers' transactions share an array; one must not roll back the other",
         .needs = batch,
         .run = malformed},
        {.group = "batch",
         .name = "batch-as-single",
         .claim = "what was prepared in an array gets the equal answer when asked singly",
         .contract = "whose items are the single answers; a repeat of a yes gets the first answer",
         .why = "an array whose answer was lost is asked again item by item",
         .needs = batch,
         .run = as_single},
        {.group = "batch",
         .name = "batch-twice",
         .claim = "the same message twice in one array gets two equal answers",
         .contract = "items are the single answers; a repeat of a yes gets the first answer",
         .why = "a repeat may wait beside its original and leave with it",
         .needs = batch,
         .run = twice_the_same},
    };
}

}  // namespace twophase::conformance
