#include "recovery/lane.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <random>
#include <string>

namespace twophase::recovery {
namespace {

enum class Verb { prepare, commit, rollback };
using TestLane = Lane<std::string, Verb, std::hash<std::string>>;

unsigned class_of(Verb verb) { return verb == Verb::prepare ? 0 : 1; }

TestLane lane_with(std::size_t window, std::size_t most_items) {
    LaneOptions options;
    options.window = window;
    options.most_items = most_items;
    return TestLane(options, class_of, 42);
}

std::string keys(const TestLane::Request& request) {
    std::string text;
    for (const auto& call : request.calls) text += call.key;
    return text;
}

void succeed(TestLane& lane, const TestLane::Request& request, Time now = Time(0)) {
    for (const auto& call : request.calls) lane.settled(call);
    lane.done(request, Outcome::clear, now);
}

void fail(TestLane& lane,
          const TestLane::Request& request,
          Time now,
          Outcome outcome = Outcome::unclear) {
    for (const auto& call : request.calls) lane.unclear(call, now, false);
    lane.done(request, outcome, now);
}

TEST(LaneTest, ACallAloneLeavesAtOnceAndOthersGatherWhileItIsInFlight) {
    TestLane lane = lane_with(1, 10);
    lane.want("a", Verb::prepare, 1);
    const auto first = lane.take(Time(0));
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(keys(first[0]), "a");
    lane.want("b", Verb::prepare, 1);
    lane.want("c", Verb::prepare, 1);
    EXPECT_TRUE(lane.take(Time(0)).empty());
    succeed(lane, first[0]);
    const auto second = lane.take(Time(0));
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(keys(second[0]), "bc");
}

TEST(LaneTest, HangingPreparesDoNotHoldBackDecisions) {
    TestLane lane = lane_with(1, 1);
    lane.want("a", Verb::prepare, 1);
    EXPECT_EQ(lane.take(Time(0)).size(), 1U);
    lane.want("b", Verb::commit, 1);
    const auto requests = lane.take(Time(0));
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].verb, Verb::commit);
}

TEST(LaneTest, VerbsOfOneWindowTakeTurns) {
    TestLane lane = lane_with(1, 1);
    for (const char* key : {"a", "b", "c"}) lane.want(key, Verb::commit, 1);
    lane.want("x", Verb::rollback, 1);
    const auto first = lane.take(Time(0));
    succeed(lane, first[0]);
    EXPECT_EQ(keys(lane.take(Time(0))[0]), "x");
}

TEST(LaneTest, ANewerVerbReplacesAnOlderAndGoesBesideItsCallInFlight) {
    TestLane lane = lane_with(1, 1);
    lane.want("a", Verb::prepare, 1);
    const auto prepare = lane.take(Time(0));
    lane.want("a", Verb::rollback, 1);
    EXPECT_TRUE(lane.is_in_flight("a"));
    const auto rollback = lane.take(Time(0));
    ASSERT_EQ(rollback.size(), 1U);
    EXPECT_EQ(rollback[0].verb, Verb::rollback);
    EXPECT_FALSE(lane.is_wanted(prepare[0].calls[0]));
    succeed(lane, prepare[0]);  // the late yes settles nothing
    EXPECT_EQ(lane.wanted("a"), Verb::rollback);
    EXPECT_TRUE(lane.is_in_flight("a"));
    succeed(lane, rollback[0]);
    EXPECT_EQ(lane.size(), 0U);
    EXPECT_FALSE(lane.is_in_flight("a"));
}

TEST(LaneTest, AWaitingCallThatIsReplacedNeverLeaves) {
    TestLane lane = lane_with(1, 10);
    lane.want("a", Verb::prepare, 1);
    lane.want("a", Verb::rollback, 1);
    const auto requests = lane.take(Time(0));
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].verb, Verb::rollback);
}

TEST(LaneTest, UnclearCallsComeAgainAfterABackoffThatGrowsAndIsBounded) {
    TestLane lane = lane_with(1, 1);
    lane.want("a", Verb::commit, 1);
    Time now(0);
    for (unsigned attempt = 1; attempt <= 12; ++attempt) {
        const auto requests = lane.take(now);
        ASSERT_EQ(requests.size(), 1U);
        EXPECT_EQ(requests[0].calls[0].attempts, attempt);
        fail(lane, requests[0], now);
        const auto due = lane.next_due();
        ASSERT_TRUE(due.has_value());
        EXPECT_GE(*due, now);
        EXPECT_LE(*due - now, Time(60'000));
        now = *due;
    }
}

TEST(LaneTest, ArraysStayWithinItemsAndBytes) {
    LaneOptions options;
    options.window = 8;
    options.most_items = 3;
    options.most_bytes = 100;
    TestLane lane(options, class_of, 1);
    for (const char* key : {"a", "b", "c", "d"}) lane.want(key, Verb::commit, 30);
    lane.want("e", Verb::commit, 500);
    lane.want("f", Verb::commit, 30);
    const auto requests = lane.take(Time(0));
    ASSERT_EQ(requests.size(), 4U);
    EXPECT_EQ(keys(requests[0]), "abc");
    EXPECT_EQ(keys(requests[1]), "d");
    EXPECT_EQ(keys(requests[2]), "e");  // larger than the limit: alone, never stuck
    EXPECT_EQ(keys(requests[3]), "f");
}

TEST(LaneTest, ItemsOfAnArrayThatWasNotUnderstoodGoAlone) {
    TestLane lane = lane_with(8, 10);
    lane.want("a", Verb::commit, 1);
    lane.want("b", Verb::commit, 1);
    const auto first = lane.take(Time(0));
    for (const auto& call : first[0].calls) lane.unclear(call, Time(0), true);
    lane.done(first[0], Outcome::unclear, Time(0));
    const auto again = lane.take(Time(60'000));
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].calls.size(), 1U);
}

TEST(LaneTest, ACallIsLeftAloneForAsLongAsThePeerAskedUpToTheLongestBackoff) {
    TestLane lane = lane_with(8, 10);
    lane.want("a", Verb::commit, 1);
    const auto first = lane.take(Time(0));
    lane.unclear(first[0].calls[0], Time(0), false, Time(30'000));
    lane.done(first[0], Outcome::unclear, Time(0));
    // The peer answers others meanwhile.
    lane.want("b", Verb::commit, 1);
    succeed(lane, lane.take(Time(1'000))[0], Time(1'000));
    EXPECT_TRUE(lane.take(Time(29'999)).empty());
    const auto second = lane.take(Time(30'000));
    ASSERT_EQ(second.size(), 1U);
    lane.unclear(second[0].calls[0], Time(30'000), false, Time(3'600'000));
    lane.done(second[0], Outcome::unclear, Time(30'000));
    EXPECT_EQ(lane.next_due(), Time(90'000));
}

TEST(LaneTest, OneItemsWaitHoldsUpNoOtherOfItsArray) {
    TestLane lane = lane_with(8, 10);
    lane.want("a", Verb::commit, 1);
    lane.want("b", Verb::commit, 1);
    const auto both = lane.take(Time(0));
    ASSERT_EQ(keys(both[0]), "ab");
    lane.unclear(both[0].calls[0], Time(0), false, Time(60'000));
    lane.unclear(both[0].calls[1], Time(0), false);
    lane.done(both[0], Outcome::clear, Time(0));
    const auto again = lane.take(Time(1'000));
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(keys(again[0]), "b");
}

TEST(LaneTest, ProbesHonourWhatThePeerAskedFor) {
    TestLane lane = lane_with(8, 1);
    for (const char* key : {"a", "b", "c"}) lane.want(key, Verb::commit, 1);
    for (const auto& request : lane.take(Time(0))) {
        lane.unclear(request.calls[0], Time(0), false, Time(40'000));
        lane.done(request, Outcome::unclear, Time(0), Time(40'000));
    }
    ASSERT_TRUE(lane.is_open());
    lane.want("new", Verb::prepare, 1);
    EXPECT_TRUE(lane.take(Time(39'999)).empty());
    EXPECT_EQ(lane.next_due(), Time(40'000));
    EXPECT_EQ(lane.take(Time(40'000)).size(), 1U);
}

TEST(LaneTest, TheNextTryOfADeliveryWaitsForBothItsOwnTimeAndThePeers) {
    TestLane lane = lane_with(8, 1);
    lane.want("a", Verb::prepare, 1);
    const auto first = lane.take(Time(0));
    lane.unclear(first[0].calls[0], Time(0), false, Time(20'000));
    lane.done(first[0], Outcome::unclear, Time(0));
    lane.want("a", Verb::prepare, 1, Time(100));
    EXPECT_EQ(lane.next_due(), Time(20'000));
    lane.want("a", Verb::prepare, 1, Time(25'000));
    EXPECT_EQ(lane.next_due(), Time(25'000));
    // Another verb is another call: nobody asked to be left alone with that.
    lane.want("a", Verb::rollback, 1);
    EXPECT_EQ(lane.take(Time(200)).size(), 1U);
}

TEST(LaneTest, AnOperatorMayAskAgainBeforeThePeersTime) {
    TestLane lane = lane_with(8, 1);
    lane.want("a", Verb::commit, 1);
    const auto first = lane.take(Time(0));
    lane.unclear(first[0].calls[0], Time(0), false, Time(60'000));
    lane.done(first[0], Outcome::unclear, Time(0));
    EXPECT_TRUE(lane.hurry("a"));
    EXPECT_EQ(lane.take(Time(1)).size(), 1U);
}

TEST(LaneTest, AFailingPeerIsProbedOneAtATimeAndOneSuccessReleasesAll) {
    TestLane lane = lane_with(64, 1);
    for (int i = 0; i < 10; ++i) lane.want(std::to_string(i), Verb::commit, 1);
    Time now(0);
    for (const auto& request : lane.take(now)) fail(lane, request, now);
    ASSERT_TRUE(lane.is_open());
    now += Time(60'000);
    const auto probe = lane.take(now);
    ASSERT_EQ(probe.size(), 1U);
    EXPECT_TRUE(probe[0].is_probe);
    EXPECT_TRUE(lane.take(now + Time(60'000)).empty());  // its answer is awaited
    fail(lane, probe[0], now);
    ASSERT_TRUE(lane.next_due().has_value());
    now += Time(5'000);  // never longer between two probes
    const auto second = lane.take(now);
    ASSERT_EQ(second.size(), 1U);
    succeed(lane, second[0]);
    EXPECT_FALSE(lane.is_open());
    EXPECT_EQ(lane.take(now).size(), 9U);
}

TEST(LaneTest, OnePoisonedItemNeverOpensTheBreaker) {
    TestLane lane = lane_with(4, 1);
    lane.want("poison", Verb::commit, 1);
    Time now(0);
    for (int i = 0; i < 20; ++i) {
        const auto requests = lane.take(now);
        ASSERT_EQ(requests.size(), 1U);
        fail(lane, requests[0], now);
        now += Time(60'000);
    }
    EXPECT_FALSE(lane.is_open());
}

// An eventual delivery's next try is wanted anew, for its time.
TEST(LaneTest, APoisonedItemThatIsPlannedAgainNeverOpensTheBreakerEither) {
    TestLane lane = lane_with(4, 1);
    lane.want("poison", Verb::commit, 1);
    Time now(0);
    for (unsigned tries = 1; tries <= 20; ++tries) {
        const auto requests = lane.take(now);
        ASSERT_EQ(requests.size(), 1U);
        EXPECT_EQ(requests[0].calls[0].attempts, tries);
        fail(lane, requests[0], now);
        lane.want("poison", Verb::commit, 1, now + Time(20));
        now += Time(20);
    }
    EXPECT_FALSE(lane.is_open());
    lane.want("poison", Verb::prepare, 1, now);
    EXPECT_EQ(lane.take(now).at(0).calls[0].attempts, 1U) << "another question";
}

TEST(LaneTest, SeveralPoisonedItemsDoNotOpenTheBreakerEither) {
    TestLane lane = lane_with(4, 1);
    lane.want("p", Verb::commit, 1);
    lane.want("q", Verb::commit, 1);
    Time now(0);
    for (int i = 0; i < 20; ++i) {
        for (const auto& request : lane.take(now)) fail(lane, request, now);
        now += Time(60'000);
    }
    EXPECT_FALSE(lane.is_open());
}

TEST(LaneTest, APeerThatIsGoneIsProbedForOneItemToo) {
    TestLane lane = lane_with(4, 1);
    lane.want("a", Verb::commit, 1);
    Time now(0);
    for (int i = 0; i < 10; ++i) {
        const auto requests = lane.take(now);
        ASSERT_EQ(requests.size(), 1U);
        fail(lane, requests[0], now, Outcome::unreachable);
        const auto due = lane.next_due();
        ASSERT_TRUE(due.has_value());
        if (lane.is_open()) {
            EXPECT_LE(*due - now, Time(5'000));
        }
        now = *due;
    }
    EXPECT_TRUE(lane.is_open());
}

// Found by the simulation: the alarm for the probe rang again and again at a time that had passed.
TEST(LaneTest, AProbeThatHasNoPlaceWaitsForAnAnswerNotForATimeThatHasPassed) {
    TestLane lane = lane_with(1, 1);
    lane.want("hanging", Verb::commit, 1);
    const auto hanging = lane.take(Time(0));
    lane.want("next", Verb::commit, 1);
    lane.want("asked", Verb::prepare, 1);
    Time now(0);
    for (int failures = 0; failures < 3; ++failures) {
        now += Time(100'000);
        for (const auto& request : lane.take(now)) fail(lane, request, now, Outcome::unreachable);
    }
    ASSERT_TRUE(lane.is_open());
    lane.drop("asked");
    now += Time(100'000);
    EXPECT_TRUE(lane.take(now).empty());
    EXPECT_FALSE(lane.next_due());
    fail(lane, hanging.at(0), now);
    EXPECT_TRUE(lane.next_due());
}

TEST(LaneTest, AClearNoIsASuccessOfThePeer) {
    TestLane lane = lane_with(64, 1);
    for (const char* key : {"a", "b", "c"}) lane.want(key, Verb::commit, 1);
    auto requests = lane.take(Time(0));
    fail(lane, requests[0], Time(0));
    fail(lane, requests[1], Time(0));
    lane.contradicted(requests[2].calls[0], Time(0));
    lane.done(requests[2], Outcome::clear, Time(0));
    EXPECT_FALSE(lane.is_open());
    EXPECT_EQ(lane.wanted("c"), Verb::commit);  // slow retries, never done
}

TEST(LaneTest, HeldCallsWaitForTheirRelease) {
    TestLane lane = lane_with(4, 10);
    lane.hold(0, true);
    lane.want("a", Verb::prepare, 1);
    lane.want("b", Verb::rollback, 1);
    const auto first = lane.take(Time(0));
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].verb, Verb::rollback);
    lane.hold(0, false);
    EXPECT_EQ(lane.take(Time(0)).size(), 1U);
}

TEST(LaneTest, HurryMakesAWaitingCallDueAndNothingElse) {
    TestLane lane = lane_with(4, 1);
    lane.want("a", Verb::commit, 1);
    EXPECT_FALSE(lane.hurry("a"));
    lane.contradicted(lane.take(Time(0))[0].calls[0], Time(0));
    EXPECT_TRUE(lane.take(Time(1)).empty());
    EXPECT_TRUE(lane.hurry("a"));
    EXPECT_EQ(lane.take(Time(1)).size(), 1U);
    EXPECT_FALSE(lane.hurry("b"));
}

TEST(LaneTest, DroppedCallsNeverLeave) {
    TestLane lane = lane_with(4, 10);
    lane.want("a", Verb::commit, 1);
    lane.drop("a");
    EXPECT_TRUE(lane.take(Time(0)).empty());
    lane.want("b", Verb::commit, 1);
    fail(lane, lane.take(Time(0))[0], Time(0));
    lane.drop("b");
    EXPECT_TRUE(lane.take(Time(600'000)).empty());
    EXPECT_FALSE(lane.next_due().has_value());
}

TEST(BackoffTest, JittersFromZeroToACeilingThatDoubles) {
    std::mt19937_64 random(1);
    Time longest(0);
    for (int i = 0; i < 1'000; ++i) {
        EXPECT_LE(backoff({}, 1, random), Time(1'000));
        EXPECT_LE(backoff({}, 3, random), Time(4'000));
        const Time late = backoff({}, 1'000'000, random);
        EXPECT_LE(late, Time(60'000));
        longest = std::max(longest, late);
    }
    EXPECT_GT(longest, Time(50'000));
}

TEST(LaneTest, WhatIsPlannedLeavesAtItsTime) {
    TestLane lane = lane_with(1, 1);
    lane.want("later", Verb::prepare, 1, Time(500));
    EXPECT_TRUE(lane.take(Time(499)).empty());
    EXPECT_EQ(lane.next_due(), Time(500));
    lane.want("now", Verb::commit, 1);
    const auto first = lane.take(Time(499));
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(keys(first[0]), "now") << "it holds up nothing else";
    const auto second = lane.take(Time(500));
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(keys(second[0]), "later");
}

TEST(LaneTest, WhatIsPlannedCanBeHurriedReplacedAndDropped) {
    TestLane lane = lane_with(4, 1);
    lane.want("hurried", Verb::prepare, 1, Time(500));
    lane.want("replaced", Verb::prepare, 1, Time(500));
    lane.want("dropped", Verb::prepare, 1, Time(500));
    EXPECT_TRUE(lane.hurry("hurried"));
    lane.want("replaced", Verb::commit, 1);
    lane.drop("dropped");
    std::string left;
    for (const auto& request : lane.take(Time(0))) left += keys(request) + " ";
    EXPECT_EQ(left, "replaced hurried ") << "verbs take turns";
    EXPECT_EQ(lane.next_due(), std::nullopt);
    EXPECT_TRUE(lane.take(Time(500)).empty());
}

/// Ten thousand deliveries due in one moment: the window bounds them, and another verb of the same
/// window, live traffic, goes on throughout.
TEST(LaneTest, ManyThatAreDueAtOnceStayInTheWindowAndLetOthersHaveTheirTurn) {
    constexpr std::size_t many = 10'000;
    constexpr std::size_t window = 4;
    TestLane lane = lane_with(window, 25);
    for (std::size_t i = 0; i < many; ++i)
        lane.want(std::to_string(i), Verb::commit, 1, Time(60'000));
    EXPECT_TRUE(lane.take(Time(59'999)).empty());
    std::deque<TestLane::Request> flying;
    std::size_t delivered = 0;
    std::size_t asked = 0;
    std::size_t answered = 0;
    while (delivered < many) {
        lane.want("live " + std::to_string(asked++), Verb::rollback, 1);
        for (TestLane::Request& request : lane.take(Time(60'000)))
            flying.push_back(std::move(request));
        ASSERT_LE(lane.in_flight(), window);
        ASSERT_LE(asked - answered, 2 * window + 1) << "live traffic waits behind deliveries";
        ASSERT_FALSE(flying.empty());
        const TestLane::Request over = std::move(flying.front());
        flying.pop_front();
        (over.verb == Verb::commit ? delivered : answered) += over.calls.size();
        succeed(lane, over);
    }
    EXPECT_GT(answered, many / 25 / 2);
}

/// Closing the breaker hurries what waits for the peer, and not what is planned.
TEST(LaneTest, NewWorkAndWhatAnEarlierStartLeftTakeTurns) {
    TestLane lane = lane_with(1, 4);
    for (const char* key : {"1", "2", "3", "4", "5"}) lane.want_left_over(key, Verb::commit, 1);
    for (const char* key : {"a", "b", "c"}) lane.want(key, Verb::commit, 1);
    std::string left;
    while (lane.size() > 0) {
        const auto requests = lane.take(Time(0));
        ASSERT_EQ(requests.size(), 1U);
        left += keys(requests[0]) + " ";
        succeed(lane, requests[0]);
    }
    EXPECT_EQ(left, "a1b2 c345 ");
}

TEST(LaneTest, WhatIsLateHasAllPlacesUntilThereIsNewWorkAndThenAShare) {
    LaneOptions options;
    options.window = 4;
    options.most_items = 10;
    options.late.window = 1;
    TestLane lane(options, class_of, 42);
    for (int i = 0; i < 200; ++i) lane.want_left_over("late " + std::to_string(i), Verb::commit, 1);
    const auto alone = lane.take(Time(0));
    ASSERT_EQ(alone.size(), 4U);
    for (const auto& request : alone) EXPECT_EQ(request.calls.size(), 10U);
    for (const auto& request : alone) succeed(lane, request);

    lane.want("new", Verb::commit, 1);
    const auto first = lane.take(Time(0));
    ASSERT_GE(first.size(), 1U);
    for (const auto& request : first) succeed(lane, request);
    for (int i = 0; i < 20; ++i) lane.want("new " + std::to_string(i), Verb::commit, 1);
    std::size_t late = 0;
    std::size_t fresh = 0;
    for (const auto& request : lane.take(Time(1))) {
        late += request.late;
        fresh += request.calls.size() - request.late;
    }
    EXPECT_EQ(late, 5U);  // half of the one request that may take them
    EXPECT_EQ(fresh, 20U);
}

TEST(LaneTest, BesideNewWorkARequestCarriesFewLateCallsAndAllTheNewOnesThatFit) {
    LaneOptions options;
    options.window = 4;
    options.most_items = 10;
    options.late.window = 1;
    options.late.most_items = 3;
    TestLane lane(options, class_of, 42);
    for (int i = 0; i < 200; ++i) lane.want_left_over("late " + std::to_string(i), Verb::commit, 1);
    const auto alone = lane.take(Time(0));
    ASSERT_EQ(alone.size(), 4U);
    for (const auto& request : alone) EXPECT_EQ(request.late, 10U);
    for (const auto& request : alone) succeed(lane, request);
    lane.want("new", Verb::commit, 1);
    for (const auto& request : lane.take(Time(0))) succeed(lane, request);

    for (int i = 0; i < 20; ++i) lane.want("new " + std::to_string(i), Verb::commit, 1);
    const auto beside = lane.take(Time(1));
    ASSERT_EQ(beside.size(), 3U);
    EXPECT_EQ(beside[0].late, 3U);
    EXPECT_EQ(beside[0].calls.size(), 10U);
    EXPECT_EQ(beside[1].late + beside[2].late, 0U);
}

// What left while nothing else was about may carry more late calls than one does beside new work.
TEST(LaneTest, TheRestAfterALongerLateRequestIsNoLonger) {
    LaneOptions options;
    options.most_items = 10;
    options.late = {.window = 1, .most_items = 3, .rest = 2, .most_rest = Time(1'000)};
    TestLane lane(options, class_of, 42);
    for (int i = 0; i < 50; ++i) lane.want_left_over("late " + std::to_string(i), Verb::commit, 1);
    const auto alone = lane.take(Time(0));
    ASSERT_EQ(alone.size(), 4U);
    lane.want("new", Verb::prepare, 1);
    const auto fresh = lane.take(Time(0));
    ASSERT_EQ(fresh.size(), 1U);
    for (const auto& request : alone) succeed(lane, request, Time(10));
    EXPECT_EQ(lane.take(Time(10)).size(), 0U);
    EXPECT_EQ(lane.next_due(), Time(30));
}

/// A late call ends just after new work of the other verb left, so it is always the same verb's
/// turn when the one place for late calls is free.
TEST(LaneTest, LateCallsOfSeveralVerbsTakeTurnsAtTheirPlace) {
    LaneOptions options;
    options.window = 4;
    options.most_items = 1;
    options.late.window = 1;
    TestLane lane(options, class_of, 42);
    lane.want("new", Verb::rollback, 1);
    for (const auto& request : lane.take(Time(0))) succeed(lane, request);
    for (int i = 0; i < 10; ++i) {
        lane.want_left_over("c" + std::to_string(i), Verb::commit, 1);
        lane.want_left_over("r" + std::to_string(i), Verb::rollback, 1);
    }
    std::string left;
    std::optional<TestLane::Request> late;
    for (int i = 0; i < 6; ++i) {
        lane.want("new " + std::to_string(i), Verb::rollback, 1);
        for (const auto& request : lane.take(Time(0)))
            if (request.late > 0)
                late = request;
            else
                succeed(lane, request);
        ASSERT_TRUE(late);
        left += keys(*late).substr(0, 1);
        lane.want("next " + std::to_string(i), Verb::rollback, 1);
        for (const auto& request : lane.take(Time(0))) succeed(lane, request);
        succeed(lane, *late);
        late.reset();
    }
    EXPECT_TRUE(left == "crcrcr" || left == "rcrcrc") << left;
}

TEST(LaneTest, WhatIsLateHasAllPlacesAgainAMomentAfterTheLastNewWork) {
    TestLane lane = lane_with(2, 4);
    lane.want("new", Verb::commit, 1);
    succeed(lane, lane.take(Time(0))[0]);
    for (int i = 0; i < 20; ++i) lane.want_left_over(std::to_string(i), Verb::commit, 1);
    EXPECT_EQ(lane.take(Time(199)).size(), 1U);
    EXPECT_EQ(lane.take(Time(200)).size(), 1U);
    EXPECT_EQ(lane.in_flight(), 2U);
}

TEST(LaneTest, WhatWaitedForAPeerThatWasAwayDoesNotGoBeforeNewWork) {
    TestLane lane = lane_with(1, 4);
    lane.want("first", Verb::commit, 1);
    Time now{0};
    while (!lane.is_open()) {
        now += Time(60'000);
        for (const auto& request : lane.take(now)) fail(lane, request, now, Outcome::unreachable);
    }
    for (int i = 0; i < 20; ++i) lane.want(std::to_string(i), Verb::commit, 1);
    now += Time(60'000);
    const auto probe = lane.take(now);
    ASSERT_EQ(probe.size(), 1U);
    lane.settled(probe[0].calls[0]);
    lane.done(probe[0], Outcome::clear, now);
    ASSERT_FALSE(lane.is_open());
    lane.want("new", Verb::commit, 1);
    const auto next = lane.take(now);
    ASSERT_EQ(next.size(), 1U);
    EXPECT_NE(keys(next[0]).find("new"), std::string::npos) << keys(next[0]);
}

TEST(LaneTest, RetriesThatBecomeDueDoNotGoBeforeNewWork) {
    TestLane lane = lane_with(1, 4);
    for (const char* key : {"1", "2", "3", "4"}) lane.want(key, Verb::commit, 1);
    const auto first = lane.take(Time(0));
    fail(lane, first[0], Time(0));
    lane.want("x", Verb::commit, 1);
    const auto second = lane.take(Time(0));
    EXPECT_TRUE(lane.take(Time(60'000)).empty());  // the window is full; the retries are due
    for (const char* key : {"a", "b"}) lane.want(key, Verb::commit, 1);
    succeed(lane, second[0]);
    const auto third = lane.take(Time(60'000));
    ASSERT_EQ(third.size(), 1U);
    EXPECT_EQ(keys(third[0]).size(), 4U);
    EXPECT_NE(keys(third[0]).find('a'), std::string::npos);
    EXPECT_NE(keys(third[0]).find('b'), std::string::npos);
}

TEST(LaneTest, WhatHasToGoAloneIsNotPassedByNewWorkForEver) {
    TestLane lane = lane_with(1, 4);
    lane.want("P", Verb::commit, 1);
    lane.want("Q", Verb::commit, 1);
    const auto first = lane.take(Time(0));
    for (const auto& call : first[0].calls) lane.unclear(call, Time(0), true);
    lane.done(first[0], Outcome::clear, Time(0));
    std::string alone;
    for (int i = 0; i < 6; ++i) {
        for (const char* key : {"a", "b", "c"}) lane.want(key, Verb::commit, 1);
        const auto next = lane.take(Time(60'000));
        ASSERT_EQ(next.size(), 1U);
        if (next[0].calls.size() == 1 && keys(next[0]) < "a") alone += keys(next[0]);
        succeed(lane, next[0]);
    }
    EXPECT_EQ(alone.size(), 2U) << alone;
}

TEST(LaneTest, AProbeLeavesThoughLateCallsHang) {
    TestLane lane = lane_with(4, 1);  // of four places one for what is late
    lane.want_left_over("hangs", Verb::commit, 1);
    for (const char* key : {"a", "b", "c"}) lane.want(key, Verb::commit, 1);
    for (const auto& request : lane.take(Time(0)))
        if (request.late == 0) fail(lane, request, Time(0), Outcome::unreachable);
    ASSERT_TRUE(lane.is_open());
    const auto probe_at = lane.next_due();
    ASSERT_TRUE(probe_at);
    const auto probe = lane.take(std::max(*probe_at, Time(500)));
    ASSERT_EQ(probe.size(), 1U);
    EXPECT_TRUE(probe[0].is_probe);
}

TEST(LaneTest, LateCallsAreWokenWhenNewWorkHasEnded) {
    TestLane lane = lane_with(4, 1);
    lane.want("new", Verb::commit, 1);
    succeed(lane, lane.take(Time(0))[0]);
    lane.want_left_over("hangs", Verb::commit, 1);
    lane.want_left_over("waits", Verb::commit, 1);
    ASSERT_EQ(lane.take(Time(1)).size(), 1U);
    ASSERT_EQ(lane.next_due(), Time(200));
    ASSERT_EQ(lane.take(Time(200)).size(), 1U);
    EXPECT_EQ(lane.next_due(), std::nullopt);
}

/// One late request at a time, of three calls at most.
LaneOptions resting() {
    LaneOptions options;
    options.window = 4;
    options.most_items = 3;
    options.late.window = 1;
    options.late.rest = 3;
    options.late.most_rest = Time(100);
    options.late.new_work_lasts = Time(1'000);
    return options;
}

/// With new work that ended just now, and late calls.
TestLane lane_with_late_calls(const LaneOptions& options, int calls) {
    TestLane lane(options, class_of, 42);
    lane.want("new", Verb::commit, 1);
    succeed(lane, lane.take(Time(0))[0]);
    for (int i = 0; i < calls; ++i) lane.want_left_over(std::to_string(i), Verb::commit, 1);
    return lane;
}

TEST(LaneTest, AfterAFullLateRequestNewWorkHasTheTimeToItselfForThreeTimesAsLong) {
    TestLane lane = lane_with_late_calls(resting(), 9);
    const auto first = lane.take(Time(10));
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].late, 3U);
    succeed(lane, first[0], Time(30));
    EXPECT_TRUE(lane.take(Time(30)).empty());
    EXPECT_EQ(lane.next_due(), Time(90));
    lane.want("newer", Verb::commit, 1);
    const auto meanwhile = lane.take(Time(89));
    ASSERT_EQ(meanwhile.size(), 1U);
    EXPECT_EQ(keys(meanwhile[0]), "newer");
    const auto second = lane.take(Time(90));
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(second[0].late, 3U);
}

TEST(LaneTest, TheRestIsForThePartOfALateRequestThatWasFull) {
    TestLane lane = lane_with_late_calls(resting(), 2);
    succeed(lane, lane.take(Time(0))[0], Time(20));
    lane.want_left_over("next", Verb::commit, 1);
    EXPECT_TRUE(lane.take(Time(20)).empty());
    EXPECT_EQ(lane.next_due(), Time(50)) << "two of three: half of the 60 ms";
    succeed(lane, lane.take(Time(50))[0], Time(70));
    lane.want_left_over("last", Verb::commit, 1);
    EXPECT_EQ(lane.take(Time(70)).size(), 1U) << "a call alone: none";
}

TEST(LaneTest, NewCallsThatShareALateRequestMakeItRestNoLonger) {
    TestLane lane = lane_with_late_calls(resting(), 1);
    for (const char* key : {"a", "b"}) lane.want(key, Verb::commit, 1);
    const auto mixed = lane.take(Time(0));
    ASSERT_EQ(mixed.size(), 1U);
    ASSERT_EQ(mixed[0].calls.size(), 3U);
    ASSERT_EQ(mixed[0].late, 1U);
    succeed(lane, mixed[0], Time(20));
    lane.want_left_over("next", Verb::commit, 1);
    EXPECT_EQ(lane.take(Time(20)).size(), 1U);
}

TEST(LaneTest, ASlowPeersLateCallsDoNotRestForLong) {
    TestLane lane = lane_with_late_calls(resting(), 9);
    succeed(lane, lane.take(Time(0))[0], Time(500));
    EXPECT_TRUE(lane.take(Time(500)).empty());
    EXPECT_EQ(lane.next_due(), Time(600));
    EXPECT_EQ(lane.take(Time(600)).size(), 1U);
}

TEST(LaneTest, AShorterRestDoesNotEndALongerOne) {
    LaneOptions options = resting();
    options.late.window = 2;
    TestLane lane = lane_with_late_calls(options, 20);
    const auto first = lane.take(Time(0));
    ASSERT_EQ(first.size(), 2U);
    succeed(lane, first[0], Time(30));
    succeed(lane, first[1], Time(0));
    EXPECT_TRUE(lane.take(Time(31)).empty());
    EXPECT_EQ(lane.next_due(), Time(120));
}

TEST(LaneTest, TheRestOfOneClassDoesNotHoldTheOther) {
    TestLane lane = lane_with_late_calls(resting(), 9);
    const auto first = lane.take(Time(0));
    for (int i = 0; i < 3; ++i) lane.want_left_over("p" + std::to_string(i), Verb::prepare, 1);
    succeed(lane, first[0], Time(30));
    const auto next = lane.take(Time(30));
    ASSERT_EQ(next.size(), 1U);
    EXPECT_EQ(next[0].verb, Verb::prepare);
}

TEST(LaneTest, NewWorkIsAboutForAsLongAsItIsUnderWay) {
    TestLane lane(resting(), class_of, 42);
    lane.want("new", Verb::commit, 1);
    const auto slow = lane.take(Time(0));
    for (int i = 0; i < 20; ++i) lane.want_left_over(std::to_string(i), Verb::commit, 1);
    const auto late = lane.take(Time(5'000));
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(lane.next_due(), std::nullopt) << "an answer comes first";
    succeed(lane, slow[0], Time(5'001));
    EXPECT_TRUE(lane.take(Time(5'001)).empty());
    EXPECT_EQ(lane.next_due(), Time(6'001));
    EXPECT_EQ(lane.take(Time(6'001)).size(), 3U);
}

/// Whatever comes when: a time that next_due() names lies ahead and is not too late, and every call
/// leaves and ends.
TEST(LaneTest, NoCallIsForgottenAndNoTimerRingsForNothing) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        const auto chance = [&random](int of) { return int(random() % unsigned(of)); };
        LaneOptions options = resting();
        options.window = 1 + std::size_t(chance(4));
        options.most_items = 1 + std::size_t(chance(4));
        options.late.window = 1 + std::size_t(chance(2));
        options.late.new_work_lasts = Time(1 + chance(300));
        TestLane lane(options, class_of, seed);
        std::deque<TestLane::Request> under_way;
        Time now(0);
        int wanted = 0;
        const auto leave = [&] {
            for (auto& request : lane.take(now)) under_way.push_back(std::move(request));
            const auto due = lane.next_due();
            EXPECT_GT(due.value_or(now + Time(1)), now) << seed;
            EXPECT_TRUE(lane.take(now).empty()) << seed;
        };
        for (int step = 0; step < 300; ++step) {
            const std::string key = std::to_string(wanted);
            const Verb verb = chance(3) == 0 ? Verb::prepare : Verb::commit;
            if (wanted < 60 && chance(2) == 0) {
                ++wanted;
                if (chance(2) == 0)
                    lane.want(key, verb, 1);
                else
                    lane.want_left_over(key, verb, 1);
            }
            if (!under_way.empty() && chance(2) == 0) {
                std::swap(under_way.front(), under_way[std::size_t(chance(int(under_way.size())))]);
                if (chance(5) == 0)
                    fail(lane, under_way.front(), now);
                else
                    succeed(lane, under_way.front(), now);
                under_way.pop_front();
            }
            now += Time(chance(40));
            leave();
        }
        // Left alone, every timer leads on until all have ended.
        for (int step = 0; step < 2'000 && lane.size() > 0; ++step) {
            if (!under_way.empty()) {
                succeed(lane, under_way.front(), now);
                under_way.pop_front();
            } else {
                ASSERT_TRUE(lane.next_due()) << seed;
                now = *lane.next_due();
            }
            leave();
        }
        EXPECT_EQ(lane.size(), 0U) << seed;
    }
}

TEST(LaneTest, LateCallsDoNotRestWhenThereIsNoNewWork) {
    TestLane lane = lane_with(1, 1);
    for (const char* key : {"late", "later"}) lane.want_left_over(key, Verb::commit, 1);
    const auto first = lane.take(Time(0));
    ASSERT_EQ(first.size(), 1U);
    succeed(lane, first[0], Time(50));
    EXPECT_EQ(lane.take(Time(50)).size(), 1U);
}

TEST(LaneTest, CountsWhatAnEarlierStartLeftUntilItEndsOrIsReplaced) {
    TestLane lane = lane_with(1, 4);
    for (const char* key : {"1", "2"}) lane.want_left_over(key, Verb::commit, 1);
    lane.want_left_over("3", Verb::commit, 1, Time(0));
    lane.want("a", Verb::commit, 1);
    EXPECT_EQ(lane.size(), 4U);
    EXPECT_EQ(lane.left_over(), 3U);
    lane.drop("1");
    lane.want("2", Verb::rollback, 1);
    EXPECT_EQ(lane.left_over(), 1U);
    for (int i = 0; i < 2; ++i)
        for (const auto& request : lane.take(Time(0))) succeed(lane, request);
    EXPECT_EQ(lane.size(), 0U);
    EXPECT_EQ(lane.left_over(), 0U);
}

TEST(LaneTest, TheClosingBreakerLeavesWhatIsPlanned) {
    TestLane lane = lane_with(1, 1);
    Time now(0);
    lane.want("a", Verb::prepare, 1);
    for (int failures = 0; !lane.is_open(); ++failures) {
        ASSERT_LT(failures, 100);
        now = std::max(now, lane.next_due().value_or(now));
        for (const auto& request : lane.take(now)) fail(lane, request, now, Outcome::unreachable);
    }
    lane.want("later", Verb::prepare, 1, now + Time(1'000'000));
    now = *lane.next_due();
    const auto probe = lane.take(now);
    ASSERT_EQ(probe.size(), 1U);
    EXPECT_EQ(keys(probe[0]), "a") << "a probe is no reason to deliver early";
    succeed(lane, probe[0]);
    EXPECT_TRUE(lane.take(now).empty());
}

}  // namespace
}  // namespace twophase::recovery
