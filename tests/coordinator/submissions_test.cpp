// What clients may send, and the field that a refusal names.
#include "coordinator/submissions.hpp"

#include "http/json.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

using http::Json;

Config config() {
    Config config;
    config.participants["credit"] = {};
    config.participants["coupon"] = {};
    return config;
}

Json branch(const std::string& participant) {
    return {{"participant", participant}, {"operation", "do.it"}, {"payload", {{"amount", 1}}}};
}

Json request() {
    return {{"business_code", "order"},
            {"business_id", "1"},
            {"branches", {branch("credit"), branch("coupon")}}};
}

auto read(const std::string& body, std::vector<http::Header> headers = {}) {
    return read_submission({.method = "POST", .headers = std::move(headers), .body = body},
                           config());
}

/// The field that a 400 names, or the code of another refusal.
std::string refused(const std::string& body, std::vector<http::Header> headers = {}) {
    const auto result = read(body, std::move(headers));
    if (result) return "accepted";
    const Json problem = Json::parse(result.error().body);
    if (result.error().status == 400) return problem.value("field", "no field");
    return std::to_string(result.error().status) + " " + problem.value("code", "");
}

std::string refused(const Json& json) { return refused(json.dump()); }

Json with(const char* member, Json value) {
    Json json = request();
    json[member] = std::move(value);
    return json;
}

Json with_branch(const char* member, Json value) {
    Json json = request();
    json["branches"][1][member] = std::move(value);
    return json;
}

TEST(SubmissionsTest, ReadsARequestAndFillsInTheDefaults) {
    const auto result = read(request().dump(), {{"X-Request-Id", "r-1"}, {"X-Actor", "ann"}});
    ASSERT_TRUE(result);
    const Submission& submission = result->submission;
    EXPECT_EQ(submission.mode, Mode::two_phase);
    EXPECT_EQ(submission.key.attempt, 1U);
    EXPECT_EQ(submission.branches[0].branch_id, "1");
    EXPECT_EQ(submission.branches[1].branch_id, "2");
    EXPECT_EQ(submission.branches[1].payload, R"({"amount":1})");
    EXPECT_EQ(submission.vote_timeout, std::chrono::milliseconds(5'000));
    EXPECT_EQ(submission.origin.request_id, "r-1");
    EXPECT_EQ(submission.origin.actor, "ann");
    EXPECT_EQ(result->waiting.milestone, Milestone::completed);
    EXPECT_EQ(result->waiting.limit, std::chrono::milliseconds(10'000));
}

TEST(SubmissionsTest, LongHeadersAreCutBetweenCharacters) {
    const auto result =
        read(request().dump(), {{"X-Request-Id", std::string(127, 'a') + "\u00e9"}});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->submission.origin.request_id, std::string(127, 'a'));
}

TEST(SubmissionsTest, NamesTheFieldThatIsWrong) {
    EXPECT_EQ(refused(Json::array()), "");
    EXPECT_EQ(refused(std::string("{")), "");
    EXPECT_EQ(refused(with("business_code", 7)), "business_code");
    EXPECT_EQ(refused(with("business_code", "")), "business_code");
    EXPECT_EQ(refused(with("business_id", std::string(129, 'x'))), "business_id");
    EXPECT_EQ(refused(with("business_code", "idempotency-key")), "business_code");
    EXPECT_EQ(refused(with("business_code", "unknown-after-restore")), "business_code");
    EXPECT_EQ(refused(with("attempt", 0)), "attempt");
    EXPECT_EQ(refused(with("attempt", 1.0)), "attempt");
    EXPECT_EQ(refused(with("attempt", "1")), "attempt");
    EXPECT_EQ(refused(with("mode", "three_phase")), "mode");
    EXPECT_EQ(refused(with("timeout_ms", -1)), "timeout_ms");
    EXPECT_EQ(refused(with("wait_for", "ever")), "wait_for");
    EXPECT_EQ(refused(with("colour", "blue")), "colour");
    EXPECT_EQ(refused(with("branches", Json::array())), "branches");
    EXPECT_EQ(refused(with("branches", "none")), "branches");
    EXPECT_EQ(refused(with_branch("payload", "text")), "branches[1].payload");
    EXPECT_EQ(refused(with_branch("participant", "../credit")), "branches[1].participant");
    EXPECT_EQ(refused(with_branch("operation", "do it")), "branches[1].operation");
    EXPECT_EQ(refused(with_branch("branch_id", "")), "branches[1].branch_id");
    EXPECT_EQ(refused(with_branch("url", "http://evil")), "branches[1].url");
    Json without = request();
    without.erase("business_id");
    EXPECT_EQ(refused(without), "business_id");
    EXPECT_EQ(refused(std::string(R"({"business_code":"a","business_code":"b"})")),
              "business_code");
}

TEST(SubmissionsTest, WhatIsWellFormedButImpossibleIs422) {
    EXPECT_EQ(refused(with_branch("participant", "stock")), "422 unknown-participant");
    EXPECT_EQ(refused(with_branch("branch_id", "1")), "422 branch-id-repeated");
    EXPECT_EQ(refused(with_branch("after", {"1"})), "422 after-not-in-two-phase");
    EXPECT_EQ(refused(with_branch("max_retries", 3)), "422 retries-not-in-two-phase");
}

TEST(SubmissionsTest, TheModeSaysHowLongTheFirstPhaseMayTakeAndWhatIsWaitedFor) {
    const auto two_phase = read(request().dump());
    const auto saga = read(with("mode", "saga").dump());
    const auto eventual = read(with("mode", "eventual").dump());
    ASSERT_TRUE(two_phase && saga && eventual);
    EXPECT_EQ(two_phase->submission.vote_timeout, std::chrono::milliseconds(5'000));
    EXPECT_EQ(saga->submission.vote_timeout, std::chrono::milliseconds(0));
    EXPECT_EQ(eventual->submission.vote_timeout, std::chrono::milliseconds(0));
    EXPECT_EQ(saga->waiting.milestone, Milestone::completed);
    EXPECT_EQ(eventual->waiting.milestone, Milestone::decided);
    Json timed = with("mode", "saga");
    timed["timeout_ms"] = 700;
    EXPECT_EQ(read(timed.dump())->submission.vote_timeout, std::chrono::milliseconds(700));
    Json patient = with("mode", "eventual");
    patient["wait_for"] = "completion";
    EXPECT_EQ(read(patient.dump())->waiting.milestone, Milestone::completed);
}

TEST(SubmissionsTest, ASagasStepsComeInOrderUnlessOneSaysAfter) {
    const auto ordered = read(with("mode", "saga").dump());
    ASSERT_TRUE(ordered);
    EXPECT_EQ(ordered->submission.branches[1].after, std::vector<SharedText>{"1"});
    Json side_by_side = with_branch("after", Json::array());
    side_by_side["mode"] = "saga";
    const auto free = read(side_by_side.dump());
    ASSERT_TRUE(free);
    EXPECT_TRUE(free->submission.branches[1].after.empty());
    EXPECT_NE(ordered->submission.fingerprint, free->submission.fingerprint);
    Json unknown = with_branch("after", {"9"});
    unknown["mode"] = "saga";
    EXPECT_EQ(refused(unknown), "422 after-unknown");
}

TEST(SubmissionsTest, RetriesBelongToEventualDeliveries) {
    Json json = with_branch("max_retries", 5);
    json["branches"][1]["retry_delay_ms"] = 10;
    json["mode"] = "eventual";
    const auto result = read(json.dump());
    ASSERT_TRUE(result);
    EXPECT_EQ(result->submission.branches[1].max_retries, 5U);
    EXPECT_EQ(result->submission.branches[1].retry_delay_milliseconds, 10U);
    json["mode"] = "saga";
    EXPECT_EQ(refused(json), "422 retries-not-in-saga");
}

Json keyless() {
    Json json = request();
    json.erase("business_code");
    json.erase("business_id");
    return json;
}

TEST(SubmissionsTest, TheKeyComesFromTheBodyOrFromTheHeaderNotFromBoth) {
    EXPECT_EQ(refused(request().dump(), {{"Idempotency-Key", "k"}}), "business_code");
    for (const char* header : {"k-1", "\"k-1\"", "\"k-1\";v=2"}) {
        const auto result = read(keyless().dump(), {{"Idempotency-Key", header}});
        ASSERT_TRUE(result) << header;
        EXPECT_EQ(result->submission.key.code, "idempotency-key");
        EXPECT_EQ(result->submission.key.id, "k-1");
    }
    const auto escaped = read(keyless().dump(), {{"Idempotency-Key", R"("a\"b, c;d")"}});
    ASSERT_TRUE(escaped);
    EXPECT_EQ(escaped->submission.key.id, "a\"b, c;d");
}

TEST(SubmissionsTest, AHeaderThatTwoReadersCouldReadAsDifferentKeysIsRefused) {
    for (const std::string& header : {std::string("\"a\", \"b\""),
                                      std::string("a, b"),
                                      std::string("a,b"),
                                      std::string("\"a"),
                                      std::string("a\""),
                                      std::string("\"a\"b"),
                                      std::string("a;v=1"),
                                      std::string("\"\""),
                                      std::string(200, 'k'),
                                      "\"" + std::string(129, 'k') + "\""})
        EXPECT_EQ(refused(keyless().dump(), {{"Idempotency-Key", header}}), "Idempotency-Key")
            << header;
}

// No query can have them, so nobody could look the transaction up by its key.
TEST(SubmissionsTest, KeysWithControlCharactersAreRefusedAtEveryEntrance) {
    for (const char* key : {"a\nb", "\t", "a\x1f", "a\x7f", "\x01"}) {
        EXPECT_EQ(refused(with("business_code", key)), "business_code") << key;
        EXPECT_EQ(refused(with("business_id", key)), "business_id") << key;
        EXPECT_EQ(refused(keyless().dump(), {{"Idempotency-Key", key}}), "Idempotency-Key") << key;
    }
    for (const char* key : {"a b", "\u00e9", "a%0Ab", "\u0085"})
        EXPECT_EQ(refused(with("business_id", key)), "accepted") << key;
}

TEST(SubmissionsTest, PreferencesSayHowLongToWait) {
    for (const char* nonsense : {"wait=", "wait=x", "wait=-1", "wait=3s", "nothing", "wait"}) {
        const auto result = read(request().dump(), {{"Prefer", nonsense}});
        ASSERT_TRUE(result) << nonsense;
        EXPECT_EQ(result->waiting.limit, std::chrono::milliseconds(10'000)) << nonsense;
        EXPECT_EQ(preference_applied(result->waiting, 200), "") << nonsense;
    }
    for (const char* long_wait :
         {"wait=100000", "WAIT=\"100000\"", "wait=99999999999999999999999"}) {
        const auto waiting = read(request().dump(), {{"Prefer", long_wait}})->waiting;
        EXPECT_EQ(waiting.limit, std::chrono::seconds(60)) << long_wait;
        EXPECT_EQ(preference_applied(waiting, 200), "wait=60") << "what is followed is told";
    }
}

TEST(SubmissionsTest, RespondAsyncAloneIsAnsweredAtOnceAndAfterItsWaitWhereItHasOne) {
    const auto at_once = read(request().dump(), {{"Prefer", "Respond-Async"}});
    ASSERT_TRUE(at_once);
    EXPECT_EQ(at_once->waiting.milestone, Milestone::started);
    EXPECT_TRUE(at_once->submission.is_start_awaited);
    EXPECT_EQ(preference_applied(at_once->waiting, 202), "respond-async");
    EXPECT_EQ(preference_applied(at_once->waiting, 200), "") << "it was over before";
    for (const std::vector<http::Header>& both :
         {std::vector<http::Header>{{"Prefer", "respond-async, wait=3"}},
          std::vector<http::Header>{{"Prefer", "wait=3"}, {"Prefer", "respond-async"}}}) {
        const auto later = read(request().dump(), both);
        ASSERT_TRUE(later);
        EXPECT_EQ(later->waiting.milestone, Milestone::completed);
        EXPECT_EQ(later->waiting.limit, std::chrono::seconds(3));
        EXPECT_FALSE(later->submission.is_start_awaited);
        EXPECT_EQ(preference_applied(later->waiting, 202), "respond-async, wait=3");
        EXPECT_EQ(preference_applied(later->waiting, 200), "wait=3");
    }
}

TEST(SubmissionsTest, TheSameContentHasTheSameFingerprintHoweverItIsWritten) {
    const auto one = read(
        R"({"business_code":"a","business_id":"1","branches":[{"participant":"credit","operation":"x","payload":{"a":1,"b":2}}]})");
    const auto two = read(
        R"({ "branches":[{"payload":{"b":2, "a":1},"operation":"x","participant":"credit","branch_id":"1"}],"business_id":"1","business_code":"a","timeout_ms":77})");
    ASSERT_TRUE(one);
    ASSERT_TRUE(two);
    EXPECT_EQ(one->submission.fingerprint, two->submission.fingerprint);
}

}  // namespace
}  // namespace twophase::coordinator
