// Which log of a coordinator is listened to. A participant may do without all this: then it tells
// nothing of the logs that it knows, and an old copy of a coordinator's log is obeyed like the
// right one.
#include "tests/conformance/checks.hpp"

#include <thread>

namespace twophase::conformance {
namespace {

Introduction told(Session& s) {
    Introduction introduction = s.introduction();
    if (!introduction.is_told) throw NotOffered{does_not_fence_logs};
    return introduction;
}

/// The log that the participant listens to from now on, ours.
const Log& listened_to(Session& s) {
    told(s);
    if (s.log().log.empty()) s.take_log();
    return s.log();
}

void expect_other(const Session& s, const Answer& answer, const std::string& sent_by) {
    expect_problem(answer, 409, "other_log");
    expect(text_in(answer, "log") == s.log().log && text_in(answer, "told_log") == sent_by,
           answer,
           R"(both identities: "log":")" + s.log().log + R"(","told_log":")" + sent_by + '"');
}

/// What is refused, sent by `log`, leaves a promised branch and an unknown one as they were.
void expect_refused(Session& s, const Log& log) {
    const Begun begun = s.prepared();
    const Branch never = s.fresh();
    for (const Verb verb : {Verb::prepare, Verb::commit, Verb::rollback}) {
        Message message = s.message(verb, verb == Verb::prepare ? never : begun.branch);
        message.log = log;
        message.epoch += 1'000;  // nor may it move the mark that fences our own starts
        expect_other(s, s.try_once(message), log.log);
    }
    expect_same(s.prepare(begun.branch), begun.yes);
    expect_problem(s.commit(never), 404, "never_prepared");
    expect_state(s.send(s.commit_of(begun)), "committed");
}

void tells_of_logs(Session& s) {
    const Introduction introduction = told(s);
    const Answer page = s.introduction_page("a-nonce");
    expect(read_introduction(page).nonce == "a-nonce", page, R"("nonce":"a-nonce", as was asked)");
    expect(introduction.has_store,
           page,
           R"("store":{"log":…,"epoch":…,"start":…,"position":…}: which store it has itself)");
    expect(introduction.is_configured, page, R"("configured":true: it knows whom to ask about us)");
}

void waits_for_confirmation(Session& s) {
    const Introduction before = told(s);
    Log claimed = new_log();
    if (before.has_known) claimed.replaces = {before.known.log};
    const Branch branch = s.fresh();
    Message prepare = s.message(Verb::prepare, branch);
    prepare.log = claimed;
    s.stand_in().confirm(std::nullopt);
    const Answer first = s.try_once(prepare);
    // That it asks at all is another check's question.
    s.stand_in().wait_identity_asked(1, s.options().inquiry_limit);
    const Answer again = s.try_once(prepare);
    s.stand_in().confirm(s.log());
    for (const Answer& answer : {first, again})
        expect(answer.status == 503, answer, "503 until the coordinator's URL confirms that log");
    const Introduction after = told(s);
    expect(after.has_known == before.has_known && after.known.log == before.known.log,
           s.introduction_page("1"),
           "the log that was known before: \"" + before.known.log + '"');
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void takes_a_confirmed_log(Session& s) {
    told(s);
    s.take_log();
    const Introduction now = told(s);
    expect(now.known.log == s.log().log && now.known.start == s.log().start &&
               now.known_epoch == s.epoch() && now.known.position >= s.log().position,
           s.introduction_page("1"),
           R"("known":{"log":")" + s.log().log + R"(","epoch":)" + std::to_string(s.epoch()) +
               R"(,"start":")" + s.log().start + R"(","position":)" +
               std::to_string(s.log().position) + ",…}");
}

void refuses_another_log(Session& s) {
    listened_to(s);
    expect_refused(s, new_log());
}

void refuses_a_message_without_log(Session& s) {
    listened_to(s);
    expect_refused(s, {});
}

void refuses_a_twin(Session& s) {
    listened_to(s);
    const Begun begun = s.prepared();
    Message message = s.message(Verb::rollback, begun.branch);
    message.log.start = new_token();
    expect_problem(s.send(message), 409, "stale_epoch");
    expect_state(s.send(s.commit_of(begun)), "committed");
}

void follows_a_successor(Session& s) {
    const Log before = listened_to(s);
    const Begun begun = s.prepared();
    s.take_log();  // which names the one before among those that it replaces
    expect_same(s.prepare(begun.branch), begun.yes);
    expect_refused(s, before);
    expect_state(s.send(s.commit_of(begun)), "committed");
}

}  // namespace

std::vector<Check> log_checks() {
    constexpr const char* fenced =
        "a message of another log under a known coordinator id, or of none, is a 409 other_log "
        "with both identities (log, told_log); nothing changes";
    constexpr const char* first_use =
        "a log that is new is taken when GET {coordinator}/v1/identity confirms it; until then 503";
    const auto row = [](const char* name,
                        const char* claim,
                        const char* contract,
                        const char* why,
                        void (*run)(Session&)) {
        return Check{.group = "log",
                     .name = name,
                     .claim = claim,
                     .contract = contract,
                     .why = why,
                     .needs = Needs::listen,
                     .run = run};
    };
    return {
        row("log-told",
            "the list of branches in doubt tells which log is known, and answers the question",
            "with coordinator= and nonce= the list has known, configured, store and nonce",
            "a coordinator sends nothing before it was told; a list from a cache tells of the past",
            tells_of_logs),
        row("log-unconfirmed",
            "a log that the coordinator does not confirm gets 503, and nothing is known of it",
            first_use,
            "whoever can reach the participant could send a message and lock the coordinator out",
            waits_for_confirmation),
        row("log-taken",
            "a log that the coordinator confirms is listened to, and told in the list",
            first_use,
            "a new coordinator's first message would be refused for ever",
            takes_a_confirmed_log),
        row("log-other",
            "prepare, commit and rollback of another log are a 409 other_log and change nothing",
            fenced,
            "an old copy of the log rolls back what the right one has committed",
            refuses_another_log),
        row("log-missing",
            "so are those that name no log",
            fenced,
            "an old copy would only have to say less",
            refuses_a_message_without_log),
        row("log-twin",
            "another start of the epoch that was seen is a 409 stale_epoch",
            "a start is known by its token; of one epoch there is one",
            "two processes on two copies of one log have the same epoch",
            refuses_a_twin),
        row("log-successor",
            "a confirmed successor of the known log is listened to, and the log before no more",
            "a log that names the known one in `replaces` takes its place once confirmed",
            "a participant that was away during a succession would need a person",
            follows_a_successor),
    };
}

}  // namespace twophase::conformance
