// What a set of runs must have met: the crash points of the three programs, and every event in
// every state where it can come.
#pragma once

namespace twophase::simulation {

// clang-format off
inline constexpr const char* expected_points[] = {
    "coordinator after-barrier", "coordinator after-branch_done", "coordinator after-decided",
    "coordinator after-finished", "coordinator after-forgotten", "coordinator after-resolved",
    "coordinator after-resume", "coordinator after-started", "coordinator answered-commit",
    "coordinator answered-prepare", "coordinator answered-rollback", "coordinator asked-decision",
    "coordinator before-barrier", "coordinator before-branch_done", "coordinator before-decided",
    "coordinator before-finished", "coordinator before-resolved", "coordinator before-forgotten", "coordinator before-resume",
    "coordinator before-started", "coordinator send-commit", "coordinator send-prepare",
    "coordinator send-rollback", "coordinator sent-commit", "coordinator sent-prepare",
    "coordinator sent-rollback", "coordinator submitted", "coordinator told-decision",
    "coupon after-barrier", "coupon after-commit", "coupon after-forget", "coupon after-prepare",
    "coupon after-rollback", "coupon before-barrier", "coupon before-commit",
    "coupon before-forget", "coupon before-prepare", "coupon before-rollback", "coupon inquire",
    "coupon inquired", "coupon receive-commit", "coupon receive-prepare",
    "coupon receive-rollback", "coupon replied-commit", "coupon replied-prepare",
    "coupon replied-rollback", "coupon reply-commit", "coupon reply-prepare",
    "coupon reply-rollback", "credit after-barrier", "credit after-commit", "credit after-forget",
    "credit after-prepare", "credit after-rollback", "credit before-barrier",
    "credit before-commit", "credit before-forget", "credit before-prepare",
    "credit before-rollback", "credit inquire", "credit inquired", "credit receive-commit",
    "credit receive-prepare", "credit receive-rollback", "credit replied-commit",
    "credit replied-prepare", "credit replied-rollback", "credit reply-commit",
    "credit reply-prepare", "credit reply-rollback",
    "coordinator send-execute", "coordinator sent-execute", "coordinator answered-execute",
    "coordinator send-compensate", "coordinator sent-compensate",
    "coordinator answered-compensate", "coordinator before-step_done",
    "coordinator after-step_done", "coordinator before-delivery_failed",
    "coordinator after-delivery_failed", "coupon receive-execute", "coupon before-execute",
    "coupon after-execute", "coupon reply-execute", "coupon replied-execute",
    "coupon receive-compensate", "coupon before-compensate", "coupon after-compensate",
    "coupon reply-compensate", "coupon replied-compensate", "credit receive-execute",
    "credit before-execute", "credit after-execute", "credit reply-execute",
    "credit replied-execute", "credit receive-compensate", "credit before-compensate",
    "credit after-compensate", "credit reply-compensate", "credit replied-compensate",
};

// Not among them: `contradicted`, as participants that keep their promises never contradict, and
// the states `held` and `damaged`, which no run begins from: tests/coordinator and tests/wal do.
inline constexpr const char* expected_pairs[] = {
    "acknowledged in deciding", "acknowledged in delivering", "logged in deciding",
    "logged in delivering", "logged in finishing", "logged in preparing", "no_room in preparing",
    "resolve_asked in delivering", "resolve_asked in preparing", "submitted in gone",
    "ticked in gone", "unclear in deciding", "unclear in delivering", "unclear in preparing",
    "unlogged in deciding", "unlogged in gone", "unlogged in preparing", "voted in delivering",
    "voted in preparing",
};
// clang-format on

}  // namespace twophase::simulation
