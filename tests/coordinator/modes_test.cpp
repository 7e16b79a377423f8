// Sagas and eventual delivery as traces: what they do otherwise than two-phase commit.
#include "coordinator/protocol/modes.hpp"

#include "tests/coordinator/trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace twophase::coordinator {
namespace {

BranchRequest step(const char* id, std::vector<SharedText> after = {}, const char* payload = "{}") {
    return {.branch_id = id, .operation = "do", .payload = payload, .after = std::move(after)};
}

/// Three steps, one after the other.
Trace trip() { return Trace(Mode::saga, {step("a"), step("b", {"a"}), step("c", {"b"})}); }

Trace delivery_of(std::uint32_t max_retries) {
    BranchRequest coupon = step("coupon");
    coupon.max_retries = max_retries;
    coupon.retry_delay_milliseconds = 500;
    return Trace(Mode::eventual, {step("key"), coupon, step("mail")});
}

const Transaction& t1(Trace& trace) { return *trace.core().find(trace.gid("t1")); }

// --- sagas ---

TEST(SagaTest, StepsRunInOrderAndTheCommitLeavesNothingToSend) {
    Trace trace = trip();
    trace.submit("t1");
    EXPECT_EQ(trace.text(), "submitted t1 -> force started t1 saga a b c n 0\n")
        << "executing shows, so its start is durable first";
    trace.sync().vote("t1", "a", Vote::executed).vote("t1", "b", Vote::executed);
    EXPECT_EQ(trace.text(),
              "logged started t1 saga a b c -> tell t1 started; send t1 a execute\n"
              "voted t1 a executed -> append step_done t1 a n 1; send t1 b execute\n"
              "voted t1 b executed -> append step_done t1 b n 2; send t1 c execute\n");
    trace.vote("t1", "c", Vote::executed).sync();
    EXPECT_EQ(trace.text(),
              "voted t1 c executed -> force decided t1 commit all_voted_yes n 3\n"
              "logged step_done t1 a\nlogged step_done t1 b\n"
              "logged decided t1 commit all_voted_yes -> tell t1 decided; append finished t1 n 4; "
              "tell t1 completed\n");
    trace.sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(SagaTest, TheDeadlineIsOfAStepThatWasAsked) {
    Trace trace(Mode::saga, {step("ship", {"pay"}), step("pay")}, Time{1'000});
    trace.submit("t1").sync().text();
    trace.pass(Time{1'000});
    EXPECT_EQ(t1(trace).folded.decision, std::nullopt);
    trace.sync();
    EXPECT_EQ(t1(trace).folded.why.branch, BranchIndex{1}) << trace.text();
}

TEST(SagaTest, IndependentStepsRunSideBySide) {
    Trace trace(Mode::saga, {step("a"), step("b"), step("c", {"a", "b"})});
    trace.submit("t1").text();
    trace.sync();
    EXPECT_EQ(trace.text(),
              "logged started t1 saga a b c -> tell t1 started; send t1 a execute; send t1 b "
              "execute\n");
    trace.vote("t1", "b", Vote::executed);
    EXPECT_EQ(trace.text(), "voted t1 b executed -> append step_done t1 b n 1\n");
    trace.vote("t1", "a", Vote::executed);
    EXPECT_EQ(trace.text(),
              "voted t1 a executed -> append step_done t1 a n 2; send t1 c execute\n");
}

TEST(SagaTest, AStepThatFindsNoRoomIsAskedAgainAndUndoesNothing) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).text();
    trace.no_room("t1", "b", Verb::execute);
    EXPECT_EQ(trace.text(), "no room t1 b execute attempt 1\n");
    EXPECT_EQ(t1(trace).decision, std::nullopt);
    EXPECT_EQ(t1(trace).live[1].last_error, "full");
    trace.vote("t1", "b", Vote::executed);
    EXPECT_NE(trace.text().find("send t1 c execute"), std::string::npos);
}

TEST(SagaTest, AStepWaitsUntilTheResultThatItUsesIsDurable) {
    Trace trace(Mode::saga,
                {step("a"),
                 step("b", {"a"}, R"({"from":"${a.result.transaction_id}"})"),
                 step("c", {"a"})});
    trace.submit("t1").sync().text();
    trace.vote("t1", "a", Vote::executed);
    EXPECT_EQ(trace.text(), "voted t1 a executed -> force step_done t1 a n 1; send t1 c execute\n");
    trace.sync();
    EXPECT_EQ(trace.text(), "logged step_done t1 a -> send t1 b execute\n");
}

TEST(SagaTest, ARefusalIsCompensatedInReverseOnceItIsDurable) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).sync().text();
    trace.vote("t1", "b", Vote::refused, "sold_out");
    EXPECT_EQ(trace.text(),
              "voted t1 b refused sold_out -> force decided t1 rollback refused n 2\n")
        << "nothing is presumed";
    trace.sync();
    EXPECT_EQ(trace.text(),
              "logged decided t1 rollback refused -> tell t1 decided; send t1 b compensate\n")
        << "the refusing one too, and c was never asked";
    trace.acknowledge("t1", "b", Verb::compensate).acknowledge("t1", "a", Verb::compensate).sync();
    EXPECT_EQ(trace.text(),
              "acknowledged t1 b compensate -> append branch_done t1 b compensated n 3; send t1 a "
              "compensate\n"
              "acknowledged t1 a compensate -> append branch_done t1 a compensated n 4; append "
              "finished t1 n 5; tell t1 completed\n"
              "logged branch_done t1 b compensated\nlogged branch_done t1 a compensated\n"
              "logged finished t1\n");
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(SagaTest, AnAcknowledgementBeforeItsTurnIsIgnored) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).vote("t1", "b", Vote::refused);
    trace.sync().text();
    trace.acknowledge("t1", "a", Verb::compensate).acknowledge("t1", "c", Verb::compensate);
    EXPECT_EQ(trace.text(), "acknowledged t1 a compensate\nacknowledged t1 c compensate\n");
}

TEST(SagaTest, WhatIsStillAskedWhenARefusalComesIsWithdrawnAndCompensated) {
    Trace trace(Mode::saga, {step("a"), step("b")});
    trace.submit("t1").sync().text();
    trace.unclear("t1", "a", Verb::execute).vote("t1", "b", Vote::refused);
    EXPECT_EQ(trace.text(),
              "unclear t1 a execute attempt 1: cut\n"
              "voted t1 b refused -> withdraw t1 a; force decided t1 rollback refused n 1\n");
    trace.vote("t1", "a", Vote::executed).sync();
    EXPECT_EQ(trace.text(),
              "voted t1 a executed\n"
              "logged decided t1 rollback refused -> tell t1 decided; send t1 a compensate; send "
              "t1 b compensate\n");
}

TEST(SagaTest, GoesOnAfterACrashAndThenEveryStepMayHaveRun) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 a execute\n") << "its step_done was lost";
    trace.vote("t1", "a", Vote::executed).sync().text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 b execute\n") << "its step_done was not";
    trace.vote("t1", "b", Vote::refused).sync();
    EXPECT_NE(trace.text().find("send t1 c compensate\n"), std::string::npos)
        << "c may have been asked in an earlier life";
    trace.acknowledge("t1", "c", Verb::compensate).sync().text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 b compensate\n");
}

TEST(SagaTest, ACrashWhileCompensatingGoesOnThere) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).vote("t1", "b", Vote::refused);
    trace.sync().acknowledge("t1", "b", Verb::compensate).sync().text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 a compensate\n");
    trace.acknowledge("t1", "a", Verb::compensate).sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(SagaTest, AnUndurableStartTakesNothingWithItAndACrashForgetsIt) {
    Trace trace = trip();
    trace.submit("t1").crash();
    EXPECT_TRUE(trace.core().transactions().empty());
    trace.submit("t2").text();
    trace.refuse();
    EXPECT_NE(trace.text().find("tell t2 failed"), std::string::npos);
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(SagaTest, HasADeadlineOnlyWhereOneIsGivenAndHasItAnewAfterACrash) {
    Trace endless = trip();
    endless.submit("t1").sync();
    EXPECT_EQ(endless.core().next_deadline(), std::nullopt);
    Trace trace(Mode::saga, {step("a"), step("b", {"a"})}, Time(2'000));
    trace.submit("t1").sync().pass(Time(1'500)).crash().pass(Time(1'999));
    EXPECT_EQ(t1(trace).phase, Phase::preparing);
    trace.text();
    trace.pass(Time(1));
    EXPECT_EQ(trace.text(), "ticked -> withdraw t1 a; force decided t1 rollback timed_out n 1\n");
}

TEST(SagaTest, AStuckCompensationNeedsAPersonAndThenTheEarlierStepsFollow) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).vote("t1", "b", Vote::executed);
    trace.vote("t1", "c", Vote::refused).sync().acknowledge("t1", "c", Verb::compensate).text();
    trace.contradict("t1", "b", Verb::compensate);
    EXPECT_TRUE(t1(trace).needs_attention());
    EXPECT_EQ(trace.may_resolve("t1", "retry", "b"), ResolveRefusal::not_dead);
    trace.text();
    trace.resolve("t1", "by_hand", "b");
    EXPECT_NE(trace.text().find("force branch_done t1 b by_hand n 7; send t1 a compensate"),
              std::string::npos);
    trace.acknowledge("t1", "a", Verb::compensate).sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(SagaTest, APersonMayRollBackBetweenTwoSteps) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).text();
    EXPECT_EQ(trace.may_resolve("t1", "commit"), ResolveRefusal::votes_missing);
    trace.resolve("t1", "rollback").vote("t1", "b", Vote::executed).sync();
    const std::string text = trace.text();
    EXPECT_NE(text.find("withdraw t1 b; force decided t1 rollback by_hand"), std::string::npos);
    EXPECT_NE(text.find("tell t1 decided; send t1 b compensate\n"), std::string::npos);
}

// --- eventual delivery ---

TEST(EventualTest, TheKeyOperationDecidesAndTheOthersFollowEachForItself) {
    Trace trace = delivery_of(3);
    trace.submit("t1").sync();
    EXPECT_EQ(
        trace.text(),
        "submitted t1 -> force started t1 eventual key coupon mail n 0\n"
        "logged started t1 eventual key coupon mail -> tell t1 started; send t1 key execute\n");
    trace.vote("t1", "key", Vote::executed).sync();
    EXPECT_EQ(trace.text(),
              "voted t1 key executed -> force decided t1 commit all_voted_yes n 1\n"
              "logged decided t1 commit all_voted_yes -> tell t1 decided; send t1 coupon execute; "
              "send t1 mail execute\n");
    trace.vote("t1", "mail", Vote::executed).vote("t1", "coupon", Vote::executed).sync();
    EXPECT_EQ(trace.text(),
              "voted t1 mail executed -> append branch_done t1 mail executed n 2\n"
              "voted t1 coupon executed -> append branch_done t1 coupon executed n 3; append "
              "finished t1 n 4; tell t1 completed\n"
              "logged branch_done t1 mail executed\nlogged branch_done t1 coupon executed\n"
              "logged finished t1\n");
}

TEST(EventualTest, ARefusedKeyOperationIsCompensatedAndNothingElseIsAsked) {
    Trace trace = delivery_of(3);
    trace.submit("t1").sync().vote("t1", "key", Vote::refused, "poor").sync().text();
    trace.acknowledge("t1", "key", Verb::compensate).sync();
    EXPECT_EQ(trace.text(),
              "acknowledged t1 key compensate -> append branch_done t1 key compensated n 2; append "
              "finished t1 n 3; tell t1 completed\n"
              "logged branch_done t1 key compensated\nlogged finished t1\n");
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(EventualTest, AnUnclearKeyOperationIsAskedUntilItIsClear) {
    Trace trace = delivery_of(1);
    trace.submit("t1").sync().text();
    for (int i = 0; i < 5; ++i) trace.unclear("t1", "key", Verb::execute);
    EXPECT_EQ(trace.text().find("->"), std::string::npos);
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 key execute\n");
}

TEST(EventualTest, AKeyOperationThatFindsNoRoomIsRefusedAndADeliveryIsTriedAgain) {
    Trace trace = delivery_of(3);
    trace.submit("t1").sync().text();
    trace.no_room("t1", "key", Verb::execute);
    EXPECT_EQ(
        trace.text(),
        "no room t1 key execute attempt 1 -> withdraw t1 key; force decided t1 rollback refused "
        "n 1\n");
    EXPECT_EQ(trace.core().find(trace.gid("t1"))->live[0].vote.code, "no-room");
    trace.sync().text();
    trace.submit("t2").sync().vote("t2", "key", Vote::executed).sync().text();
    trace.no_room("t2", "mail", Verb::execute);
    EXPECT_NE(trace.text().find("send t2 mail execute in"), std::string::npos);
    EXPECT_FALSE(trace.core().find(trace.gid("t2"))->is_settled(1));
}

TEST(EventualTest, FailedTriesAreCountedAndTheLastIsADeadLetter) {
    Trace trace = delivery_of(2);
    trace.submit("t1").sync().vote("t1", "key", Vote::executed).sync();
    trace.vote("t1", "mail", Vote::executed).text();
    trace.unclear("t1", "coupon", Verb::execute).vote("t1", "coupon", Vote::refused, "sold_out");
    EXPECT_EQ(
        trace.text(),
        "unclear t1 coupon execute attempt 1: cut -> append delivery_failed t1 coupon unclear "
        "n 3; send t1 coupon execute in 500 ms\n"
        "voted t1 coupon refused sold_out -> append delivery_failed t1 coupon sold_out n 4; "
        "send t1 coupon execute in 500 ms\n");
    trace.unclear("t1", "coupon", Verb::execute);
    EXPECT_EQ(
        trace.text(),
        "unclear t1 coupon execute attempt 1: cut -> append delivery_failed t1 coupon unclear "
        "n 5; withdraw t1 coupon; force branch_done t1 coupon dead_letter n 6\n")
        << "one try and two more; then a person is asked, and nobody waits for that";
    EXPECT_EQ(t1(trace).dead_letters(), 0U) << "a crash would deliver it";
    EXPECT_FALSE(t1(trace).is_completed());
    EXPECT_EQ(trace.may_resolve("t1", "retry", "coupon"), ResolveRefusal::deciding);
    trace.sync();
    EXPECT_NE(trace.text().find("logged branch_done t1 coupon dead_letter -> alert dead_letter t1 "
                                "coupon: unclear: cut; tell t1 completed\n"),
              std::string::npos);
    EXPECT_EQ(t1(trace).dead_letters(), 1U);
    EXPECT_TRUE(t1(trace).is_completed());
    EXPECT_EQ(t1(trace).folded.decision, Decision::commit) << "the key operation stays";
    EXPECT_FALSE(t1(trace).needs_attention());
}

TEST(EventualTest, CountsSurviveACrashAndSoDoDeadLetters) {
    Trace trace = delivery_of(1);
    trace.submit("t1").sync().vote("t1", "key", Vote::executed).sync();
    trace.unclear("t1", "coupon", Verb::execute).sync().text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 coupon execute in 500 ms; send t1 mail execute\n");
    trace.vote("t1", "mail", Vote::executed).unclear("t1", "coupon", Verb::execute).sync().text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> tell t1 completed\n");
    EXPECT_EQ(t1(trace).dead_letters(), 1U);
}

/// A dead letter for the coupon, all else done.
Trace& dead(Trace& trace) {
    trace.submit("t1").sync().vote("t1", "key", Vote::executed).sync();
    trace.vote("t1", "mail", Vote::executed).unclear("t1", "coupon", Verb::execute).sync().text();
    return trace;
}

TEST(EventualTest, ADeadLetterIsRetriedWithAllItsTries) {
    Trace trace = delivery_of(0);
    dead(trace);
    EXPECT_EQ(trace.may_resolve("t1", "retry"), ResolveRefusal::branch_required);
    EXPECT_EQ(trace.may_resolve("t1", "retry", "mail"), ResolveRefusal::not_dead);
    trace.resolve("t1", "retry", "coupon");
    EXPECT_EQ(trace.text().find("send"), std::string::npos) << "not before it is durable";
    trace.sync();
    EXPECT_NE(trace.text().find("tell t1 resolved; send t1 coupon execute\n"), std::string::npos);
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 coupon execute\n");
    trace.vote("t1", "coupon", Vote::executed).sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(EventualTest, ADiscardedDeadLetterIsCompensatedFirstSoThatNoLateCopyRuns) {
    Trace trace = delivery_of(0);
    dead(trace).resolve("t1", "discarded", "coupon");
    EXPECT_EQ(trace.text().find("send"), std::string::npos) << "not before it is durable";
    trace.sync();
    EXPECT_NE(trace.text().find("send t1 coupon compensate\n"), std::string::npos);
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 coupon compensate\n");
    trace.acknowledge("t1", "coupon", Verb::compensate);
    EXPECT_EQ(trace.text(),
              "acknowledged t1 coupon compensate -> force branch_done t1 coupon discarded n 6; "
              "append finished t1 n 7\n");
    trace.sync();
    EXPECT_NE(trace.text().find("tell t1 completed"), std::string::npos) << "once it is durable";
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(EventualTest, ADeliveryThatAPersonEndsIsAskedNoMoreMeanwhile) {
    Trace trace = delivery_of(3);
    trace.submit("t1").sync().vote("t1", "key", Vote::executed).sync();
    trace.unclear("t1", "coupon", Verb::execute).text();
    trace.resolve("t1", "by_hand", "coupon").vote("t1", "coupon", Vote::executed);
    const std::string text = trace.text();
    EXPECT_NE(text.find("withdraw t1 coupon"), std::string::npos);
    EXPECT_NE(text.find("voted t1 coupon executed\n"), std::string::npos) << "too late";
    trace.sync();
    EXPECT_NE(trace.text().find("send t1 coupon compensate\n"), std::string::npos);
}

TEST(EventualTest, ADeliveryThatAPersonEndsIsNotTakenUpAgainWhenAnotherEnds) {
    Trace trace = delivery_of(3);
    trace.submit("t1").sync().vote("t1", "key", Vote::executed).sync();
    trace.resolve("t1", "discarded", "coupon").text();
    trace.vote("t1", "mail", Vote::executed);
    EXPECT_EQ(trace.text(), "voted t1 mail executed -> append branch_done t1 mail executed n 3\n");
    trace.sync();
    EXPECT_NE(trace.text().find("send t1 coupon compensate\n"), std::string::npos);
}

TEST(EventualTest, ADeliveryWhoseParticipantIsGoneEndsAtOnceAndNothingIsSent) {
    Trace trace = delivery_of(3);
    trace.submit("t1").sync().vote("t1", "key", Vote::executed).sync();
    trace.vote("t1", "mail", Vote::executed).sync().text();
    trace.resolve("t1", "gone", "coupon").sync();
    EXPECT_EQ(trace.text().find("send"), std::string::npos) << "nobody is there to compensate";
    EXPECT_TRUE(trace.core().transactions().empty());

    Trace of_dead = delivery_of(0);
    dead(of_dead).resolve("t1", "gone", "coupon");
    EXPECT_EQ(of_dead.may_resolve("t1", "retry", "coupon"), ResolveRefusal::unknown);
    EXPECT_EQ(t1(of_dead).dead_letters(), 1U) << "until it is durable";
    of_dead.crash();
    EXPECT_EQ(t1(of_dead).dead_letters(), 1U);
    of_dead.resolve("t1", "gone", "coupon").sync();
    EXPECT_TRUE(of_dead.core().transactions().empty());
}

TEST(SagaTest, ACompensationWhoseParticipantIsGoneEndsAndThoseBeforeItGoOn) {
    Trace trace = trip();
    trace.submit("t1").sync().vote("t1", "a", Vote::executed).vote("t1", "b", Vote::executed);
    trace.vote("t1", "c", Vote::refused).sync();
    trace.acknowledge("t1", "c", Verb::compensate).sync().text();
    trace.resolve("t1", "gone", "b").sync();
    EXPECT_NE(trace.text().find("send t1 a compensate"), std::string::npos);
    trace.acknowledge("t1", "a", Verb::compensate).sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

// As logs tell that were written before that was so.
TEST(EventualTest, ADeadLetterThatAPersonHasAlreadyEndedIsCompensated) {
    Trace before = delivery_of(0);
    dead(before).resolve("t1", "discarded", "coupon").sync();
    std::vector<Record> records = before.durable();
    ASSERT_TRUE(std::holds_alternative<Resolved>(records.back()));
    const auto dead_letter = std::ranges::find_if(records, [](const Record& record) {
        const auto* done = std::get_if<BranchDone>(&record);
        return done != nullptr && done->how == How::dead_letter;
    });
    ASSERT_NE(dead_letter, records.end());
    std::rotate(dead_letter, dead_letter + 1, records.end());  // last now, behind the person's word
    Protocol core;
    for (const Record& record : records) ASSERT_EQ(core.apply(record), "");
    const Gid gid = before.gid("t1");
    const Effects effects = core.resume(gid, Time{0});
    ASSERT_EQ(effects.size(), 1U);
    EXPECT_EQ(std::get<Send>(effects[0]).verb, Verb::compensate);
    EXPECT_EQ(core.find(gid)->dead_letters(), 0U);
    core.step(Acknowledged{gid, std::get<Send>(effects[0]).branch, Verb::compensate, {}}, Time{0});
    EXPECT_EQ(core.find(gid)->phase, Phase::finishing);
}

TEST(EventualTest, AnAnswerThatComesTwiceIsTakenOnce) {
    Trace trace = delivery_of(3);
    trace.submit("t1").sync().vote("t1", "key", Vote::executed).sync();
    trace.vote("t1", "mail", Vote::executed).text();
    trace.vote("t1", "mail", Vote::executed).vote("t1", "mail", Vote::refused, "late");
    EXPECT_EQ(trace.text(), "voted t1 mail executed\nvoted t1 mail refused late\n");
    trace.vote("t1", "coupon", Vote::executed).sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

// --- the table ---

TEST(ModesTest, TheTableOfTheModes) {
    using enum Vote;
    const auto commit = Decision::commit;
    const auto rollback = Decision::rollback;
    EXPECT_EQ(delivery(Mode::two_phase, commit, 0, prepared), Verb::commit);
    EXPECT_EQ(delivery(Mode::two_phase, rollback, 1, none), Verb::rollback);
    EXPECT_EQ(delivery(Mode::two_phase, rollback, 1, refused), Verb::rollback);
    EXPECT_EQ(delivery(Mode::two_phase, commit, 1, read_only), std::nullopt);
    EXPECT_EQ(delivery(Mode::saga, commit, 1, executed), std::nullopt);
    EXPECT_EQ(delivery(Mode::saga, rollback, 1, none), Verb::compensate);
    EXPECT_EQ(delivery(Mode::saga, rollback, 1, refused), Verb::compensate);
    EXPECT_EQ(delivery(Mode::saga, rollback, 1, unasked), std::nullopt);
    EXPECT_EQ(delivery(Mode::eventual, commit, 0, executed), std::nullopt);
    EXPECT_EQ(delivery(Mode::eventual, commit, 1, unasked), Verb::execute);
    EXPECT_EQ(delivery(Mode::eventual, rollback, 0, refused), Verb::compensate);
    EXPECT_EQ(delivery(Mode::eventual, rollback, 1, unasked), std::nullopt);
    EXPECT_TRUE(is_yes(Mode::two_phase, read_only));
    EXPECT_FALSE(is_yes(Mode::two_phase, executed)) << "that was not asked";
    EXPECT_FALSE(is_yes(Mode::saga, prepared));
}

}  // namespace
}  // namespace twophase::coordinator
