#include "tests/recovery/lane_bench.hpp"

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <utility>

namespace twophase::recovery {
namespace {

using namespace testing_lane;

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
                const int fate = chance(10);
                if (fate < 2)
                    fail(lane, under_way.front(), now);
                else if (fate < 4)
                    leave_alone(lane, under_way.front(), now, Time(chance(3'000)), fate == 2);
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

/// The closing breaker hurries what waits by our own backoff, and not what the peer asked for.
TEST(LaneTest, APeerThatIsBackIsAskedAtOnceForAllButWhatItWantsToBeLeftAloneWith) {
    TestLane lane = lane_with(8, 1);
    for (const char* key : {"a", "b", "c", "patient"}) lane.want(key, Verb::commit, 1);
    for (const auto& request : lane.take(Time(0))) {
        const bool is_patient = keys(request) == "patient";
        lane.unclear(request.calls[0], Time(0), false, Time(is_patient ? 50'000 : 1));
        lane.done(request, Outcome::unclear, Time(0));
    }
    ASSERT_TRUE(lane.is_open());
    const Time now = *lane.next_due();
    const auto probe = lane.take(now);
    ASSERT_EQ(probe.size(), 1U);
    succeed(lane, probe[0], now);
    std::string hurried;
    for (const auto& request : lane.take(now)) hurried += keys(request);
    EXPECT_EQ(hurried.size(), 2U) << "the other two, whatever their backoff: " << hurried;
    EXPECT_EQ(hurried.find("patient"), std::string::npos);
    EXPECT_EQ(lane.next_due(), Time(50'000));
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
