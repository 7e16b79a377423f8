// Sagas and eventual delivery with the real programs: what clients see, and every crash point of
// theirs (S1-S6 of the crash table).
#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

class ModesTest : public testing::Test {
protected:
    void SetUp() override {
        fleet_.start_all();
        open_books(fleet_);
    }
    Json submit(const Json& request) {
        return ask_json(fleet_.coordinator, "POST", "/v1/transactions", request);
    }
    Json about(const std::string& gid, const std::string& more = {}) {
        return ask_json(fleet_.coordinator, "GET", "/v1/transactions/" + gid + more);
    }
    Json resolve(const std::string& gid, const std::string& how) {
        return ask_json(fleet_.coordinator,
                        "POST",
                        "/v1/transactions/" + gid + "/resolve",
                        {{"branch_id", "2"}, {"how", how}, {"reason", "test"}});
    }
    Json dead_letters() { return ask_json(fleet_.coordinator, "GET", "/v1/dead-letters")["items"]; }
    Json account(const std::string& user) {
        return ask_json(fleet_.credit, "GET", "/v1/accounts/" + user + "/points");
    }
    std::size_t coupons_of(const std::string& user) {
        return ask_json(fleet_.coupon, "GET", "/v1/users/" + user + "/coupons")["items"].size();
    }
    void make_template(const std::string& id) {
        ask_json(fleet_.coupon,
                 "POST",
                 "/v1/templates",
                 {{"template_id", id}, {"name", id}, {"stock", 10}, {"per_user_limit", 0}});
    }
    static Json exchange(const std::string& mode, const std::string& template_id) {
        return Load::request_of({.business_id = "1",
                                 .user = "u0",
                                 .price = 10,
                                 .mode = mode,
                                 .template_id = template_id});
    }
    Fleet fleet_{quick()};
};

class SagaTest : public ModesTest {};
class EventualTest : public ModesTest {
protected:
    /// A delivery that is refused twice and then given up.
    std::string make_dead_letter() {
        Json request = exchange("eventual", "later");
        request["branches"][1]["max_retries"] = 1;
        request["branches"][1]["retry_delay_ms"] = 1;
        const std::string gid = submit(request)["gid"];
        EXPECT_TRUE(eventually(30s, [&] { return dead_letters().size() == 1; }));
        return gid;
    }
};

TEST_F(SagaTest, CommitsAndShowsWhatEachStepProduced) {
    const Json answer = submit(exchange("saga", "spring"));
    EXPECT_EQ(answer["state"], "committed") << answer;
    const Json operation = about(answer["gid"], "/operation");
    EXPECT_EQ(operation["status"], "completed") << operation;
    EXPECT_EQ(operation["type"], "exchange");
    EXPECT_TRUE(operation["steps"][0]["transaction_id"].is_string());
    EXPECT_TRUE(operation["steps"][1]["coupon_id"].is_string());
    EXPECT_EQ(account("u0")["balance"], points_granted - 10);
}

TEST_F(SagaTest, ARefusedStepIsCompensatedAndTheOperationLogNamesTheCompensation) {
    const Json answer = submit(exchange("saga", "none"));
    EXPECT_EQ(answer["decision"], "rollback") << answer;
    EXPECT_EQ(answer["refused_branch"], "2");
    EXPECT_EQ(answer["refused_code"], "template_not_found");
    expect_quiet(fleet_, 30s);
    const Json operation = about(answer["gid"], "/operation");
    EXPECT_EQ(operation["status"], "compensated") << operation;
    EXPECT_TRUE(operation["steps"][0]["compensation_transaction_id"].is_string());
    EXPECT_EQ(account("u0")["balance"], points_granted);
    const Json entries =
        ask_json(fleet_.credit, "GET", "/v1/accounts/u0/points/entries?limit=1")["items"];
    EXPECT_EQ(entries[0]["kind"], "compensation");
    EXPECT_NE(entries[0].dump().find("template_not_found"), std::string::npos)
        << "the failure's reason is kept: " << entries[0];
}

TEST_F(SagaTest, AStepUsesAnEarlierStepsResult) {
    Json request = exchange("saga", "spring");
    request["branches"][1] = request["branches"][0];
    request["branches"][1]["payload"]["amount"] = "${1.result.balance}";
    const Json answer = submit(request);
    EXPECT_EQ(answer["state"], "committed") << answer;
    EXPECT_EQ(account("u0")["balance"], 0) << "the second step took what the first had left";
    request["business_id"] = "2";
    request["branches"][1]["payload"]["amount"] = "${1.result.nothing}";
    request["branches"][0]["payload"]["user_id"] = "u1";
    const Json missing = submit(request);
    EXPECT_EQ(missing["refused_code"], "reference_missing") << missing;
    expect_quiet(fleet_, 30s);
    EXPECT_EQ(account("u1")["balance"], points_granted);
}

TEST_F(EventualTest, IsAnsweredAtTheDecisionAndDeliveredWhenTheParticipantReturns) {
    fleet_.coupon.kill();
    const auto response =
        ask(fleet_.coordinator, "POST", "/v1/transactions", exchange("eventual", "spring"));
    EXPECT_EQ(response.status, 200U) << response.body;
    EXPECT_EQ(Json::parse(response.body)["state"], "committing");
    fleet_.start_all();
    expect_quiet(fleet_, 30s);
    EXPECT_EQ(coupons_of("u0"), 1U);
}

TEST_F(EventualTest, ARefusedKeyOperationRollsBackAndDeliversNothing) {
    Json request = exchange("eventual", "spring");
    request["branches"][0]["payload"]["user_id"] = "poor";
    const Json answer = submit(request);
    EXPECT_EQ(answer["decision"], "rollback") << answer;
    EXPECT_EQ(answer["refused_code"], "insufficient_credits");
    expect_quiet(fleet_, 30s);
    EXPECT_EQ(coupons_of("u0"), 0U);
}

TEST_F(EventualTest, ADeadLetterSurvivesARestartAndIsDeliveredWhenAPersonRetriesIt) {
    const std::string gid = make_dead_letter();
    EXPECT_EQ(about(gid)["state"], "committed");
    EXPECT_EQ(about(gid)["dead_letters"], 1);
    fleet_.coordinator.kill();
    fleet_.start_all();
    const Json letters = dead_letters();
    ASSERT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters[0]["gid"], gid);
    EXPECT_EQ(letters[0]["attempts"], 2);
    EXPECT_EQ(letters[0]["max_retries"], 1);
    EXPECT_EQ(letters[0]["payload"]["template_id"], "later");
    EXPECT_NE(letters[0]["last_error"].get<std::string>().find("template_not_found"),
              std::string::npos);
    make_template("later");
    EXPECT_EQ(resolve(gid, "retry")["resolved"], "retry");
    expect_quiet(fleet_, 30s);
    EXPECT_EQ(coupons_of("u0"), 1U);
    EXPECT_TRUE(dead_letters().empty());
    EXPECT_EQ(about(gid, "/operation")["status"], "completed");
}

TEST_F(EventualTest, ADiscardedDeadLetterIsNeverDeliveredAndTheKeyOperationStays) {
    const std::string gid = make_dead_letter();
    make_template("later");
    EXPECT_EQ(resolve(gid, "discarded")["resolved"], "discarded");
    expect_quiet(fleet_, 30s);
    EXPECT_EQ(coupons_of("u0"), 0U);
    EXPECT_EQ(account("u0")["balance"], points_granted - 10);
    EXPECT_EQ(about(gid)["heuristic"], true);
}

TEST_F(EventualTest, WhatIsAskedStillIsNoDeadLetter) {
    fleet_.coupon.kill();
    const std::string gid = submit(exchange("eventual", "spring"))["gid"];
    EXPECT_TRUE(dead_letters().empty());
    EXPECT_EQ(resolve(gid, "retry")["code"], "not-a-dead-letter");
    fleet_.start_all();
    expect_quiet(fleet_, 30s);
}

// --- crashes ---

struct Point {
    const char* mode;
    const char* program;
    const char* name;
};

std::ostream& operator<<(std::ostream& out, const Point& point) {
    return out << point.mode << ": " << point.program << " at " << point.name;
}

const Point points[] = {
    {"saga", "coordinator", "before-started"},
    {"saga", "coordinator", "after-started"},
    {"saga", "coordinator", "send-execute"},
    {"saga", "coordinator", "sent-execute:2"},
    {"saga", "coordinator", "answered-execute"},
    {"saga", "coordinator", "before-step_done"},
    {"saga", "coordinator", "after-step_done"},
    {"saga", "coordinator", "before-decided"},
    {"saga", "coordinator", "after-decided"},
    {"saga", "coordinator", "send-compensate"},
    {"saga", "coordinator", "sent-compensate:2"},
    {"saga", "coordinator", "answered-compensate"},
    {"saga", "coordinator", "before-branch_done"},
    {"saga", "coordinator", "before-finished"},
    {"saga", "credit", "receive-execute"},
    {"saga", "credit", "before-execute"},
    {"saga", "credit", "after-execute"},
    {"saga", "credit", "replied-execute"},
    {"saga", "credit", "before-compensate"},
    {"saga", "credit", "after-compensate"},
    {"saga", "coupon", "before-execute"},
    {"saga", "coupon", "after-execute"},
    {"saga", "coupon", "after-compensate"},
    {"eventual", "coordinator", "before-started"},
    {"eventual", "coordinator", "after-started"},
    {"eventual", "coordinator", "answered-execute"},
    {"eventual", "coordinator", "before-decided"},
    {"eventual", "coordinator", "after-decided"},
    {"eventual", "coordinator", "answered-execute:2"},
    {"eventual", "coordinator", "before-branch_done"},
    {"eventual", "coordinator", "before-finished"},
    {"eventual", "credit", "after-execute"},
    {"eventual", "credit", "after-compensate"},
    {"eventual", "coupon", "receive-execute"},
    {"eventual", "coupon", "before-execute"},
    {"eventual", "coupon", "after-execute"},
};

class ModeCrashTest : public testing::TestWithParam<Point> {
protected:
    static void SetUpTestSuite() {
        fleet_ = new Fleet(quick());
        fleet_->start_all();
        open_books(*fleet_);
    }
    static void TearDownTestSuite() {
        delete fleet_;
        fleet_ = nullptr;
    }
    static Fleet* fleet_;
    static std::set<std::string> settled_;
};

Fleet* ModeCrashTest::fleet_ = nullptr;
std::set<std::string> ModeCrashTest::settled_;

TEST_P(ModeCrashTest, LosesNothing) {
    const Point& point = GetParam();
    Program& program = fleet_->by_name(point.program);
    program.terminate();
    program.start(point.name);
    Load load(fleet_->coordinator,
              {.clients = 4,
               .most_exchanges = 60,
               .prefix = std::string(point.mode) + point.program + point.name + "-",
               .mode = point.mode});
    load.start();
    const auto ending = program.wait_end(60s);
    ASSERT_TRUE(ending) << "the point was never passed\n" << program.log_tail();
    EXPECT_TRUE(ending->was_killed) << "ended otherwise\n" << program.log_tail();
    fleet_->start_all();
    // All sixty, so that some commit and some are refused whenever the crash came.
    EXPECT_TRUE(eventually(60s, [&] { return load.is_over(); }));
    EXPECT_TRUE(load.finish(60s)) << fleet_->coordinator.log_tail();
    expect_quiet(*fleet_, 30s);
    const Outcomes outcomes = expect_books_agree(*fleet_, load.exchanges(), settled_);
    EXPECT_GT(outcomes.commits, 0U);
    EXPECT_GT(outcomes.rollbacks, 0U);
}

std::string name_of(const testing::TestParamInfo<Point>& info) {
    std::string name =
        std::string(info.param.mode) + "_" + info.param.program + "_" + info.param.name;
    for (char& c : name)
        if (c == '-' || c == ':') c = '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(EachPoint, ModeCrashTest, testing::ValuesIn(points), name_of);

}  // namespace
}  // namespace twophase::faults
