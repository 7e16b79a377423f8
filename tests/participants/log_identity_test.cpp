// Which log of a coordinator a participant listens to: rules on the bench, and first use with a
// coordinator that is asked.
#include "participants/credit/credit.hpp"
#include "tests/participants/credit_bench.hpp"
#include "tests/participants/router_bench.hpp"
#include "tests/participants/running.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

namespace twophase::participants {
namespace {

using http::Json;
using testing::CreditBench;
using testing::deduct;
using testing::get;
using testing::gid;
using testing::post;
using testing::RunningParticipant;
using testing::StandInCoordinator;
using testing::text;

std::string token(char digit) { return std::string(32, digit); }

const std::string ours = token('a');
const std::string other = token('b');

LogClaim claim(const std::string& log,
               std::uint64_t epoch,
               std::vector<std::string> replaces = {}) {
    return {.log = log,
            .epoch = epoch,
            .start = token(static_cast<char>('0' + epoch % 10)),
            .position = 10 * epoch,
            .replaces = std::move(replaces)};
}

Message said_by(const LogClaim& claim, Message message) {
    message.log = claim.log;
    message.epoch = claim.epoch;
    message.start = claim.start;
    message.position = claim.position;
    message.replaces = claim.replaces;
    return message;
}

struct LogBench : CreditBench {
    bool take(const LogClaim& claim) {
        return take(claim, branches.known_log(store.batch(), "main"));
    }
    bool take(const LogClaim& claim, const std::optional<LogClaim>& seen) {
        return store.in_unit(
            [&](wal::Unit& unit) { return branches.take_log(unit, "main", claim, seen, moment); });
    }
    bool forget_log() {
        return store.in_unit([&](wal::Unit& unit) {
            return branches.forget_log(unit, "main", "a demo", {.actor = "ann"}, moment);
        });
    }
    Answer prepare(int n, const LogClaim& claim) {
        return send(said_by(claim, of(Verb::prepare, gid(n))));
    }
    LogClaim known() { return branches.known_log(store.batch(), "main").value(); }
};

TEST(ParticipantLogTest, ALogThatNobodyConfirmedGetsNoVoteAndPinsNothing) {
    LogBench bench;
    for (const Verb verb : {Verb::prepare, Verb::rollback, Verb::commit, Verb::execute})
        EXPECT_EQ(text(bench.send(said_by(claim(other, 1), LogBench::of(verb, gid(1))))),
                  "503 unconfirmed-log");
    EXPECT_FALSE(bench.branches.known_log(bench.store.batch(), "main"));
    EXPECT_EQ(bench.account().frozen, 0);
}

TEST(ParticipantLogTest, AnotherLogUnderAKnownIdIsRefusedAndChangesNothing) {
    LogBench bench;
    bench.take(claim(ours, 1));
    EXPECT_EQ(text(bench.prepare(1, claim(ours, 1))), "200 prepared");
    for (const Verb verb : {Verb::commit, Verb::rollback}) {
        const Answer answer = bench.send(said_by(claim(other, 9), LogBench::of(verb, gid(1))));
        EXPECT_EQ(text(answer), "409 other_log") << to_string(verb);
        EXPECT_EQ(answer.seen->log, ours);
    }
    EXPECT_EQ(text(bench.prepare(2, claim(other, 9))), "409 other_log");
    EXPECT_EQ(bench.account().frozen, 30) << "the branch is held as it was";
    EXPECT_EQ(bench.known().epoch, 1U) << "and no mark moved";
}

TEST(ParticipantLogTest, AMessageWithoutAnIdentityIsRefusedWhereOneIsKnown) {
    LogBench bench;
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(1))), "200 prepared") << "none is known";
    bench.take(claim(ours, 1));
    EXPECT_EQ(text(bench.send(Verb::rollback, gid(1))), "409 other_log");
}

TEST(ParticipantLogTest, TheHighestPositionOfALogIsKept) {
    LogBench bench;
    bench.take(claim(ours, 1));
    LogClaim later = claim(ours, 1);
    later.position = 500;
    EXPECT_EQ(bench.prepare(1, later).known_position, 500U);
    EXPECT_EQ(bench.prepare(2, claim(ours, 1)).known_position, 500U) << "a late message";
    EXPECT_EQ(bench.known().position, 500U);
    EXPECT_EQ(text(bench.prepare(3, claim(ours, 2))), "200 prepared");
    EXPECT_EQ(bench.known().position, 500U);
    EXPECT_EQ(bench.known().start, claim(ours, 2).start);
}

TEST(ParticipantLogTest, AnotherStartOfTheSameEpochIsStale) {
    LogBench bench;
    bench.take(claim(ours, 1));
    LogClaim twin = claim(ours, 1);
    twin.start = token('f');
    const Answer answer = bench.prepare(1, twin);
    EXPECT_EQ(text(answer), "409 stale_epoch");
    EXPECT_EQ(answer.seen->start, claim(ours, 1).start);
}

TEST(ParticipantLogTest, ASuccessorIsTakenOnceConfirmedAndTheLogThatItReplacesIsRefused) {
    LogBench bench;
    bench.take(claim(ours, 70));
    bench.prepare(1, claim(ours, 70));
    const LogClaim successor = claim(other, 1, {ours});
    EXPECT_EQ(text(bench.prepare(2, successor)), "503 unconfirmed-log");
    EXPECT_TRUE(bench.take(successor));
    EXPECT_EQ(text(bench.prepare(2, successor)), "200 prepared") << "its epochs begin anew";
    const Answer late = bench.send(said_by(claim(ours, 71), LogBench::of(Verb::rollback, gid(1))));
    EXPECT_EQ(text(late), "409 other_log");
    EXPECT_TRUE(late.seen->does_replace(ours)) << "so that it knows who took its place";
    EXPECT_FALSE(bench.take(claim(token('c'), 1, {ours}))) << "of two successors the first";
    EXPECT_TRUE(bench.take(claim(token('c'), 1, {other, ours})));
}

TEST(ParticipantLogTest, WhatWasForgottenTakesTheNextLog) {
    LogBench bench;
    EXPECT_FALSE(bench.forget_log());
    bench.take(claim(ours, 9));
    const std::size_t before = bench.audited();
    EXPECT_TRUE(bench.forget_log());
    EXPECT_EQ(bench.audited(), before + 1);
    EXPECT_TRUE(bench.take(claim(other, 1)));
    EXPECT_EQ(text(bench.prepare(1, claim(other, 1))), "200 prepared");
}

TEST(ParticipantLogTest, APinnedLogNeedsNoConfirmationAndNoOtherIsTaken) {
    LogBench bench;
    const Branches pinned({.participant = "credit",
                           .coordinators = {"main"},
                           .pinned_logs = {{"main", ours}},
                           .has_room = [] { return true; }},
                          bench.store.table_of(),
                          bench.resource);
    const auto send = [&](const LogClaim& claim, int n) {
        return text(bench.store.in_unit([&](wal::Unit& unit) {
            return pinned.handle(
                unit, said_by(claim, LogBench::of(Verb::prepare, gid(n))), bench.moment);
        }));
    };
    EXPECT_EQ(send(claim(other, 1), 1), "409 other_log");
    EXPECT_EQ(send(claim(ours, 1), 2), "200 prepared");
    EXPECT_EQ(send(claim(ours, 1), 3), "200 prepared");
    EXPECT_EQ(send(claim(other, 1, {ours}), 4), "409 other_log");
}

TEST(ParticipantLogTest, APinnedLogTakesThePlaceOfOneThatIsKnown) {
    LogBench bench;
    bench.take(claim(other, 5));
    const Branches pinned({.participant = "credit",
                           .coordinators = {"main"},
                           .pinned_logs = {{"main", ours}},
                           .has_room = [] { return true; }},
                          bench.store.table_of(),
                          bench.resource);
    const auto send = [&](const LogClaim& claim, int n) {
        return text(bench.store.in_unit([&](wal::Unit& unit) {
            return pinned.handle(
                unit, said_by(claim, LogBench::of(Verb::prepare, gid(n))), bench.moment);
        }));
    };
    EXPECT_EQ(send(claim(other, 5), 1), "409 other_log") << "it was known, and is not meant";
    EXPECT_EQ(send(claim(ours, 1), 2), "200 prepared");
}

TEST(ParticipantLogTest, BranchesAreListedWithTheirKeysEndedOnesToo) {
    LogBench bench;
    bench.take(claim(ours, 1));
    for (int n : {1, 2, 3}) bench.prepare(n, claim(ours, 1));
    bench.send(said_by(claim(ours, 1), LogBench::of(Verb::commit, gid(2))));
    const auto page = bench.branches.list(
        bench.store.batch(), {.coordinator = "main", .from = gid(2), .after = "", .limit = 1});
    ASSERT_EQ(page.items.size(), 1U);
    EXPECT_EQ(page.items[0].gid, gid(2));
    EXPECT_EQ(page.items[0].branch.state, BranchState::committed);
    EXPECT_EQ(page.items[0].branch.business_id, gid(2));
    const auto rest = bench.branches.list(
        bench.store.batch(), {.coordinator = "main", .from = gid(2), .after = page.next});
    EXPECT_EQ(rest.items.size(), 1U);
    EXPECT_EQ(rest.next, "");
    EXPECT_TRUE(bench.branches.list(bench.store.batch(), {.coordinator = "second"}).items.empty());
}

// --- first use, with a coordinator that is asked ---

// A copy has caught up by starts of its own; what was seen when its coordinator was asked counts.
TEST(ParticipantLogTest, AStartIsNotTakenWhereMoreWasSeenThanItsCoordinatorWasTold) {
    LogBench bench;
    ASSERT_TRUE(bench.take(claim(ours, 3)));
    const LogClaim told = bench.known();
    LogClaim further = claim(ours, 3);
    further.position += 1;
    bench.prepare(1, further);
    LogClaim later = claim(ours, 7);
    later.began_at = further.position + 4;
    EXPECT_FALSE(bench.take(later, told)) << "a message came meanwhile";
    EXPECT_FALSE(bench.take(later, std::nullopt));
    EXPECT_TRUE(bench.take(later, bench.known()));
}

class FirstUseTest : public ::testing::Test {
protected:
    FirstUseTest() {
        start();
        post(at(), "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        post(at(),
             "/v1/accounts/ann/points/grant",
             {{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}});
    }
    void start() {
        participant_.reset();
        Config config = credit::defaults();
        config.coordinators.insert_or_assign("main",
                                             http::Endpoint::parse(coordinator_.url()).value());
        participant_ = std::make_unique<RunningParticipant>(
            std::make_unique<credit::CreditKind>(), config, directory_.path());
    }
    const http::Endpoint& at() const { return participant_->endpoint(); }
    void say(Json identity) {
        const std::lock_guard lock(mutex_);
        identity_ = std::move(identity);
    }
    static Json identity(const std::string& log) {
        return {{"coordinator", "main"},
                {"log", log},
                {"epoch", 3},
                {"start", token('3')},
                {"position", 30},
                {"replaces", Json::array()},
                {"open", true}};
    }
    unsigned prepare(int n, const std::string& log) {
        Json message = deduct(n);
        message["log"] = log;
        message["epoch"] = 3;
        message["start"] = token('3');
        message["position"] = 31;
        return post(at(), "/v1/branches/prepare", message).status;
    }
    Json ask(const std::string& log) {
        return get(at(), "/v1/branches/in-doubt?coordinator=main&nonce=n1&log=" + log).body;
    }

    testing::TemporaryDirectory directory_;
    std::mutex mutex_;
    Json identity_ = Json::object();
    std::atomic<int> asked_ = 0;
    StandInCoordinator coordinator_{[this](const std::string& path) {
        http::Response response;
        const std::lock_guard lock(mutex_);
        if (path == "/v1/identity") ++asked_;
        response.body = identity_.dump();
        return response;
    }};
    std::unique_ptr<RunningParticipant> participant_;
};

TEST_F(FirstUseTest, TheQuestionIsAnsweredOnceTheCoordinatorHasConfirmedItsLog) {
    say(identity(ours));
    const Json answer = ask(ours);
    EXPECT_EQ(answer["known"]["log"], ours) << answer;
    EXPECT_EQ(answer["nonce"], "n1");
    EXPECT_EQ(answer["store"]["log"].get<std::string>().size(), 32U);
    EXPECT_EQ(prepare(1, ours), 200U) << "at once";
    ask(ours);
    EXPECT_EQ(asked_, 1) << "what is known needs no question";
}

TEST_F(FirstUseTest, AMarkAheadOfTheClockLeadsToTheCoordinatorWhichIsAskedAndNoMoreThanThat) {
    say(identity(ours));
    ask(ours);
    EXPECT_EQ(prepare(1, ours), 200U);
    EXPECT_EQ(asked_, 1) << "an ordinary mark asks nobody";
    Json message = deduct(2);
    message["log"] = ours;
    message["epoch"] = 3;
    message["start"] = token('3');
    message["gid"] = message["low_water"] = "7290a1b2-0000-7000-8000-000000000001";
    EXPECT_EQ(post(participant_->endpoint(), "/v1/branches/prepare", message).status, 200U);
    EXPECT_TRUE(testing::eventually([&] { return asked_ == 2; }));
}

TEST_F(FirstUseTest, AForgedMessagePinsNothing) {
    say(identity(ours));
    EXPECT_EQ(prepare(1, other), 503U);
    EXPECT_TRUE(testing::eventually([&] { return prepare(2, ours) == 200; }))
        << "the forged one led to the true one";
    EXPECT_EQ(prepare(3, other), 409U);
}

TEST_F(FirstUseTest, ACoordinatorWhoseLogIsClosedConfirmsNothing) {
    Json closed = identity(ours);
    closed["open"] = false;
    say(closed);
    EXPECT_EQ(ask(ours)["known"], Json());
    EXPECT_EQ(prepare(1, ours), 503U);
}

TEST_F(FirstUseTest, AnAnswerOfAnotherCoordinatorConfirmsNothing) {
    Json foreign = identity(ours);
    foreign["coordinator"] = "second";
    say(foreign);
    EXPECT_EQ(ask(ours)["known"], Json());
}

TEST_F(FirstUseTest, WithoutAClaimAQuestionChangesNothing) {
    say(identity(ours));
    const Json answer = get(at(), "/v1/branches/in-doubt?coordinator=main&nonce=n2").body;
    EXPECT_EQ(answer["known"], Json());
    EXPECT_EQ(answer["configured"], true);
    EXPECT_EQ(asked_, 0);
}

// What came after a start that was heard does not hide how far that start had come.
TEST_F(FirstUseTest, AStoreTellsWhatItKnowsOfAnEarlierStart) {
    const auto store = [this](const std::string& more) {
        return get(at(), "/v1/branches/in-doubt?coordinator=main&nonce=n3" + more).body["store"];
    };
    const Json before = store("&store_epoch=1");
    EXPECT_FALSE(before.contains("then")) << "it is that start still";
    start();
    start();
    const Json now = store("&store_epoch=1");
    EXPECT_EQ(now["epoch"], 3);
    EXPECT_EQ(now["then"]["start"], before["start"]);
    EXPECT_GE(now["then"]["position"], before["position"]);
    EXPECT_LE(now["then"]["position"], now["began_at"].get<int>() - 2);
    EXPECT_TRUE(store("&store_epoch=9")["then"].is_null()) << "it never had such a start";
    EXPECT_FALSE(store("").contains("then"));
}

// A message that came before the question is known, or the question waits: an old copy of a log
// would hear of it too late.
TEST(LogRoutesTest, AQuestionIsAnsweredBehindWhatCameBeforeIt) {
    testing::RouterBench bench;
    bench.call("POST", "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
    bench.call("POST",
               "/v1/accounts/ann/points/grant",
               {{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}});
    const auto is_known = [](const testing::Reply& reply) {
        return reply.status == 200 && reply.body["items"].size() == 1;
    };
    const auto prepared = bench.ask("POST", "/v1/branches/prepare", deduct(1));
    const auto doubts = bench.ask("GET", "/v1/branches/in-doubt?coordinator=main&nonce=1");
    const auto list = bench.ask("GET", "/v1/branches/list?coordinator=main&nonce=2");
    EXPECT_FALSE(prepared.is_there() || doubts.is_there() || list.is_there());
    bench.run();
    EXPECT_EQ(prepared.status(), 200U) << prepared.reply().body;
    EXPECT_TRUE(is_known(doubts.reply())) << doubts.reply().body;
    EXPECT_TRUE(is_known(list.reply())) << list.reply().body;
    EXPECT_TRUE(bench.ask("GET", "/v1/branches/in-doubt?coordinator=main&nonce=3").is_there())
        << "nothing is waited for";
}

TEST_F(FirstUseTest, AnswersToMessagesCarryWhatIsKnown) {
    say(identity(ours));
    ask(ours);
    Json message = deduct(1);
    message["log"] = ours;
    message["epoch"] = 3;
    message["start"] = token('3');
    message["position"] = 77;
    const testing::Reply reply = post(at(), "/v1/branches/prepare", message);
    EXPECT_EQ(reply.header("Twophase-Known"), ours + " 3 " + token('3') + " 77");
    EXPECT_EQ(reply.header("Twophase-Store").substr(32, 3), " 1 ");
}

}  // namespace
}  // namespace twophase::participants
