// Every rule of the core as a trace.
#include "tests/coordinator/trace.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

std::size_t count_alerts(const Effects& effects) {
    std::size_t alerts = 0;
    for (const Effect& effect : effects) alerts += std::holds_alternative<Alert>(effect);
    return alerts;
}

Trace two() { return Trace({"credit", "coupon"}); }

/// Up to both votes said yes and the decision to commit queued.
Trace& prepared(Trace& trace) {
    trace.submit("t1").vote("t1", "credit", Vote::prepared).vote("t1", "coupon", Vote::prepared);
    return trace;
}

TEST(ProtocolTest, CommitsWhenAllVoteYesAndSendsOnlyOnceTheDecisionIsDurable) {
    Trace trace = two();
    prepared(trace);
    EXPECT_EQ(
        trace.text(),
        "submitted t1 -> append started t1 two_phase credit coupon n 0; send t1 credit prepare; "
        "send t1 coupon prepare\n"
        "voted t1 credit prepared\n"
        "voted t1 coupon prepared -> force decided t1 commit all_voted_yes n 1\n");
    trace.sync();
    EXPECT_EQ(trace.text(),
              "logged started t1 two_phase credit coupon -> tell t1 started\n"
              "logged decided t1 commit all_voted_yes -> tell t1 decided; send t1 credit commit; "
              "send t1 coupon commit\n");
    trace.acknowledge("t1", "coupon", Verb::commit)
        .acknowledge("t1", "credit", Verb::commit)
        .sync();
    EXPECT_EQ(trace.text(),
              "acknowledged t1 coupon commit -> append branch_done t1 coupon committed n 2\n"
              "acknowledged t1 credit commit -> append branch_done t1 credit committed n 3; "
              "append finished t1 n 4; tell t1 completed\n"
              "logged branch_done t1 coupon committed\n"
              "logged branch_done t1 credit committed\n"
              "logged finished t1\n");
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(ProtocolTest, CountsWhatLiveTransactionsTakeUntilTheyEnd) {
    Trace trace = two();
    EXPECT_EQ(trace.core().live_bytes(), 0U);
    trace.submit("t1");
    const std::size_t one = trace.core().live_bytes();
    EXPECT_GT(one, 0U);
    trace.submit("t2");
    EXPECT_EQ(trace.core().live_bytes(), 2 * one);
    trace.refuse();
    EXPECT_EQ(trace.core().live_bytes(), 0U);
    prepared(trace).sync();
    trace.crash();
    EXPECT_EQ(trace.core().live_bytes(), one) << "the fold counts as the live path does";
    trace.acknowledge("t1", "coupon", Verb::commit)
        .acknowledge("t1", "credit", Verb::commit)
        .sync();
    EXPECT_EQ(trace.core().live_bytes(), 0U);
}

TEST(ProtocolTest, RollsBackOnARefusalAtOnceButTellsTheClientOnlyOnceItIsDurable) {
    Trace trace = two();
    trace.submit("t1").text();
    trace.vote("t1", "credit", Vote::refused, "insufficient_credits");
    EXPECT_EQ(
        trace.text(),
        "voted t1 credit refused insufficient_credits -> force decided t1 rollback refused n 1; "
        "send t1 credit rollback; send t1 coupon rollback\n");
    trace.acknowledge("t1", "credit", Verb::rollback).acknowledge("t1", "coupon", Verb::rollback);
    EXPECT_EQ(trace.text(),
              "acknowledged t1 credit rollback -> append branch_done t1 credit rolled_back n 2\n"
              "acknowledged t1 coupon rollback -> append branch_done t1 coupon rolled_back n 3\n");
    trace.sync();
    EXPECT_NE(trace.text().find(
                  "logged decided t1 rollback refused -> tell t1 decided; append finished t1 "
                  "n 4; tell t1 completed"),
              std::string::npos);
}

TEST(ProtocolTest, RollsBackWhenAVoteIsMissingAtTheDeadline) {
    Trace trace = two();
    trace.submit("t1").vote("t1", "credit", Vote::prepared).text();
    EXPECT_EQ(trace.core().next_deadline(), Time(6'000));
    trace.pass(Time(4'999));
    EXPECT_EQ(trace.text(), "ticked\n");
    trace.pass(Time(1));
    EXPECT_EQ(trace.text(),
              "ticked -> force decided t1 rollback timed_out n 1; send t1 credit rollback; "
              "send t1 coupon rollback\n");
}

TEST(ProtocolTest, LateVotesAndRepeatsChangeNothing) {
    Trace trace = two();
    trace.submit("t1").vote("t1", "credit", Vote::refused).text();
    trace.vote("t1", "coupon", Vote::prepared).vote("t1", "credit", Vote::prepared);
    EXPECT_EQ(trace.text(), "voted t1 coupon prepared\nvoted t1 credit prepared\n");
    trace.vote("t2", "coupon", Vote::prepared).acknowledge("t2", "coupon", Verb::commit);
    EXPECT_EQ(trace.text(), "voted t2 coupon prepared\nacknowledged t2 coupon commit\n");
}

TEST(ProtocolTest, ARepeatedYesIsOneVote) {
    Trace trace = two();
    trace.submit("t1").vote("t1", "credit", Vote::prepared).vote("t1", "credit", Vote::prepared);
    EXPECT_EQ(trace.core().find(trace.gid("t1"))->phase, Phase::preparing);
}

TEST(ProtocolTest, WhileDecidingNothingMakesAnotherDecision) {
    Trace trace = two();
    prepared(trace).text();
    trace.pass(Time(60'000)).vote("t1", "credit", Vote::refused);
    EXPECT_EQ(trace.text(), "ticked\nvoted t1 credit refused\n");
    EXPECT_EQ(trace.may_resolve("t1", "rollback"), ResolveRefusal::deciding);
    EXPECT_EQ(trace.core().verdict(trace.gid("t1")), Verdict::pending);
    trace.sync();
    EXPECT_EQ(trace.core().verdict(trace.gid("t1")), Verdict::commit);
    EXPECT_EQ(trace.may_resolve("t1", "rollback"), ResolveRefusal::decided);
}

TEST(ProtocolTest, AnAcknowledgementOfACommitThatNobodySentIsIgnored) {
    Trace trace = two();
    prepared(trace).text();
    trace.acknowledge("t1", "credit", Verb::commit).acknowledge("t1", "credit", Verb::rollback);
    EXPECT_EQ(trace.text(), "acknowledged t1 credit commit\nacknowledged t1 credit rollback\n");
}

TEST(ProtocolTest, ReadOnlyVotersLeavePhaseTwo) {
    Trace trace = two();
    trace.submit("t1")
        .vote("t1", "credit", Vote::read_only)
        .vote("t1", "coupon", Vote::prepared)
        .text();
    trace.sync();
    EXPECT_NE(trace.text().find("tell t1 decided; send t1 coupon commit\n"), std::string::npos);
    trace.acknowledge("t1", "credit", Verb::commit);
    EXPECT_EQ(trace.text(), "acknowledged t1 credit commit\n");
    trace.acknowledge("t1", "coupon", Verb::commit);
    EXPECT_NE(trace.text().find("append finished t1"), std::string::npos);
}

TEST(ProtocolTest, AllReadOnlyFinishesWithTheDecision) {
    Trace trace = two();
    trace.submit("t1").vote("t1", "credit", Vote::read_only).vote("t1", "coupon", Vote::read_only);
    trace.text();
    trace.sync();
    EXPECT_NE(trace.text().find("tell t1 decided; append finished t1 n 2; tell t1 completed"),
              std::string::npos);
}

TEST(ProtocolTest, AReadOnlyVoterIsNotRolledBackButWhoHasNotVotedIs) {
    Trace trace({"credit", "coupon", "stock"});
    trace.submit("t1").vote("t1", "credit", Vote::read_only).text();
    trace.vote("t1", "coupon", Vote::refused);
    EXPECT_EQ(trace.text(),
              "voted t1 coupon refused -> force decided t1 rollback refused n 1; "
              "send t1 coupon rollback; send t1 stock rollback\n");
}

TEST(ProtocolTest, AStartThatAClientWaitsForIsForced) {
    Trace trace = two();
    trace.submit("t1", true);
    EXPECT_EQ(trace.text().find("submitted t1 -> force started"), 0U);
}

TEST(ProtocolTest, AStartWithoutRoomLeavesNothingBehind) {
    Trace trace = two();
    prepared(trace).text();
    trace.refuse();
    EXPECT_EQ(trace.text(),
              "unlogged t1 -> tell t1 failed; withdraw t1 credit; withdraw t1 coupon\n"
              "unlogged t1\n");
    EXPECT_TRUE(trace.core().transactions().empty());
    EXPECT_FALSE(trace.core().find(BusinessKey{"order", "t1", 1}).has_value());
    EXPECT_FALSE(trace.core().low_water("credit").has_value());
}

// --- crashes ---

TEST(ProtocolTest, ALostStartIsForgotten) {  // C1'
    Trace trace = two();
    trace.submit("t1").text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash\n");
    EXPECT_FALSE(trace.core().verdict(trace.gid("t1")).has_value());
}

TEST(ProtocolTest, RollsBackWhatWasNotDecidedBeforeTheCrash) {  // C2, C3, C4
    Trace trace = two();
    prepared(trace).sync_some(1).text();
    trace.crash();
    EXPECT_EQ(trace.text(),
              "crash -> force decided t1 rollback restarted n 1; send t1 credit rollback; "
              "send t1 coupon rollback\n");
    EXPECT_EQ(trace.core().verdict(trace.gid("t1")), Verdict::pending);
}

TEST(ProtocolTest, DeliversADurableCommitAgainAfterACrash) {  // C6, C7
    Trace trace = two();
    prepared(trace).sync().acknowledge("t1", "credit", Verb::commit).text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 credit commit; send t1 coupon commit\n");
    trace.acknowledge("t1", "credit", Verb::commit)
        .sync()
        .acknowledge("t1", "coupon", Verb::commit);
    trace.sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

TEST(ProtocolTest, DeliversOnlyToBranchesWhoseEndIsNotDurable) {
    Trace trace = two();
    prepared(trace).sync().acknowledge("t1", "credit", Verb::commit).sync().text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 coupon commit\n");
}

TEST(ProtocolTest, FinishesWhatOnlyLacksItsEnd) {  // C8
    Trace trace = two();
    prepared(trace)
        .sync()
        .acknowledge("t1", "credit", Verb::commit)
        .acknowledge("t1", "coupon", Verb::commit);
    trace.sync_some(2).text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> append finished t1 n 4; tell t1 completed\n");
}

TEST(ProtocolTest, RollsBackAgainAfterACrashDuringDelivery) {  // C10
    Trace trace = two();
    trace.submit("t1").vote("t1", "credit", Vote::refused).sync().text();
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 credit rollback; send t1 coupon rollback\n");
}

TEST(ProtocolTest, WhatARestoredLogDoesNotKnowToBeDecidedWaitsForAPerson) {
    Trace trace = two();
    trace.submit("t1").sync().submit("t3").sync().text();
    trace.crash("t2");
    EXPECT_EQ(trace.text(),
              "crash -> force decided t3 rollback restarted n 1; send t3 credit rollback; "
              "send t3 coupon rollback\n");
    EXPECT_EQ(trace.core().verdict(trace.gid("t1")), Verdict::pending);
    EXPECT_TRUE(trace.core().find(trace.gid("t1"))->needs_attention());
    trace.vote("t1", "credit", Vote::prepared).vote("t1", "coupon", Vote::prepared);
    EXPECT_EQ(trace.core().find(trace.gid("t1"))->phase, Phase::held);
    EXPECT_EQ(trace.may_resolve("t1", "commit"), ResolveRefusal::none);
    trace.text();
    trace.resolve("t1", "rollback");
    const std::string asked = trace.text();
    EXPECT_NE(asked.find("force decided t1 rollback by_hand n 2"), std::string::npos);
    // The word may be lost and be another one the next time.
    EXPECT_EQ(asked.find("send t1"), std::string::npos) << asked;
    trace.sync();
    const std::string logged = trace.text();
    for (const char* participant : {"credit", "coupon"})
        EXPECT_NE(logged.find("send t1 " + std::string(participant) + " rollback"),
                  std::string::npos)
            << logged;
}

TEST(ProtocolTest, DeadlinesOfWhatIsOverAreNotKept) {
    Trace trace(Mode::two_phase, {{.branch_id = "a"}}, Time{3'600'000});
    for (int i = 0; i < 10'000; ++i) {
        const std::string name = "t" + std::to_string(i);
        trace.submit(name).vote(name, "a", Vote::refused).sync();
        trace.acknowledge(name, "a", Verb::rollback).sync().text();
    }
    EXPECT_TRUE(trace.core().transactions().empty());
    EXPECT_LE(trace.core().deadlines(), 2'000U);
}

TEST(ProtocolTest, WhatIsSetAsideHoldsUpItselfAlone) {
    Trace trace = two();
    trace.core().set_aside(trace.gid("t1"), "bad checksum");
    trace.submit("t2")
        .vote("t1", "credit", Vote::prepared)
        .acknowledge("t1", "credit", Verb::commit);
    EXPECT_EQ(trace.core().verdict(trace.gid("t1")), Verdict::pending);
    EXPECT_EQ(trace.may_resolve("t1", "rollback"), ResolveRefusal::damaged);
    EXPECT_EQ(trace.core().low_water("credit"), trace.gid("t1"));
    EXPECT_EQ(trace.core().find(trace.gid("t2"))->phase, Phase::preparing);
}

TEST(ProtocolTest, RecordsThatContradictEachOtherAreNamed) {
    Trace trace = two();
    prepared(trace).sync();
    const std::vector<Record> durable = trace.durable();
    Protocol core;
    EXPECT_EQ(core.apply(durable[1]), "decided without started");
    EXPECT_EQ(core.apply(durable[0]), "");
    EXPECT_EQ(core.apply(durable[0]), "started twice");
    EXPECT_EQ(core.apply(BranchDone{trace.gid("t1"), 0, How::committed, {}}),
              "a branch ended before the decision");
    EXPECT_EQ(core.apply(Finished{trace.gid("t1")}), "finished with a branch open");
    EXPECT_EQ(core.apply(durable[1]), "");
    EXPECT_EQ(core.apply(durable[1]), "decided twice");
    EXPECT_EQ(core.apply(BranchDone{trace.gid("t1"), 7, How::committed, {}}),
              "a branch that was never started");
}

TEST(ProtocolTest, TheFoldLiveAndTheFoldAfterACrashAgree) {
    Trace trace = two();
    prepared(trace).sync().acknowledge("t1", "coupon", Verb::commit).sync();
    const Folded live = trace.core().find(trace.gid("t1"))->folded;
    trace.crash();
    const Folded again = trace.core().find(trace.gid("t1"))->folded;
    EXPECT_EQ(live.records, again.records);
    EXPECT_EQ(live.decision, again.decision);
    EXPECT_EQ(live.branches[1].how, again.branches[1].how);
    EXPECT_EQ(live.is_settled(0), again.is_settled(0));
}

// --- unclear answers, contradictions, people ---

TEST(ProtocolTest, UnclearAnswersAreNotVotesAndNotAcknowledgements) {
    Trace trace = two();
    trace.submit("t1").unclear("t1", "credit", Verb::prepare).vote("t1", "coupon", Vote::prepared);
    EXPECT_EQ(trace.core().find(trace.gid("t1"))->phase, Phase::preparing);
    trace.vote("t1", "credit", Vote::prepared).sync().text();
    trace.unclear("t1", "credit", Verb::commit);
    EXPECT_EQ(trace.text(), "unclear t1 credit commit attempt 1: cut\n");
    EXPECT_EQ(trace.core().find(trace.gid("t1"))->live[0].last_error, "cut");
}

TEST(ProtocolTest, APrepareThatFindsNoRoomIsRefusedAndACommitIsToldOn) {
    Trace trace = two();
    trace.submit("t1").sync().text();
    trace.no_room("t1", "credit", Verb::prepare).no_room("t1", "credit", Verb::prepare);
    EXPECT_EQ(trace.core().find(trace.gid("t1"))->decision, Decision::rollback);
    EXPECT_EQ(trace.core().find(trace.gid("t1"))->live[0].vote.code, "no-room");
    trace.submit("t2").vote("t2", "credit", Vote::prepared).vote("t2", "coupon", Vote::prepared);
    trace.sync().text();
    trace.no_room("t2", "credit", Verb::commit);
    EXPECT_EQ(trace.text(), "no room t2 credit commit attempt 1\n");
    EXPECT_FALSE(trace.core().find(trace.gid("t2"))->is_settled(0));
}

TEST(ProtocolTest, AFaultIsAlertedOnceForEachPhaseWhateverCameBefore) {
    Trace trace = two();
    const auto fault = [&](Verb verb) {
        return count_alerts(
            trace.core().step(Unclear{trace.gid("t1"), 0, verb, 2, "status 401", true}, Time(0)));
    };
    trace.submit("t1").unclear("t1", "credit", Verb::prepare);
    EXPECT_EQ(fault(Verb::prepare), 1U);
    EXPECT_EQ(fault(Verb::prepare), 0U);
    trace.vote("t1", "coupon", Vote::refused);
    EXPECT_EQ(fault(Verb::rollback), 1U);
    EXPECT_EQ(fault(Verb::rollback), 0U);
}

TEST(ProtocolTest, ADeliveryThatIsAskedForTenTimesIsAlertedOnce) {
    Trace trace = two();
    prepared(trace).sync();
    std::size_t alerts = 0;
    for (std::uint32_t attempt = 1; attempt <= 30; ++attempt)
        alerts += count_alerts(trace.core().step(
            Unclear{trace.gid("t1"), 0, Verb::commit, attempt, "status 500", false}, Time(0)));
    EXPECT_EQ(alerts, 1U);
}

TEST(ProtocolTest, AContradictionNeedsAttentionAndIsNeverTakenForDone) {
    Trace trace = two();
    prepared(trace).sync().text();
    trace.contradict("t1", "credit", Verb::commit).contradict("t1", "credit", Verb::commit);
    EXPECT_EQ(trace.text(),
              "contradicted t1 credit commit: never_prepared -> append delivery_failed t1 credit "
              "never_prepared n 2; alert heuristic_hazard t1 credit: never_prepared: unknown here\n"
              "contradicted t1 credit commit: never_prepared\n");
    EXPECT_TRUE(trace.core().find(trace.gid("t1"))->needs_attention());
    trace.acknowledge("t1", "coupon", Verb::commit).sync();
    EXPECT_NE(trace.core().find(trace.gid("t1")), nullptr);
    trace.acknowledge("t1", "credit", Verb::commit).sync();
    EXPECT_EQ(trace.core().find(trace.gid("t1")), nullptr);
}

TEST(ProtocolTest, APersonMayRollBackWhatIsUndecidedButNeverCommitIt) {
    Trace trace = two();
    trace.submit("t1").sync().vote("t1", "credit", Vote::prepared).text();
    EXPECT_EQ(trace.may_resolve("t1", "commit"), ResolveRefusal::votes_missing);
    EXPECT_EQ(trace.may_resolve("t1", "by_hand", "credit"), ResolveRefusal::not_decided);
    EXPECT_EQ(trace.may_resolve("t9", "rollback"), ResolveRefusal::unknown);
    trace.resolve("t1", "rollback");
    EXPECT_EQ(trace.text(),
              "resolve asked t1 rollback by ann -> force resolved t1 rollback by ann n 1; "
              "force decided t1 rollback by_hand n 2; send t1 credit rollback; "
              "send t1 coupon rollback\n");
    trace.sync();
    EXPECT_NE(trace.text().find("alert resolved_by_hand t1: rollback by ann: because"),
              std::string::npos)
        << "an alert that tells of a record leaves with it";
}

TEST(ProtocolTest, APersonMayEndOneBranchOfWhatIsDecided) {
    Trace trace = two();
    prepared(trace).sync().acknowledge("t1", "credit", Verb::commit).text();
    EXPECT_EQ(trace.may_resolve("t1", "by_hand"), ResolveRefusal::branch_required);
    EXPECT_EQ(trace.may_resolve("t1", "by_hand", "nobody"), ResolveRefusal::branch_unknown);
    EXPECT_EQ(trace.may_resolve("t1", "rollback", "nobody"), ResolveRefusal::branch_unknown);
    EXPECT_EQ(trace.may_resolve("t1", "rollback", "coupon"), ResolveRefusal::branch_not_meant);
    EXPECT_EQ(trace.may_resolve("t1", "by_hand", "credit"), ResolveRefusal::branch_done);
    EXPECT_EQ(trace.may_resolve("t1", "discarded", "coupon"), ResolveRefusal::held_there);
    EXPECT_EQ(trace.may_resolve("t1", "gone", "credit"), ResolveRefusal::branch_done);
    trace.resolve("t1", "by_hand", "coupon");
    EXPECT_EQ(trace.text(),
              "resolve asked t1 coupon by_hand by ann -> force resolved t1 coupon by_hand by ann n "
              "3; force branch_done t1 coupon by_hand n 4\n")
        << "its participant is told the decision all the same";
    trace.sync();
    const std::string text = trace.text();
    EXPECT_NE(text.find("alert resolved_by_hand t1 coupon: by_hand by ann: because"),
              std::string::npos);
    EXPECT_NE(text.find("tell t1 completed"), std::string::npos) << "the waiting is over";
}

/// Its waiting for coupon was ended by hand; coupon holds it still.
Trace& ended_by_hand(Trace& trace) {
    prepared(trace).sync().acknowledge("t1", "credit", Verb::commit).sync();
    trace.resolve("t1", "by_hand", "coupon").sync().text();
    return trace;
}

TEST(ProtocolTest, WhatAPersonEndedIsToldUntilItIsAcknowledged) {
    Trace trace = two();
    ended_by_hand(trace).unclear("t1", "coupon", Verb::commit);
    EXPECT_EQ(trace.text().find("alert"), std::string::npos);
    ASSERT_NE(trace.core().find(trace.gid("t1")), nullptr) << "it isn't forgotten";
    trace.crash();
    EXPECT_EQ(trace.text(), "crash -> send t1 coupon commit; tell t1 completed\n");
    EXPECT_EQ(trace.may_resolve("t1", "by_hand", "coupon"), ResolveRefusal::branch_done);
    trace.acknowledge("t1", "coupon", Verb::commit);
    EXPECT_EQ(trace.text(),
              "acknowledged t1 coupon commit -> append branch_done t1 coupon committed n 5; append "
              "finished t1 n 6; tell t1 completed\n");
    trace.sync();
    EXPECT_EQ(trace.core().find(trace.gid("t1")), nullptr);
}

TEST(ProtocolTest, WhoIsGoneIsToldNothingMore) {
    Trace trace = two();
    ended_by_hand(trace).resolve("t1", "gone", "coupon");
    EXPECT_EQ(trace.text(),
              "resolve asked t1 coupon gone by ann -> force resolved t1 coupon gone by ann n 5; "
              "withdraw t1 coupon; append finished t1 n 6; tell t1 completed\n");
    trace.sync();
    EXPECT_TRUE(trace.core().transactions().empty());
    Trace at_once = two();
    prepared(at_once).sync().acknowledge("t1", "credit", Verb::commit).sync();
    at_once.resolve("t1", "gone", "coupon").sync();
    EXPECT_TRUE(at_once.core().transactions().empty());
}

TEST(ProtocolTest, WhoCannotFollowIsToldNothingMoreOnceAPersonHasEndedIt) {
    Trace trace = two();
    ended_by_hand(trace).contradict("t1", "coupon", Verb::commit);
    EXPECT_NE(trace.text().find("withdraw t1 coupon; append finished"), std::string::npos);
    trace.sync();
    EXPECT_TRUE(trace.core().transactions().empty());
}

// --- business keys and low water ---

TEST(ProtocolTest, AKeyIsTakenFromTheSubmissionUntilTheEndIsDurable) {
    Trace trace = two();
    const BusinessKey key{"order", "t1", 1};
    trace.submit("t1");
    EXPECT_EQ(trace.core().find(key), trace.gid("t1"));
    trace.vote("t1", "credit", Vote::refused).acknowledge("t1", "credit", Verb::rollback);
    trace.acknowledge("t1", "coupon", Verb::rollback).sync_some(4);
    EXPECT_EQ(trace.core().find(key), trace.gid("t1"));
    trace.sync();
    EXPECT_FALSE(trace.core().find(key).has_value());
}

TEST(ProtocolTest, TheLastAttemptIsFoundAmongOthers) {
    Trace trace = two();
    trace.submit("t1").submit("t2");
    EXPECT_EQ(trace.core().last_attempt("order", "t1")->second, trace.gid("t1"));
    EXPECT_FALSE(trace.core().last_attempt("order", "t3").has_value());
    EXPECT_FALSE(trace.core().last_attempt("orde", "t1").has_value());
}

TEST(ProtocolTest, LowWaterIsTheOldestUnfinishedThatNamesTheParticipant) {
    Trace trace = two();
    EXPECT_FALSE(trace.core().low_water("credit").has_value());
    trace.submit("t1").submit("t2");
    EXPECT_EQ(trace.core().low_water("credit"), trace.gid("t1"));
    EXPECT_FALSE(trace.core().low_water("stock").has_value());
    trace.vote("t1", "credit", Vote::refused).acknowledge("t1", "credit", Verb::rollback);
    trace.acknowledge("t1", "coupon", Verb::rollback);
    // Its end is queued, not durable: a crash would send the decision again.
    trace.sync_some(5);
    EXPECT_EQ(trace.core().low_water("credit"), trace.gid("t1"));
    trace.sync();
    EXPECT_EQ(trace.core().low_water("credit"), trace.gid("t2"));
}

}  // namespace
}  // namespace twophase::coordinator
