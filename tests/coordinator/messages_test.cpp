// The answer table of the participant contract: every row, and what must not count.
#include "coordinator/messages.hpp"

#include "http/json.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

const std::string echo = R"("gid":"g","branch_id":"1")";
using Kind = Answer::Kind;

Answer read(Verb verb, unsigned status, const std::string& body) {
    http::Response response{.status = status, .body = body};
    return read_answers(verb, {{"g", "1"}}, false, response).front();
}

struct Row {
    Verb verb;
    unsigned status;
    std::string body;
    Kind kind;
    Vote vote = Vote::none;
    bool is_fault = false;
};

std::string coded(const std::string& code) {
    return "{" + echo + R"(,"code":")" + code + R"(","message":"m"})";
}

/// Of a participant whose store is full.
std::string full(const std::string& more) {
    return "{" + echo + R"(,"code":"no-room","message":"m")" + more + "}";
}

const Row rows[] = {
    {Verb::prepare,
     200,
     "{" + echo + R"(,"vote":"prepared","prepare_id":"p"})",
     Kind::voted,
     Vote::prepared},
    {Verb::prepare, 200, "{" + echo + R"(,"vote":"read_only"})", Kind::voted, Vote::read_only},
    {Verb::prepare, 200, "{" + echo + R"(,"vote":"executed"})", Kind::unclear},
    {Verb::execute, 200, "{" + echo + R"(,"vote":"executed"})", Kind::voted, Vote::executed},
    {Verb::execute, 200, "{" + echo + R"(,"vote":"prepared"})", Kind::unclear},
    {Verb::prepare, 200, "{" + echo + R"(,"vote":"yes"})", Kind::unclear},
    {Verb::prepare, 200, "{" + echo + "}", Kind::unclear},
    {Verb::prepare, 200, R"({"gid":"h","branch_id":"1","vote":"prepared"})", Kind::unclear},
    {Verb::prepare, 200, R"({"gid":"g","branch_id":"2","vote":"prepared"})", Kind::unclear},
    {Verb::prepare, 200, R"({"vote":"prepared"})", Kind::unclear},
    {Verb::prepare, 200, "{" + echo + R"(,"vote":"prepar)", Kind::unclear},
    {Verb::prepare, 200, "", Kind::unclear},
    {Verb::prepare, 200, "[]", Kind::unclear},
    {Verb::prepare, 201, "{" + echo + R"(,"vote":"prepared"})", Kind::unclear},
    {Verb::prepare, 409, coded("refused"), Kind::voted, Vote::refused},
    {Verb::prepare, 409, coded("already_rolled_back"), Kind::voted, Vote::refused},
    {Verb::prepare, 409, coded("something_else"), Kind::unclear},
    {Verb::prepare, 409, R"({"code":"refused"})", Kind::unclear},
    {Verb::prepare, 409, coded("stale_epoch"), Kind::stale_epoch},
    {Verb::commit, 409, coded("stale_epoch"), Kind::stale_epoch},
    {Verb::prepare, 400, coded("invalid-field"), Kind::voted, Vote::refused, true},
    {Verb::prepare, 401, coded("x"), Kind::voted, Vote::refused, true},
    {Verb::prepare, 403, coded("x"), Kind::voted, Vote::refused, true},
    {Verb::prepare, 413, coded("x"), Kind::voted, Vote::refused, true},
    {Verb::prepare, 415, coded("x"), Kind::voted, Vote::refused, true},
    {Verb::prepare, 422, coded("payload-changed"), Kind::voted, Vote::refused, true},
    {Verb::prepare, 413, "<html>", Kind::unclear},
    {Verb::prepare, 404, coded("never_prepared"), Kind::unclear},
    {Verb::prepare, 429, coded("refused"), Kind::unclear},
    {Verb::prepare, 500, coded("refused"), Kind::unclear},
    {Verb::prepare, 503, coded("refused"), Kind::unclear},
    {Verb::prepare, 503, full(R"(,"written":false)"), Kind::no_room},
    {Verb::execute, 503, full(R"(,"written":false)"), Kind::no_room},
    {Verb::prepare, 503, full(""), Kind::unclear},
    {Verb::prepare, 503, full(R"(,"written":true)"), Kind::unclear},
    {Verb::prepare, 503, full(R"(,"written":"false")"), Kind::unclear},
    {Verb::prepare, 500, full(R"(,"written":false)"), Kind::unclear},
    {Verb::prepare, 503, R"({"code":"no-room","written":false})", Kind::unclear},
    {Verb::commit, 503, full(R"(,"written":false)"), Kind::unclear},
    {Verb::compensate, 503, full(R"(,"written":false)"), Kind::unclear},
    {Verb::commit,
     200,
     "{" + echo + R"(,"state":"committed","result":{"n":1}})",
     Kind::acknowledged},
    {Verb::commit, 200, "{" + echo + R"(,"state":"rolled_back"})", Kind::unclear},
    {Verb::commit, 200, R"({"gid":"h","branch_id":"1","state":"committed"})", Kind::unclear},
    {Verb::commit, 204, "", Kind::unclear},
    {Verb::rollback, 200, "{" + echo + R"(,"state":"rolled_back"})", Kind::acknowledged},
    {Verb::rollback, 200, "{" + echo + R"(,"state":"committed"})", Kind::unclear},
    {Verb::compensate, 200, "{" + echo + R"(,"state":"compensated"})", Kind::acknowledged},
    {Verb::commit, 404, coded("never_prepared"), Kind::contradicted},
    {Verb::commit, 404, coded("not-found"), Kind::unclear},
    {Verb::commit, 404, "<html>not found</html>", Kind::unclear},
    {Verb::rollback, 404, coded("never_prepared"), Kind::contradicted},
    {Verb::commit, 409, coded("already_rolled_back"), Kind::contradicted},
    {Verb::rollback, 409, coded("already_committed"), Kind::contradicted},
    {Verb::commit, 409, coded("already_committed"), Kind::unclear},
    {Verb::compensate, 409, coded("cannot_compensate"), Kind::contradicted},
    {Verb::commit, 409, coded("cannot_compensate"), Kind::unclear},
    {Verb::commit, 422, coded("wrong-participant"), Kind::unclear, Vote::none, true},
    {Verb::commit, 401, coded("x"), Kind::unclear, Vote::none, true},
    {Verb::commit, 503, coded("x"), Kind::unclear},
};

TEST(MessagesTest, EveryAnswerMeansWhatTheTableSays) {
    for (const Row& row : rows) {
        const Answer answer = read(row.verb, row.status, row.body);
        const std::string what =
            std::string(to_text(row.verb)) + " " + std::to_string(row.status) + " " + row.body;
        EXPECT_EQ(answer.kind, row.kind) << what;
        EXPECT_EQ(answer.vote.vote, row.vote) << what;
        EXPECT_EQ(answer.is_fault, row.is_fault) << what;
    }
}

TEST(MessagesTest, ABusinessReasonIsWhatTheClientHears) {
    const Answer answer = read(
        Verb::prepare,
        409,
        "{" + echo + R"(,"code":"refused","reason":"insufficient_credits","message":"too few"})");
    EXPECT_EQ(answer.vote.code, "insufficient_credits");
    EXPECT_EQ(answer.vote.message, "too few");
}

TEST(MessagesTest, WhoeverFollowsRfc9457IsHeardToo) {
    const Answer no =
        read(Verb::prepare, 409, "{" + echo + R"(,"code":"refused","detail":"too few"})");
    EXPECT_EQ(no.vote.message, "too few");
    const Answer titled =
        read(Verb::prepare, 422, "{" + echo + R"(,"code":"no-field","title":"Unprocessable"})");
    EXPECT_EQ(titled.vote.message, "Unprocessable");
}

// Otherwise a person on call sees "status 503", and the participant's log has to be found first.
TEST(MessagesTest, WhatIsNoAnswerTellsTheParticipantsOwnWords) {
    const std::string problem =
        R"({"type":"about:blank","status":503,"code":"no-room","detail":"the disk is full"})";
    EXPECT_EQ(read(Verb::prepare, 503, problem).message,
              "status 503 no-room: the disk is full (and a body that does not name this branch)");
    EXPECT_EQ(read(Verb::commit, 500, coded("broken")).message, "status 500 broken: m");
    EXPECT_EQ(read(Verb::commit, 404, coded("not-found")).message, "status 404 not-found: m");
    EXPECT_EQ(read(Verb::commit, 400, "{" + echo + R"(,"detail":"odd"})").message,
              "status 400: odd without a code");
    EXPECT_EQ(read(Verb::commit, 502, "<html>").message, "status 502 and no JSON");
    const http::Response refused{.status = 503, .body = problem};
    for (const Answer& answer :
         read_answers(Verb::prepare, {{"g", "1"}, {"g", "2"}}, true, refused))
        EXPECT_EQ(answer.message, "status 503 no-room: the disk is full (and no array of answers)");
    const http::Response items{.body = R"([{"status":503,"gid":"g","branch_id":"1",)"
                                       R"("code":"busy","message":"later"}])"};
    EXPECT_EQ(read_answers(Verb::prepare, {{"g", "1"}}, true, items).front().message,
              "status 503 busy: later");
}

TEST(MessagesTest, AParticipantsWordsAreCutAndEscaped) {
    const Answer odd =
        read(Verb::commit,
             503,
             "{" + echo + R"(,"code":"a\nb\u001b","detail":")" + std::string(5'000, 'x') + "\"}");
    const std::string message(odd.message);
    EXPECT_TRUE(message.starts_with("status 503 a\\x0ab\\x1b: xxx")) << message;
    EXPECT_LT(odd.message.size(), 600U);
    const std::string broken_line = R"(,"code":"never_prepared","message":"a\nb"})";
    EXPECT_EQ(read(Verb::commit, 404, "{" + echo + broken_line).message, "a\\x0ab");
    const Answer long_code =
        read(Verb::commit, 503, "{" + echo + R"(,"code":")" + std::string(5'000, 'x') + "\"}");
    EXPECT_LT(long_code.message.size(), 200U);
    for (const char* other : {R"(,"code":7,"detail":["x"]})", R"(,"code":null})"})
        EXPECT_EQ(read(Verb::commit, 503, "{" + echo + other).message, "status 503");
}

TEST(MessagesTest, TheRuleThatAnAnswerBrokeIsNamed) {
    for (const auto rule : {http::Errc::folded_header, http::Errc::not_whole_json}) {
        const auto answers = read_answers(Verb::prepare, {{"g", "1"}}, false, rule);
        EXPECT_EQ(answers.front().message, make_error_code(rule).message());
        EXPECT_NE(answers.front().message.size(), 0U);
    }
}

TEST(MessagesTest, ResultsAreKeptAsJson) {
    EXPECT_EQ(
        read(Verb::commit, 200, "{" + echo + R"(,"state":"committed","result":{"n":1}})").result,
        R"({"n":1})");
    EXPECT_EQ(read(Verb::prepare, 200, "{" + echo + R"(,"vote":"prepared","prepare_id":"p"})")
                  .vote.prepare_id,
              "p");
}

TEST(MessagesTest, NoConnectionIsNoAnswer) {
    const auto answers =
        read_answers(Verb::prepare, {{"g", "1"}, {"g", "2"}}, true, http::Errc::timed_out);
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[1].kind, Kind::unclear);
    EXPECT_FALSE(answers[1].is_to_go_alone);
}

TEST(MessagesTest, ItemsOfAnArraySucceedAndFailSingly) {
    http::Response response{.body = R"([{"status":200,"gid":"g","branch_id":"1","vote":"prepared"},
                    {"status":409,"gid":"g","branch_id":"2","code":"refused","message":"m"},
                    {"gid":"g","branch_id":"3","vote":"prepared"}])"};
    const auto answers =
        read_answers(Verb::prepare, {{"g", "1"}, {"g", "2"}, {"g", "3"}}, true, response);
    EXPECT_EQ(answers[0].vote.vote, Vote::prepared);
    EXPECT_EQ(answers[1].vote.vote, Vote::refused);
    EXPECT_EQ(answers[2].kind, Kind::unclear);
}

TEST(MessagesTest, AnItemsStatusIsAnExactNumber) {
    for (const char* status : {"4294967496", "-1", "200.0", "\"200\"", "null", "[200]"}) {
        const http::Response response{
            .body = R"([{"gid":"g","branch_id":"1","vote":"prepared","status":)" +
                    std::string(status) + "}]"};
        const auto answers = read_answers(Verb::prepare, {{"g", "1"}}, true, response);
        EXPECT_EQ(answers.at(0).kind, Kind::unclear) << status;
    }
}

TEST(MessagesTest, AWholeArrayAnsweredOtherwiseIsNoAnswerForAnyItem) {
    const std::vector<Subject> subjects{{"g", "1"}, {"g", "2"}};
    const std::string one = R"([{"status":200,"gid":"g","branch_id":"1","vote":"prepared"}])";
    for (const http::Response& response : {http::Response{.body = one},
                                           http::Response{.status = 400, .body = coded("refused")},
                                           http::Response{.body = "nonsense"}}) {
        for (const Answer& answer : read_answers(Verb::prepare, subjects, true, response)) {
            EXPECT_EQ(answer.kind, Kind::unclear);
            EXPECT_TRUE(answer.is_to_go_alone);
        }
    }
}

TEST(MessagesTest, ABusyPeersAnswerSaysNothingAgainstArraysAndHoldsAllItsItems) {
    const std::vector<Subject> subjects{{"g", "1"}, {"g", "2"}};
    for (const unsigned status : {429U, 503U})
        for (const char* body : {"", "busy", R"({"code":"overloaded"})"})
            for (const Answer& answer : read_answers(Verb::commit,
                                                     subjects,
                                                     true,
                                                     http::Response{.status = status, .body = body},
                                                     std::chrono::seconds(30))) {
                EXPECT_EQ(answer.kind, Kind::unclear);
                EXPECT_FALSE(answer.is_to_go_alone) << body;
                EXPECT_EQ(answer.retry_after, std::chrono::seconds(30));
            }
}

TEST(MessagesTest, AnItemMayAskToBeLeftAloneByItself) {
    const http::Response response{
        .body = R"([{"status":503,"gid":"g","branch_id":"1","code":"x","retry_after_seconds":40},
                    {"status":200,"gid":"g","branch_id":"2","state":"committed"},
                    {"status":409,"gid":"g","branch_id":"3","code":"x","retry_after_seconds":40},
                    {"status":429,"gid":"g","branch_id":"4","code":"x","retry_after_seconds":"x"}])"};
    const auto answers = read_answers(
        Verb::commit, {{"g", "1"}, {"g", "2"}, {"g", "3"}, {"g", "4"}}, true, response);
    EXPECT_EQ(answers.at(0).retry_after, std::chrono::seconds(40));
    for (const std::size_t other : {1U, 2U, 3U})
        EXPECT_EQ(answers.at(other).retry_after.count(), 0);
}

TEST(MessagesTest, MessagesAreJsonAndQuoteWhatClientsGave) {
    const Envelope envelope{.gid = "g",
                            .branch_id = "1",
                            .participant = "credit",
                            .coordinator = "main",
                            .epoch = 3,
                            .low_water = "l",
                            .origin = {.ip = "::1", .request_id = "a\"b", .actor = "x\\y"}};
    const BranchRequest branch{.branch_id = "1",
                               .participant = "credit",
                               .operation = "deduct",
                               .payload = R"({"amount":1})"};
    const auto json =
        http::parse_json(ask_message(envelope, branch, branch.payload, {"co\"de", "id\n", 1}));
    ASSERT_TRUE(json);
    EXPECT_EQ((*json)["business_code"], "co\"de");
    EXPECT_EQ((*json)["business_id"], "id\n");
    EXPECT_EQ((*json)["origin"]["request_id"], "a\"b");
    EXPECT_EQ((*json)["payload"]["amount"], 1);
    EXPECT_EQ((*json)["epoch"], 3);
    const auto told = http::parse_json(tell_message(envelope, "p-1"));
    ASSERT_TRUE(told);
    EXPECT_EQ((*told)["prepare_id"], "p-1");
    EXPECT_FALSE(http::parse_json(tell_message(envelope, ""))->contains("prepare_id"));
}

TEST(MessagesTest, ADeliveryCarriesItsRetriesAndOthersDoNot) {
    const BranchRequest branch{.operation = "mail", .payload = R"({"to":"${1.result.x}"})"};
    const auto counted =
        http::parse_json(ask_message({}, branch, R"({"to":7})", {}, Retries{1, 3}));
    ASSERT_TRUE(counted);
    EXPECT_EQ((*counted)["retry_count"], 1);
    EXPECT_EQ((*counted)["max_retries"], 3);
    EXPECT_EQ((*counted)["payload"]["to"], 7);
    EXPECT_FALSE(http::parse_json(ask_message({}, branch, "{}", {}))->contains("retry_count"));
}

TEST(MessagesTest, CompensationSaysWhyInAsMuchAsParticipantsKeep) {
    const auto json =
        http::parse_json(compensate_message({}, "2", "sold\"out", std::string(5'000, '\x01')));
    ASSERT_TRUE(json);
    EXPECT_EQ((*json)["reason"]["branch_id"], "2");
    EXPECT_EQ((*json)["reason"]["code"], "sold\"out");
    EXPECT_LE(http::dump((*json)["reason"]).size(), 4'096U);
}

TEST(MessagesTest, AStaleEpochTellsTheEpochThatWasSeenWhereItCan) {
    const std::string stale = echo + R"(,"code":"stale_epoch","message":"m")";
    EXPECT_EQ(read(Verb::commit, 409, "{" + stale + R"(,"epoch":7})").seen_epoch, 7U);
    EXPECT_FALSE(read(Verb::commit, 409, "{" + stale + "}").seen_epoch);
    EXPECT_FALSE(read(Verb::commit, 409, "{" + stale + R"(,"epoch":-1})").seen_epoch);
    EXPECT_FALSE(read(Verb::commit, 409, "{" + stale + R"(,"epoch":"7"})").seen_epoch);
}

}  // namespace
}  // namespace twophase::coordinator
