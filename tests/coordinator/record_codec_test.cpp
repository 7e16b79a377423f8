#include "coordinator/record_codec.hpp"

#include "coordinator/protocol/describe.hpp"
#include "coordinator/record_json.hpp"

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

std::vector<Record> all_records() {
    const Gid gid = some_gid();
    return {full_start(),
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
            Finished{gid},
            Finished{gid, true}};
}

std::string in_hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        hex += digits[static_cast<unsigned char>(c) >> 4];
        hex += digits[static_cast<unsigned char>(c) & 15];
    }
    return hex;
}

TEST(RecordCodecTest, EveryRecordGoesThereAndBack) {
    for (const Record& record : all_records()) {
        const std::string payload = encode(record, 1'700'000'000'000'001);
        const auto decoded = decode(some_gid(), payload);
        ASSERT_TRUE(decoded) << describe(record);
        EXPECT_EQ(decoded->at_microseconds, 1'700'000'000'000'001);
        EXPECT_EQ(encode(decoded->record, decoded->at_microseconds), payload);
        EXPECT_EQ(describe(decoded->record), describe(record));
        EXPECT_EQ(decoded->record, record);
    }
}

TEST(RecordCodecTest, WhatAnEarlierBuildWroteIsRead) {
    for (const Record& record : all_records()) {
        const std::string shown = json_of({record, 1'700'000'000'000'001});
        const std::string time = R"("2023-11-14T22:13:20.000001Z")";
        ASSERT_NE(shown.find(time), shown.npos) << shown;
        std::string text = shown;  // a number of microseconds stood there
        text.replace(text.find(time), time.size(), "1700000000000001");
        const auto decoded = decode(some_gid(), text);
        ASSERT_TRUE(decoded) << text;
        EXPECT_EQ(decoded->at_microseconds, 1'700'000'000'000'001);
        EXPECT_EQ(decoded->record, record) << text;
        EXPECT_EQ(json_of(*decoded), shown);
    }
}

/// These bytes stand in logs: a build that reads them otherwise loses what they say.
TEST(RecordCodecTest, BytesInOldLogsMeanTheSame) {
    const Gid gid = some_gid();
    const std::pair<Record, const char*> stored[] = {
        {StepDone{gid, 1, "{}"}, "0101ac0201027b7d"},
        {Decided{gid,
                 Decision::commit,
                 {.code = "all_voted_yes", .message = "", .branch = {}},
                 {{.vote = Vote::prepared, .prepare_id = "p"}, {.vote = Vote::read_only}}},
         "0102ac02000d616c6c5f766f7465645f79657300000201017000000002000000"
         "00"},
        {BranchDone{gid, 200, How::by_hand, "[1]"}, "0103ac02c80106035b315d"},
        {DeliveryFailed{gid, 0, 7, "a", "b"}, "0104ac02000701610162"},
        {Resolved{gid, 1, "x", "y", "z"},
         "0105ac0201010178017"
         "9017a"},
        {Finished{gid, true}, "0106ac0201"}};
    for (const auto& [record, hex] : stored) EXPECT_EQ(in_hex(encode(record, 300)), hex);
    const Started start{.gid = gid,
                        .mode = Mode::eventual,
                        .key = {"c", "i", 2},
                        .fingerprint = {1},
                        .branches = {{.branch_id = "1",
                                      .participant = "p",
                                      .operation = "o",
                                      .payload = "{}",
                                      .after = {"a"},
                                      .max_retries = 5,
                                      .retry_delay_milliseconds = 128}},
                        .origin = {"", "r", ""},
                        .traceparent = "t",
                        .timeout_milliseconds = 1};
    EXPECT_EQ(in_hex(encode(start, 300)),
              "0100ac0202016301690201" + std::string(62, '0') +
                  "0101310170016f027b7d0101610105018001000172000174"
                  "0101");
}

TEST(RecordCodecTest, NoCutAndNoTurnedBitIsTakenForAnother) {
    for (const Record& record : all_records()) {
        const std::string payload = encode(record, 1'700'000'000'000'001);
        for (std::size_t size = 0; size < payload.size(); ++size)
            EXPECT_FALSE(decode(some_gid(), payload.substr(0, size))) << describe(record) << size;
        EXPECT_FALSE(decode(some_gid(), payload + '\0')) << describe(record);
        for (std::size_t bit = 0; bit < 8 * payload.size(); ++bit) {
            std::string turned = payload;
            turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ (1 << bit % 8));
            // It may be another record; it is never this one, and never a crash.
            if (const auto read = decode(some_gid(), turned)) {
                EXPECT_NE(encode(read->record, read->at_microseconds), payload);
            }
        }
    }
}

TEST(RecordCodecTest, BytesThatNoBuildWroteAreNamed) {
    const std::string_view payloads[] = {
        {"\2\6\1\0", 4},                                                  // a later version
        {"\1\7\1\0", 4},                                                  // a later record
        {"\1\6\1\2", 4},                                                  // neither yes nor no
        {"\1\3\1\0\7\0", 6},                                              // a later How
        {"\1\1\1\x80\x80\x80\x80\x10\0", 9},                              // a branch above 32 bits
        {"\1\1\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14},         // a text of 2^64 - 1
        {"\1\6\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\0", 13},           // a time above 64 bits
        {"\1\2\1\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 17}};  // votes without end
    for (const std::string_view payload : payloads)
        EXPECT_FALSE(decode(some_gid(), payload)) << in_hex(payload);
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
          // Steps that come after a text.
          R"({"type":"started","at":1,"attempt":1,"branches":[{"branch_id":"a","participant":"p",)"
          R"("operation":"o","payload":{},"after":"b"}],"business_code":"c","business_id":"i",)"
          R"("fingerprint":"00000000000000000000000000000000000000000000000000000000000000ff",)"
          R"("mode":"saga","origin":{"actor":"","ip":"","request_id":""}})",
          R"({"type":"finished","at":18446744073709551615})"})
        EXPECT_FALSE(decode(some_gid(), text)) << text;
}

TEST(RecordCodecTest, StepsInOldLogsKeepTheirOrder) {
    const auto stamped = decode(
        some_gid(),
        R"({"type":"started","at":1,"attempt":1,"branches":[{"branch_id":"a","participant":"p",)"
        R"("operation":"o","payload":{},"after":["b","c"]}],"business_code":"c","business_id":"i",)"
        R"("fingerprint":"00000000000000000000000000000000000000000000000000000000000000ff",)"
        R"("mode":"saga","origin":{"actor":"","ip":"","request_id":""}})");
    ASSERT_TRUE(stamped) << stamped.error();
    const auto& started = std::get<Started>(stamped->record);
    EXPECT_EQ(started.branches.at(0).after, (std::vector<SharedText>{"b", "c"}));
    EXPECT_EQ(started.key.code, "c");
}

TEST(RecordCodecTest, FingerprintsInOldLogsStayTrue) {
    const Started start = full_start();
    // SHA-256 of the request as canonical JSON, its first byte the rule's version.
    EXPECT_EQ(to_hex(fingerprint_of(start.mode, start.branches).value()),
              "01b9972dad87974e528d4a43260ef6d7671adb70fe7cb2ab41acc231c31710ae");
}

TEST(RecordCodecTest, TheFingerprintTellsRequestsApart) {
    const Started start = full_start();
    const Fingerprint same = fingerprint_of(start.mode, start.branches).value();
    EXPECT_EQ(fingerprint_of(start.mode, start.branches), same);
    EXPECT_NE(fingerprint_of(Mode::two_phase, start.branches), same);
    auto changed = start.branches;
    changed[0].payload = R"({"amount":9007199254740992,"deep":{"x":[1,2]}})";
    EXPECT_NE(fingerprint_of(start.mode, changed), same);
    changed[0].payload = R"({ "deep":{"x":[1.0,2]}, "amount":9007199254740993})";
    EXPECT_EQ(fingerprint_of(start.mode, changed), same);
    changed = start.branches;
    std::swap(changed[0], changed[1]);
    EXPECT_NE(fingerprint_of(start.mode, changed), same);
}

}  // namespace
}  // namespace twophase::coordinator
