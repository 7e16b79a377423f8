#include "coordinator/record_codec.hpp"

#include "coordinator/protocol/describe.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

Gid some_gid() {
    Gid gid{};
    gid.fill(0x11);
    gid[6] = 0x71;
    gid[8] = 0x91;
    return gid;
}

Started full_start() {
    return {.gid = some_gid(),
            .mode = Mode::saga,
            .key = {"order \"quoted\"", "é", 3},
            .fingerprint = {1, 2, 255},
            .branches = {{.branch_id = "a",
                          .participant = "credit",
                          .operation = "deduct",
                          .payload = R"({"amount":9007199254740993,"deep":{"x":[1,2]}})"},
                         {.branch_id = "b",
                          .participant = "coupon",
                          .operation = "create",
                          .payload = "{}",
                          .after = {"a"},
                          .max_retries = 5,
                          .retry_delay_milliseconds = 60'000}},
            .origin = {"127.0.0.1", "r-1", "ann"},
            .traceparent = "00-abc",
            .timeout_milliseconds = 90'000};
}

TEST(RecordCodecTest, EveryRecordGoesThereAndBack) {
    const Gid gid = some_gid();
    const Record records[] = {
        full_start(),
        StepDone{gid, 1, R"({"n":1})"},
        Decided{gid,
                Decision::rollback,
                {.code = "refused", .message = "too few", .branch = 0},
                {{.vote = Vote::refused, .code = "insufficient", .message = "too few"},
                 {.vote = Vote::prepared, .prepare_id = "p", .result = R"({"r":true})"},
                 {.vote = Vote::unasked}}},
        BranchDone{gid, 1, How::by_hand, R"([1])"},
        DeliveryFailed{gid, 0, 7, "never_prepared", "unknown"},
        Resolved{gid, 1, "discarded", "ann", "gone"},
        Resolved{gid, std::nullopt, "rollback", "ann", "stuck"},
        Finished{gid}};
    for (const Record& record : records) {
        const std::string text = encode(record, 1'700'000'000'000'001);
        const auto decoded = decode(gid, text);
        ASSERT_TRUE(decoded) << text;
        EXPECT_EQ(decoded->at_microseconds, 1'700'000'000'000'001);
        EXPECT_EQ(encode(decoded->record, decoded->at_microseconds), text);
        EXPECT_EQ(describe(decoded->record), describe(record));
        EXPECT_EQ(decoded->record, record);
    }
}

TEST(RecordCodecTest, WhatCannotBeReadIsNamedAndNeverGuessed) {
    for (const char* text :
         {"",
          "{",
          "[]",
          R"({"at":1})",
          R"({"type":"started","at":1})",
          R"({"type":"decided","at":1,"decision":"maybe","why":{"code":"x"},"votes":[]})",
          R"({"type":"from_the_future","at":1})",
          R"({"type":"finished"})",
          R"({"type":"branch_done","at":1,"branch":"x","how":"committed"})",
          // Numbers that their fields can't hold.
          R"({"type":"branch_done","at":1,"branch":184467440737095516151,"how":"committed"})",
          R"({"type":"branch_done","at":1,"branch":4294967296,"how":"committed"})",
          R"({"type":"branch_done","at":1,"branch":-1,"how":"committed"})",
          R"({"type":"branch_done","at":1,"branch":1.0,"how":"committed"})",
          R"({"type":"branch_done","at":1,"branch":true,"how":"committed"})",
          R"({"type":"finished","at":1.7e20})",
          R"({"type":"finished","at":18446744073709551615})"})
        EXPECT_FALSE(decode(some_gid(), text)) << text;
}

TEST(RecordCodecTest, FingerprintsInOldLogsStayTrue) {
    const Started start = full_start();
    // SHA-256 of the request as canonical JSON: members sorted, no blanks.
    EXPECT_EQ(to_hex(fingerprint_of(start.mode, start.branches)),
              "f9b9972dad87974e528d4a43260ef6d7671adb70fe7cb2ab41acc231c31710ae");
}

TEST(RecordCodecTest, TheFingerprintTellsRequestsApart) {
    const Started start = full_start();
    const Fingerprint same = fingerprint_of(start.mode, start.branches);
    EXPECT_EQ(fingerprint_of(start.mode, start.branches), same);
    EXPECT_NE(fingerprint_of(Mode::two_phase, start.branches), same);
    auto changed = start.branches;
    changed[0].payload = R"({"amount":9007199254740992,"deep":{"x":[1,2]}})";
    EXPECT_NE(fingerprint_of(start.mode, changed), same);
    changed = start.branches;
    std::swap(changed[0], changed[1]);
    EXPECT_NE(fingerprint_of(start.mode, changed), same);
}

}  // namespace
}  // namespace twophase::coordinator
