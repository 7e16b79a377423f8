// Well-framed requests with hostile content: JSON beyond the limits, numbers that two readers would
// read differently, names that are paths, messages about somebody else's branches.
#include "http/json.hpp"
#include "tests/faults/books.hpp"
#include "tests/hostile/attack.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace twophase::hostile {
namespace {

using faults::Json;
using faults::Program;

constexpr std::size_t mebibyte = 1024 * 1024;
// Messages here say epoch 1: the coordinator's own, which has started once.
constexpr const char* some_gid = "018f2b6c-7a10-7000-8000-000000000001";

std::string repeated(std::size_t count, const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += text;
    return all;
}

/// A submission, refused by credit for want of points but right otherwise, in which `field` stands
/// among the members, and `more` in the payload, both written as they are.
std::string submission_with(const std::string& field, const std::string& more = {}) {
    return R"({"business_code":"attack",)" + field +
           R"(,"branches":[{"participant":"credit","operation":"deduct_credits",)"
           R"("payload":{"user_id":"poor","credit_type":"points","amount":1)" +
           more + "}}]}";
}

/// A prepare of a deduction of the coordinator that says `identity`, `gid` and `amount` written as
/// they are.
std::string prepare_with(const Json& identity, const std::string& gid, const std::string& amount) {
    return R"({"gid":)" + gid +
           R"(,"branch_id":"1","participant":"credit","coordinator":"main","epoch":1,"log":)" +
           identity.at("log").dump() + R"(,"start":)" + identity.at("start").dump() +
           R"(,"operation":"deduct_credits",)"
           R"("payload":{"user_id":"u1","credit_type":"points","amount":)" +
           amount + "}}";
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

class ContentTest : public AttackTest {
protected:
    /// Each on one kept connection: what is refused for its content ends nothing.
    void expect_status(int status,
                       const Program& program,
                       const std::string& target,
                       const std::vector<std::string>& bodies) {
        RawSocket socket = connect(program);
        for (const std::string& body : bodies) {
            const std::string answer = ask(socket, post(target, body));
            EXPECT_EQ(status_of(answer), status) << body.substr(0, 200) << "\n" << answer;
            EXPECT_TRUE(http::parse_json(body_of(answer))) << answer;
        }
    }

    /// As messages of the fleet's own coordinator carry it: another's are refused unread.
    static Json identity() { return faults::ask_json(fleet().coordinator, "GET", "/v1/identity"); }
    Json account(const std::string& user) {
        return faults::ask_json(fleet().credit, "GET", "/v1/accounts/" + user + "/points");
    }
};

TEST_F(ContentTest, TextThatIsNoJson) {
    const std::vector<std::string> bodies{
        "",
        " ",
        "{",
        "nul",
        "NaN",
        "-Infinity",
        "01",
        "{} {}",
        "{'a':1}",
        "{\"a\":1,}",
        "// {}",
        "\xef\xbb\xbf{",
        repeated(mebibyte, "["),
        repeated(mebibyte / 5, "{\"a\":"),
        repeated(18, "[") + repeated(18, "]"),
    };
    expect_status(400, fleet().coordinator, "/v1/transactions", bodies);
    expect_status(400, fleet().credit, "/v1/branches/prepare", bodies);
    expect_status(400, fleet().coupon, "/v1/templates", bodies);
    expect_service();
}

// Each is wrong in one thing alone, or it would be refused for another.
TEST_F(ContentTest, MembersOfTheWrongKindOrRange) {
    const auto submission = [](const char* field) { return submission_with(field); };
    expect_status(
        409, fleet().coordinator, "/v1/transactions", {submission(R"("business_id":"1")")});
    std::vector<std::string> bodies;
    for (const char* field : {R"("business_id":5)",
                              R"("business_id":"")",
                              R"("business_id":null)",
                              R"("business_id":"1","business_id":"1")",
                              R"("business_id":"1","business_\u0069d":"1")",
                              R"("business_id":"\ud800")",
                              R"("business_id":"\udc00\ud800")",
                              R"("business_id":"\u0000")",
                              "\"business_id\":\"\xff\"",
                              "\"business_id\":\"\xc0\x80\"",
                              "\"business_id\":\"\xed\xa0\x80\"",
                              "\"business_id\":\"\xf4\x90\x80\x80\"",
                              R"("business_id":"1","x":1)",
                              R"("business_id":"1","attempt":0)",
                              R"("business_id":"1","attempt":1.9)",
                              R"("business_id":"1","attempt":1.0)",
                              R"("business_id":"1","attempt":"1")",
                              R"("business_id":"1","attempt":true)",
                              R"("business_id":"1","attempt":-0)",
                              R"("business_id":"1","attempt":4294967297)",
                              R"("business_id":"1","timeout_ms":1e3)",
                              R"("business_id":"1","mode":"%s%n")",
                              R"("business_id":"1","wait_for":7)"})
        bodies.push_back(submission(field));
    bodies.push_back(submission_with(R"("business_id":)" + quoted(repeated(129, "x"))));
    std::string many;
    for (int i = 0; i < 62; ++i) many += ",\"m" + std::to_string(i) + "\":1";
    for (const std::string& more : {std::string(R"(,"x":1e400)"),
                                    std::string(R"(,"x":1,"x":2)"),
                                    ",\"x\":" + repeated(13, "[") + repeated(13, "]"),
                                    many})
        bodies.push_back(submission_with(R"("business_id":"2")", more));
    expect_status(400, fleet().coordinator, "/v1/transactions", bodies);
    expect_service();
}

TEST_F(ContentTest, AmountsThatTwoReadersWouldReadDifferently) {
    std::vector<std::string> bodies;
    const char* const amounts[] = {"0",
                                   "-1",
                                   "-0",
                                   "1.0",
                                   "1.9",
                                   "1e3",
                                   "\"5\"",
                                   "true",
                                   "null",
                                   "[1]",
                                   "1000000000000001",
                                   "9007199254740993",
                                   "9223372036854775807",
                                   "9223372036854775808",
                                   "18446744073709551615"};
    const Json speaker = identity();
    for (const char* amount : amounts)
        bodies.push_back(prepare_with(speaker, quoted(some_gid), amount));
    expect_status(422, fleet().credit, "/v1/branches/prepare", bodies);
    // The coordinator passes payloads on as they are; the participant's refusal decides.
    std::vector<std::string> submissions;
    for (const char* amount : amounts)
        submissions.push_back(
            R"({"business_code":"amount","business_id":)" + Json(std::string(amount)).dump() +
            R"(,"branches":[{"participant":"credit","operation":"deduct_credits",)"
            R"("payload":{"user_id":"u1","credit_type":"points","amount":)" +
            amount + "}}]}");
    expect_status(409, fleet().coordinator, "/v1/transactions", submissions);
    EXPECT_EQ(account("u1")["balance"], faults::points_granted);
    EXPECT_EQ(account("u1")["frozen"], 0);
    expect_service();
}

TEST_F(ContentTest, NamesThatArePathsOrFormatsOrTooLong) {
    const Json speaker = identity();
    std::vector<std::string> bodies;
    for (const std::string& gid : std::vector<std::string>{"",
                                                           "../../../../etc/passwd",
                                                           "..%2f..%2fetc%2fpasswd",
                                                           "a-gid-with-a-slash/1",
                                                           "a-gid-with-a-blank 1",
                                                           "%s%s%s%s%s%s%s%n%n%n",
                                                           "a-gid-with-a-\\u0000-in-it",
                                                           "a-gid-with-a-\\r\\n-in-it",
                                                           "short",
                                                           repeated(65, "a"),
                                                           repeated(300, "a")})
        bodies.push_back(prepare_with(speaker, quoted(gid), "1"));
    bodies.push_back(prepare_with(speaker, "5", "1"));
    for (const char* verb : {"prepare", "execute", "commit", "rollback", "compensate"})
        expect_status(400, fleet().credit, "/v1/branches/" + std::string(verb), bodies);
    expect_service();
}

TEST_F(ContentTest, TargetsThatArePaths) {
    RawSocket socket = connect(fleet().coordinator);
    for (const std::string& gid :
         {std::string("passwd"), repeated(300, "a"), std::string("%25s%25n"), std::string("*")})
        EXPECT_EQ(status_of(ask(socket, get("/v1/transactions/" + gid))), 400) << gid;
    for (const char* gid : {"", "/", "x/y"})
        EXPECT_EQ(status_of(ask(socket, get("/v1/transactions/" + std::string(gid)))), 404) << gid;
    // These end the connection.
    for (const char* target : {"..",
                               "../../etc/passwd",
                               "%2e%2e",
                               "a%2fb",
                               "a%5cb",
                               "a%00",
                               "a%0d%0ab",
                               "%",
                               "%zz",
                               "%ff"}) {
        RawSocket ended = connect(fleet().coordinator);
        ended.send(get("/v1/transactions/" + std::string(target)));
        EXPECT_EQ(status_of(ended.read_all()), 400) << target;
    }
    expect_service();
}

TEST_F(ContentTest, HeadersCannotBeWrittenThroughWhatIsEchoed) {
    Json request = faults::Load::request_of({.business_id = "echo", .user = "poor", .price = 1});
    const std::string evil = "echo\r\nSet-Cookie: a=b\r\n\r\n";
    RawSocket socket = connect(fleet().coordinator);
    for (const bool is_key : {true, false}) {
        Json attack = request;
        (is_key ? attack["business_id"] : attack["branches"][0]["payload"]["user_id"]) = evil;
        const std::string answer = ask(socket, post("/v1/transactions", attack.dump()));
        EXPECT_EQ(status_of(answer), is_key ? 400 : 409) << answer;
        EXPECT_EQ(answer.find("Set-Cookie: a=b\r\n"), std::string::npos) << answer;
    }
    EXPECT_EQ(status_of(ask(socket, get("/livez"))), 200);
    expect_service();
}

TEST_F(ContentTest, MessagesAboutBranchesThatNobodyPrepared) {
    const Json message{{"gid", some_gid},
                       {"branch_id", "1"},
                       {"participant", "credit"},
                       {"coordinator", "main"},
                       {"log", identity().at("log")},
                       {"start", identity().at("start")},
                       {"epoch", 1}};
    const auto send = [&](const char* verb, Json changes) {
        Json changed = message;
        changed.update(changes);
        RawSocket socket = connect(fleet().credit);
        return status_of(ask(socket, post("/v1/branches/" + std::string(verb), changed.dump())));
    };
    EXPECT_EQ(send("commit", Json::object()), 404);
    EXPECT_EQ(send("commit", {{"epoch", 0}}), 409);
    EXPECT_EQ(send("commit", {{"participant", "coupon"}}), 422);
    EXPECT_EQ(send("rollback", {{"participant", "coupon"}}), 422);
    EXPECT_EQ(send("commit", {{"coordinator", "stranger"}}), 404);
    const Json work{{"coordinator", "stranger"},
                    {"operation", "deduct_credits"},
                    {"payload", {{"user_id", "u1"}, {"credit_type", "points"}, {"amount", 1}}}};
    EXPECT_EQ(send("prepare", work), 403);
    EXPECT_EQ(send("execute", work), 403);
    EXPECT_EQ(account("u1")["balance"], faults::points_granted);
    EXPECT_EQ(account("u1")["frozen"], 0);
    expect_service();
}

TEST_F(ContentTest, AsManyValuesAsFitIntoABody) {
    const std::string zeros = "[" + repeated(2 * mebibyte - 2, "0,") + "0]";
    for (const Program* program : {&fleet().credit, &fleet().coupon})
        expect_status(400, *program, "/v1/branches/prepare", {zeros});
    expect_status(
        400, fleet().coordinator, "/v1/transactions", {zeros.substr(0, mebibyte - 1) + "]"});
    expect_service();
}

}  // namespace
}  // namespace twophase::hostile
