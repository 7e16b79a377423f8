// What must be there after the participant was restarted. One restart serves all of these checks
// but the one with traffic.
#include "tests/conformance/checks.hpp"

#include <atomic>
#include <thread>

namespace twophase::conformance {
namespace {

constexpr std::size_t most_in_the_middle = 64;

/// What was made before the restart, for the checks to look for after it.
struct Restarted {
    std::string failure;  // why there is nothing to look at
    Begun prepared;
    Begun to_commit;
    Begun committed;
    Answer commit;
    Branch rolled_back;
    Branch tombstone;
    Begun executed;  // these two with --saga
    Branch never_run;
    bool has_log = false;
    Answer other;  // to a prepare of another log
    Answer stale;  // to the first message after the restart, which has a lower epoch
};

void make(Session& s, Restarted& made) {
    if (s.options().listen && s.introduction().is_told && s.log().log.empty()) s.take_log();
    made.has_log = !s.log().log.empty();
    s.raise_epoch();
    made.prepared = s.prepared();
    made.to_commit = s.prepared();
    made.committed = s.prepared();
    made.commit = s.send(s.commit_of(made.committed));
    made.rolled_back = s.prepared().branch;
    s.rollback(made.rolled_back);
    made.tombstone = s.fresh();
    s.rollback(made.tombstone);
    if (!s.options().is_saga) return;
    made.executed = s.executed();
    made.never_run = s.fresh();
    s.compensate(made.never_run);
}

bool answers(Session& s) {
    Request request;
    request.method = "GET";
    request.target = "/in-doubt?limit=1";
    return s.caller().try_once(request).status == 200;
}

/// What went wrong, or nothing.
std::string wait_until_it_answers(Session& s) {
    const auto end = std::chrono::steady_clock::now() + s.options().restart_limit;
    while (!answers(s)) {
        if (std::chrono::steady_clock::now() > end)
            return "it did not answer within " + std::to_string(s.options().restart_limit.count()) +
                   " ms after the restart";
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return "";
}

std::string restart(Session& s) {
    const std::string failure = s.options().restart();
    return failure.empty() ? wait_until_it_answers(s) : failure;
}

/// Before any other message: those would teach it the epoch anew.
Answer prepare_of_a_lower_epoch(Session& s) {
    Message old = s.message(Verb::prepare, s.fresh());
    old.epoch = s.epoch() - 1;
    return s.send(old);
}

Answer prepare_of_another_log(Session& s) {
    Message other = s.message(Verb::prepare, s.fresh());
    other.log = new_log();
    return s.try_once(other);
}

/// Restarts at the first call; later ones get the same.
const Restarted& after_restart(Session& s) {
    if (!s.shared) {
        const auto made = std::make_shared<Restarted>();
        s.shared = made;
        made->failure = "what was to be there after a restart could not be made";
        make(s, *made);
        s.keep();
        made->failure = restart(s);
        if (made->failure.empty()) made->stale = prepare_of_a_lower_epoch(s);
        if (made->failure.empty() && made->has_log) made->other = prepare_of_another_log(s);
    }
    return *std::static_pointer_cast<Restarted>(s.shared);
}

const Restarted& restarted(Session& s) {
    const Restarted& made = after_restart(s);
    if (!made.failure.empty()) throw CannotCheck{made.failure};
    return made;
}

void comes_back(Session& s) {
    const Restarted& made = after_restart(s);
    if (!made.failure.empty())
        throw DidNotHold{"the command of --restart", made.failure, "that it answers again"};
}

void in_doubt(Session& s) {
    const Restarted& made = restarted(s);
    expect(s.is_in_doubt(made.prepared.branch),
           s.in_doubt_page(""),
           "that " + made.prepared.branch.gid + ", promised before the restart, is listed");
}

void repeat(Session& s) {
    const Restarted& made = restarted(s);
    expect_same(s.prepare(made.prepared.branch), made.prepared.yes);
}

void changed(Session& s) {
    const Restarted& made = restarted(s);
    Message other = s.message(Verb::prepare, made.prepared.branch);
    other.payload = s.options().changed_payload;
    expect_problem(s.send(other), 422);
}

void commit(Session& s) {
    const Restarted& made = restarted(s);
    expect_state(s.send(s.commit_of(made.to_commit)), "committed");
}

void committed(Session& s) {
    const Restarted& made = restarted(s);
    expect_same(s.send(s.commit_of(made.committed)), made.commit);
    expect_problem(s.rollback(made.committed.branch), 409, "already_committed");
}

void rolled_back(Session& s) {
    const Restarted& made = restarted(s);
    expect_problem(s.prepare(made.rolled_back), 409, "already_rolled_back");
    expect_problem(s.commit(made.rolled_back), 409, "already_rolled_back");
}

void tombstone(Session& s) {
    expect_problem(s.prepare(restarted(s).tombstone), 409, "already_rolled_back");
}

void epoch(Session& s) { expect_problem(restarted(s).stale, 409, "stale_epoch"); }

void log(Session& s) {
    const Restarted& made = restarted(s);
    if (!made.has_log) throw NotOffered{does_not_fence_logs};
    expect_problem(made.other, 409, "other_log");
}

/// A restart of its own: what is sent here would teach it the epoch of the other one.
void in_the_middle(Session& s) {
    std::vector<Begun> promised{s.prepared()};  // at least one
    std::string failure;
    std::atomic<bool> is_over = false;
    std::thread restarting([&] {
        failure = s.options().restart();
        is_over = true;
    });
    while (!is_over && promised.size() < most_in_the_middle) {
        const Branch branch = s.fresh();
        const Answer answer = s.try_once(s.message(Verb::prepare, branch));
        if (!is_yes(answer)) break;
        promised.push_back({branch, answer});
    }
    restarting.join();
    if (failure.empty()) failure = wait_until_it_answers(s);
    if (!failure.empty()) throw CannotCheck{failure};
    for (const Begun& begun : promised) expect_same(s.prepare(begun.branch), begun.yes);
}

void executed(Session& s) {
    const Restarted& made = restarted(s);
    expect_same(s.execute(made.executed.branch), made.executed.yes);
    expect_state(s.compensate(made.executed.branch), "compensated");
    expect_problem(s.execute(made.never_run), 409, "already_rolled_back");
}

}  // namespace

std::vector<Check> restart_checks() {
    constexpr const char* promise =
        "participants remember a yes and a tombstone; the promise survives a crash";
    constexpr const char* why = "the coordinator has decided by what it was told before the crash";
    const auto row = [&](const char* name, const char* claim, void (*run)(Session&)) {
        return Check{.group = "restart",
                     .name = name,
                     .claim = claim,
                     .contract = promise,
                     .why = why,
                     .needs = Needs::restart,
                     .run = run};
    };
    std::vector<Check> checks{
        row("restart-comes-back", "it answers again after the restart", comes_back),
        row("restart-in-doubt", "a promised branch is still in doubt", in_doubt),
        row("restart-repeat", "the same prepare again gets the answer from before", repeat),
        row("restart-changed", "another payload for it is still a 422", changed),
        row("restart-commit", "a promised branch can still be committed", commit),
        row("restart-committed",
            "what was committed stays so, with the answer from before",
            committed),
        row("restart-rolled-back", "what was rolled back stays so", rolled_back),
        row("restart-tombstone", "a late prepare is still refused", tombstone),
        row("restart-epoch", "a lower epoch is still a 409 stale_epoch", epoch),
        row("restart-log", "a message of another log is still a 409 other_log", log),
        row("restart-traffic", "each yes that was given while it went down is kept", in_the_middle),
        row("restart-saga", "what was executed, and what must not be, is remembered", executed)};
    checks.back().needs |= saga;
    for (Check& check : checks)
        if (check.run == log) check.needs |= listen;
    return checks;
}

}  // namespace twophase::conformance
