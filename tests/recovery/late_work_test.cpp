// What is late beside new work: places, turns and rests.
#include "tests/recovery/lane_bench.hpp"

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <utility>

namespace twophase::recovery {
namespace {

using namespace testing_lane;

TEST(LateWorkTest, NewWorkAndWhatAnEarlierStartLeftTakeTurns) {
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

TEST(LateWorkTest, WhatIsLateHasAllPlacesUntilThereIsNewWorkAndThenAShare) {
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

TEST(LateWorkTest, BesideNewWorkARequestCarriesFewLateCallsAndAllTheNewOnesThatFit) {
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
TEST(LateWorkTest, TheRestAfterALongerLateRequestIsNoLonger) {
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
TEST(LateWorkTest, LateCallsOfSeveralVerbsTakeTurnsAtTheirPlace) {
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

TEST(LateWorkTest, WhatIsLateHasAllPlacesAgainAMomentAfterTheLastNewWork) {
    TestLane lane = lane_with(2, 4);
    lane.want("new", Verb::commit, 1);
    succeed(lane, lane.take(Time(0))[0]);
    for (int i = 0; i < 20; ++i) lane.want_left_over(std::to_string(i), Verb::commit, 1);
    EXPECT_EQ(lane.take(Time(199)).size(), 1U);
    EXPECT_EQ(lane.take(Time(200)).size(), 1U);
    EXPECT_EQ(lane.in_flight(), 2U);
}

TEST(LateWorkTest, WhatWaitedForAPeerThatWasAwayDoesNotGoBeforeNewWork) {
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

TEST(LateWorkTest, RetriesThatBecomeDueDoNotGoBeforeNewWork) {
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

TEST(LateWorkTest, WhatHasToGoAloneIsNotPassedByNewWorkForEver) {
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

TEST(LateWorkTest, AProbeLeavesThoughLateCallsHang) {
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

TEST(LateWorkTest, LateCallsAreWokenWhenNewWorkHasEnded) {
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

/// With new work that ended just now, and late calls.
TestLane lane_with_late_calls(const LaneOptions& options, int calls) {
    TestLane lane(options, class_of, 42);
    lane.want("new", Verb::commit, 1);
    succeed(lane, lane.take(Time(0))[0]);
    for (int i = 0; i < calls; ++i) lane.want_left_over(std::to_string(i), Verb::commit, 1);
    return lane;
}

TEST(LateWorkTest, AfterAFullLateRequestNewWorkHasTheTimeToItselfForThreeTimesAsLong) {
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

TEST(LateWorkTest, TheRestIsForThePartOfALateRequestThatWasFull) {
    TestLane lane = lane_with_late_calls(resting(), 2);
    succeed(lane, lane.take(Time(0))[0], Time(20));
    lane.want_left_over("next", Verb::commit, 1);
    EXPECT_TRUE(lane.take(Time(20)).empty());
    EXPECT_EQ(lane.next_due(), Time(50)) << "two of three: half of the 60 ms";
    succeed(lane, lane.take(Time(50))[0], Time(70));
    lane.want_left_over("last", Verb::commit, 1);
    EXPECT_EQ(lane.take(Time(70)).size(), 1U) << "a call alone: none";
}

TEST(LateWorkTest, NewCallsThatShareALateRequestMakeItRestNoLonger) {
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

TEST(LateWorkTest, ASlowPeersLateCallsDoNotRestForLong) {
    TestLane lane = lane_with_late_calls(resting(), 9);
    succeed(lane, lane.take(Time(0))[0], Time(500));
    EXPECT_TRUE(lane.take(Time(500)).empty());
    EXPECT_EQ(lane.next_due(), Time(600));
    EXPECT_EQ(lane.take(Time(600)).size(), 1U);
}

TEST(LateWorkTest, AShorterRestDoesNotEndALongerOne) {
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

TEST(LateWorkTest, TheRestOfOneClassDoesNotHoldTheOther) {
    TestLane lane = lane_with_late_calls(resting(), 9);
    const auto first = lane.take(Time(0));
    for (int i = 0; i < 3; ++i) lane.want_left_over("p" + std::to_string(i), Verb::prepare, 1);
    succeed(lane, first[0], Time(30));
    const auto next = lane.take(Time(30));
    ASSERT_EQ(next.size(), 1U);
    EXPECT_EQ(next[0].verb, Verb::prepare);
}

TEST(LateWorkTest, NewWorkIsAboutForAsLongAsItIsUnderWay) {
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

TEST(LateWorkTest, LateCallsDoNotRestWhenThereIsNoNewWork) {
    TestLane lane = lane_with(1, 1);
    for (const char* key : {"late", "later"}) lane.want_left_over(key, Verb::commit, 1);
    const auto first = lane.take(Time(0));
    ASSERT_EQ(first.size(), 1U);
    succeed(lane, first[0], Time(50));
    EXPECT_EQ(lane.take(Time(50)).size(), 1U);
}

TEST(LateWorkTest, CountsWhatAnEarlierStartLeftUntilItEndsOrIsReplaced) {
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

}  // namespace
}  // namespace twophase::recovery
