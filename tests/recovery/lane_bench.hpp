// A lane on a table bench: the test sends, keeps the time and reports.
#pragma once

#include "recovery/lane.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace twophase::recovery::testing_lane {

enum class Verb { prepare, commit, rollback };
using TestLane = Lane<std::string, Verb, std::hash<std::string>>;

inline unsigned class_of(Verb verb) { return verb == Verb::prepare ? 0 : 1; }

inline TestLane lane_with(std::size_t window, std::size_t most_items) {
    LaneOptions options;
    options.window = window;
    options.most_items = most_items;
    return TestLane(options, class_of, 42);
}

inline std::string keys(const TestLane::Request& request) {
    std::string text;
    for (const auto& call : request.calls) text += call.key;
    return text;
}

inline void succeed(TestLane& lane, const TestLane::Request& request, Time now = Time(0)) {
    for (const auto& call : request.calls) lane.settled(call);
    lane.done(request, Outcome::clear, now);
}

inline void fail(TestLane& lane,
                 const TestLane::Request& request,
                 Time now,
                 Outcome outcome = Outcome::unclear) {
    for (const auto& call : request.calls) lane.unclear(call, now, false);
    lane.done(request, outcome, now);
}

/// The peer answers that it wants to be left alone for so long: with all of it, or with these
/// calls.
inline void leave_alone(
    TestLane& lane, const TestLane::Request& request, Time now, Time at_least, bool is_for_all) {
    for (const auto& call : request.calls) lane.unclear(call, now, false, at_least);
    lane.done(request,
              is_for_all ? Outcome::unclear : Outcome::clear,
              now,
              is_for_all ? at_least : Time(0));
}

/// One late request at a time, of three calls at most.
inline LaneOptions resting() {
    LaneOptions options;
    options.window = 4;
    options.most_items = 3;
    options.late.window = 1;
    options.late.rest = 3;
    options.late.most_rest = Time(100);
    options.late.new_work_lasts = Time(1'000);
    return options;
}

}  // namespace twophase::recovery::testing_lane
