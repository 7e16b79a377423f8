// What becomes of a payload between its client and its participant, and which two are the same.
#include "coordinator/export.hpp"
#include "coordinator/record_json.hpp"
#include "coordinator/submissions.hpp"
#include "http/raw_json.hpp"
#include "tests/coordinator/turned_service.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

/// Numbers and texts that a reader may write otherwise, and blanks between them.
const std::string odd_payload =
    "{ \"z\" : 1.10,\n\t\"a\":[1e2, 100.0 ,-0,9007199254740993,\"\\u0041\\/\\n\",\"\xc3\xa9\"],"
    "\"long\":" +
    std::string(100, '7') + ",\"tiny\":1e-9999999999,\"m\":{\"y\":null,\"x\":0.10E+01} }";

std::string body_of(const std::string& mode,
                    const std::string& first,
                    const std::string& second,
                    const std::string& id = "1") {
    return R"({"mode":")" + mode + R"(","business_code":"order","business_id":")" + id +
           R"(","branches":[{"branch_id":"a","participant":"credit","operation":"do","payload":)" +
           first + R"(},{"branch_id":"b","participant":"coupon","operation":"do","payload":)" +
           second + "}]}";
}

class PayloadTest : public TurnedService {
protected:
    PayloadTest() { hear(); }

    Admitted submit_text(const std::string& body) {
        auto read = read_submission({.method = "POST", .body = body}, config_);
        if (!read) {
            ADD_FAILURE() << read.error().body;
            return {};
        }
        const Admitted admitted = service_->submit(std::move(read->submission));
        run();
        return admitted;
    }
    /// The payload in the message that waits for this participant's answer, byte for byte.
    std::string asked(const std::string& participant) {
        for (const auto& sent : around_.calls)
            if (sent.to.ends_with(participant))
                return std::string(http::raw_member(message_in(sent.call.body), "payload"));
        return "nothing";
    }
    /// Every call that waits is done, with this result.
    void give(const std::string& result) {
        auto calls = std::exchange(around_.calls, {});
        for (auto& sent : calls) {
            const bool is_array = sent.call.body.starts_with('[');
            const std::string_view message = message_in(sent.call.body);
            std::string text = R"({"gid":)" + std::string(http::raw_member(message, "gid")) +
                               R"(,"branch_id":)" +
                               std::string(http::raw_member(message, "branch_id")) +
                               R"(,"vote":"executed","status":200, "result" : )" + result + " }";
            sent.done(http::Response{.body = is_array ? "[" + text + "]" : text});
        }
        run();
    }

private:
    static std::string_view message_in(std::string_view body) {
        if (!body.starts_with('[')) return body;
        return http::RawMembers(body).next().value().value;
    }
};

TEST_F(PayloadTest, ReachesTheParticipantByteForByteInEveryMode) {
    for (const char* mode : {"two_phase", "saga", "eventual"}) {
        submit_text(body_of(mode, odd_payload, "{}", mode));
        EXPECT_EQ(asked("credit"), odd_payload) << mode;
        around_.calls.clear();
    }
}

TEST_F(PayloadTest, IsTheSameAfterARestart) {
    submit_text(body_of("saga", odd_payload, "{}"));
    run();
    crash();
    start();
    hear();
    EXPECT_EQ(asked("credit"), odd_payload);
}

TEST_F(PayloadTest, ResultsAreHandedOnAsTheyWereWritten) {
    submit_text(body_of("saga",
                        "{}",
                        R"({ "z":"${a.result.n}", "a":["\u0024{a.result.price}","${a.result.o}"],)"
                        R"("k":1.10})"));
    give("{ \"n\":9007199254740993,\"price\":1.10,\"o\":{\"y\": 1e2, \"x\":\"\\u0041\"} }");
    EXPECT_EQ(asked("coupon"),
              "{ \"z\":9007199254740993, \"a\":[1.10,{\"y\": 1e2, \"x\":\"\\u0041\"}],"
              "\"k\":1.10}");
}

TEST_F(PayloadTest, AResultMayHaveIntegersOfAnyLength) {
    const std::string digits(100, '7');
    submit_text(body_of("saga", "{}", R"({"n":"${a.result.n}"})"));
    give(R"({"n":)" + digits + "}");
    EXPECT_EQ(asked("coupon"), R"({"n":)" + digits + "}");
}

TEST_F(PayloadTest, AResultIsNeverTakenForAReference) {
    submit_text(body_of("saga", "{}", R"({"x":"${a.result.x}","y":"${a.result.y}"})"));
    give(R"({"x":"${a.result.y}","y":"$${a.result.x}"})");
    EXPECT_EQ(asked("coupon"), R"({"x":"${a.result.y}","y":"$${a.result.x}"})");
}

TEST_F(PayloadTest, AnEscapedReferenceLosesOneSignInEveryMode) {
    const std::string sent =
        R"({"x":"$${a.result.id}","y":"$$${a.result.id}","z":"\u0024$\u007ba.result.id}",)"
        R"("n":"$${a.id}","m":"$$","$${a.result.id}":"x $${a.result.id}"})";
    const std::string got = R"({"x":"${a.result.id}","y":"$${a.result.id}","z":"${a.result.id}",)"
                            R"("n":"$${a.id}","m":"$$","$${a.result.id}":"x $${a.result.id}"})";
    for (const char* mode : {"two_phase", "saga", "eventual"}) {
        submit_text(body_of(mode, sent, sent, mode));
        EXPECT_EQ(asked("credit"), got) << mode;
        if (std::string(mode) != "two_phase") give(R"({"id":7})");
        EXPECT_EQ(asked("coupon"), got) << mode;
        around_.calls.clear();
    }
}

TEST_F(PayloadTest, IsExportedWithEveryDigitOnOneLine) {
    const Gid gid = submit_text(body_of("saga", odd_payload, "{}")).gid;
    const auto stored = service_->log().read(gid);
    ASSERT_TRUE(stored);
    const std::string line = export_line(*stored);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_NE(line.find(http::without_blanks(odd_payload)), std::string::npos) << line;
    EXPECT_TRUE(Json::accept(line)) << line;
}

TEST_F(PayloadTest, WrittenOtherwiseIsARepeat) {
    const Gid first =
        submit_text(body_of("two_phase", R"({"a":100,"b":{"x":"\u0041/","y":[0,1.5]}})", "{}")).gid;
    for (const char* same :
         {R"({"a":100,"b":{"x":"\u0041/","y":[0,1.5]}})",
          R"({"b":{"y":[-0.0,15e-1],"x":"A\/"},"a":1e2})",
          "{\n  \"a\" : 100.0,\n  \"b\" : {\"x\":\"A/\",\"y\":[ 0 , 1.50 ]}\n}"}) {
        const Admitted again = submit_text(body_of("two_phase", same, " { } "));
        EXPECT_EQ(again.kind, Admitted::Kind::repeat) << same;
        EXPECT_EQ(again.gid, first) << same;
    }
}

TEST_F(PayloadTest, AnotherValueIsAnotherRequest) {
    const std::vector<std::pair<std::string, std::string>> pairs{
        {"9007199254740992", "9007199254740993"},
        {"9007199254740992.0", "9007199254740993.0"},
        {"1e-9999999", "1e-9999998"},
        {"1e-9999999999", "1e-9999999998"},
        {std::string(100, '7'), std::string(99, '7') + "8"},
        {"0.1", "0.10000000000000001"},
        {"1", "\"1\""},
        {"[1,2]", "[2,1]"}};
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const auto admitted = [&](const std::string& value) {
            return submit_text(
                       body_of("two_phase", "{\"v\":" + value + "}", "{}", std::to_string(i)))
                .kind;
        };
        EXPECT_EQ(admitted(pairs[i].first), Admitted::Kind::is_new);
        EXPECT_EQ(admitted(pairs[i].second), Admitted::Kind::changed) << pairs[i].second;
        EXPECT_EQ(admitted(pairs[i].first), Admitted::Kind::repeat);
    }
}

/// What a client is told of a payload that can't be taken.
std::string refusal_of(const std::string& payload, const Config& config) {
    const std::string body = body_of("two_phase", payload, "{}");
    const auto read = read_submission({.method = "POST", .body = body}, config);
    return read ? "taken" : Json::parse(read.error().body).value("detail", "");
}

TEST_F(PayloadTest, ANumberThatNobodyCanReadOrCompareIsRefusedByName) {
    EXPECT_EQ(refusal_of(R"({"n":1e400})", config_),
              "branches[0].payload.n: expected a number within a double's range");
    EXPECT_EQ(refusal_of(R"({"n":1e-99999999999999999999})", config_),
              "branches: expected numbers whose exponents have at most 18 digits");
    EXPECT_EQ(refusal_of(R"({"n":1e-999999999999999999})", config_), "taken");
}

TEST(FingerprintTest, CarriesTheVersionOfItsRule) {
    EXPECT_EQ(fingerprint_of(Mode::saga, {{.branch_id = "a", .payload = "{}"}}).value().front(), 1);
}

}  // namespace
}  // namespace twophase::coordinator
