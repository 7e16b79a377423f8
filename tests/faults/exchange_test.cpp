// The three programs under ordinary load, and their orderly end.
#include "http/client.hpp"
#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"
#include "tests/recovery/scraped.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

class ExchangeTest : public testing::Test {
protected:
    void SetUp() override {
        fleet_.start_all();
        open_books(fleet_);
    }
    Json submit(const Json& request) {
        return ask_json(fleet_.coordinator, "POST", "/v1/transactions", request);
    }
    static Json exchange(const std::string& id, const std::string& user = "u0") {
        return Load::request_of({.business_id = id, .user = user, .price = 10});
    }
    Fleet fleet_;
};

TEST_F(ExchangeTest, ManyClientsAtOnceAndThenAnOrderlyEnd) {
    Load load(fleet_.coordinator, {.clients = 64, .most_exchanges = 500});
    load.start();
    EXPECT_TRUE(eventually(120s, [&] { return load.answered() == 500; }));
    EXPECT_TRUE(load.finish(30s));
    expect_quiet(fleet_, 30s);
    const Outcomes outcomes = expect_books_agree(fleet_, load.exchanges());
    EXPECT_EQ(outcomes.commits, 400U);
    EXPECT_EQ(outcomes.rollbacks, 100U);
    // A sanitizer's finding would show in the exit code.
    for (Program* program : {&fleet_.coordinator, &fleet_.credit, &fleet_.coupon})
        EXPECT_EQ(program->terminate().exit_code, 0) << program->log_tail();
}

TEST_F(ExchangeTest, ARepeatHearsTheFirstOutcomeAndAnotherRequestIsRefused) {
    const Json first = submit(exchange("order-1"));
    EXPECT_EQ(first["state"], "committed");
    EXPECT_EQ(first["idempotent"], false);
    const Json again = submit(exchange("order-1"));
    EXPECT_EQ(again["idempotent"], true);
    EXPECT_EQ(again["gid"], first["gid"]);
    EXPECT_EQ(again["branches"], first["branches"]);
    const auto changed =
        ask(fleet_.coordinator, "POST", "/v1/transactions", exchange("order-1", "u1"));
    EXPECT_EQ(changed.status, 422U) << changed.body;
    EXPECT_EQ(Json::parse(changed.body)["code"], "business-key-reused");
}

TEST_F(ExchangeTest, ARepeatHearsTheSameAfterARestartOfTheCoordinator) {
    const Json committed = submit(exchange("order-1"));
    const Json refused = submit(exchange("order-2", "poor"));
    EXPECT_EQ(refused["decision"], "rollback");
    EXPECT_EQ(refused["refused_code"], "insufficient_credits");
    fleet_.coordinator.kill();
    fleet_.start_all();
    expect_quiet(fleet_, 30s);
    const Json again = submit(exchange("order-1"));
    EXPECT_EQ(again["gid"], committed["gid"]);
    EXPECT_EQ(again["branches"], committed["branches"]);
    const Json refused_again = submit(exchange("order-2", "poor"));
    EXPECT_EQ(refused_again["gid"], refused["gid"]);
    EXPECT_EQ(refused_again["refused_code"], "insufficient_credits");
}

TEST_F(ExchangeTest, AMistakeDoesNotBurnAnOrder) {
    Json order = exchange("order-1", "poor");
    order["wait_for"] = "undone";
    EXPECT_EQ(submit(order)["next_attempt"], 2) << "the first answer says it";
    const Json again = submit(order);
    EXPECT_EQ(again["idempotent"], true);
    EXPECT_EQ(again["next_attempt"], 2);
    EXPECT_EQ(again["next_attempt_possible"], true);
    order = exchange("order-1", "u0");
    const Json changed = submit(order);
    EXPECT_EQ(changed["code"], "business-key-reused");
    EXPECT_EQ(changed["next_attempt"], 2);
    order["attempt"] = 3;
    EXPECT_EQ(submit(order)["next_attempt"], 2) << "one was left out";
    order["attempt"] = changed["next_attempt"];
    EXPECT_EQ(submit(order)["state"], "committed");
    const Json reused = submit(exchange("order-1", "u1"));
    EXPECT_EQ(reused["code"], "business-key-reused");
    EXPECT_FALSE(reused.contains("next_attempt")) << "it is committed";
    const Json late = submit(exchange("order-1", "poor"));
    EXPECT_EQ(late["decision"], "rollback") << "the first attempt's outcome";
    EXPECT_FALSE(late.contains("next_attempt"));
}

TEST_F(ExchangeTest, MetricsOfAllThreeTellWhatHappened) {
    for (const char* id : {"order-1", "order-2"}) submit(exchange(id));
    submit(exchange("order-3", "poor"));
    expect_quiet(fleet_, 30s);
    const std::string gid = submit(exchange("order-1"))["gid"];
    ask(fleet_.coordinator, "GET", "/no/such/" + gid);
    using recovery::testing::Scraped;
    const std::string text = ask(fleet_.coordinator, "GET", "/metrics").body;
    const Scraped coordinator(text);
    const std::string ended = "twophase_transactions_total{mode=\"two_phase\",outcome=";
    EXPECT_EQ(coordinator[ended + "\"committed\"}"], 2);
    EXPECT_EQ(coordinator[ended + "\"rolled_back\"}"], 1);
    EXPECT_EQ(coordinator["twophase_submissions_total{result=\"new\"}"], 3);
    EXPECT_EQ(coordinator["twophase_submissions_total{result=\"repeat\"}"], 1);
    EXPECT_EQ(coordinator["twophase_transaction_duration_seconds_count{mode=\"two_phase\"}"], 3);
    const std::string answers = "twophase_http_requests_total";
    EXPECT_EQ(coordinator[answers + R"({method="POST",route="/v1/transactions",status="200"})"], 3);
    EXPECT_EQ(coordinator[answers + R"({method="POST",route="/v1/transactions",status="409"})"], 1);
    EXPECT_EQ(coordinator[answers + R"({method="other",route="other",status="404"})"], 1);
    EXPECT_EQ(coordinator["twophase_transactions_in_doubt"], 0);
    EXPECT_EQ(text.find(gid), std::string::npos);
    for (const Program* program : {&fleet_.credit, &fleet_.coupon}) {
        const Scraped participant(ask(*program, "GET", "/metrics").body);
        EXPECT_EQ(participant[R"(twophase_branch_messages_total{outcome="done",verb="commit"})"],
                  2);
        EXPECT_EQ(participant["twophase_branches_in_doubt"], 0);
        EXPECT_GE(participant["twophase_store_commits_total"], 3);
    }
    const Scraped credit(ask(fleet_.credit, "GET", "/metrics").body);
    EXPECT_EQ(credit[R"(twophase_branch_messages_total{outcome="refused",verb="prepare"})"], 1);
}

TEST_F(ExchangeTest, TheNextAttemptGoesThroughAfterToppingUpAndALateCopyDoesNot) {
    Json request = exchange("order-1", "poor");
    EXPECT_EQ(submit(request)["decision"], "rollback");
    ask_json(fleet_.credit,
             "POST",
             "/v1/accounts/poor/points/grant",
             {{"amount", 100}, {"business_code", "test"}, {"business_id", "top-up"}});
    request["attempt"] = 2;
    const Json second = submit(request);
    EXPECT_EQ(second["state"], "committed") << second;
    request["attempt"] = 1;
    EXPECT_EQ(submit(request)["decision"], "rollback");
    request["attempt"] = 3;
    EXPECT_EQ(ask(fleet_.coordinator, "POST", "/v1/transactions", request).status, 409U);
    EXPECT_EQ(ask_json(fleet_.credit, "GET", "/v1/accounts/poor/points")["balance"], 90);
}

TEST_F(ExchangeTest, OneBusinessKeyAtOnceFromManyClientsActsOnce) {
    const Json request = exchange("order-1");
    std::vector<std::thread> clients;
    std::vector<std::string> gids(16);
    for (std::string& gid : gids)
        clients.emplace_back([&] { gid = submit(request).value("gid", "none"); });
    for (std::thread& client : clients) client.join();
    for (const std::string& gid : gids) EXPECT_EQ(gid, gids[0]);
    expect_quiet(fleet_, 30s);
    const Json account = ask_json(fleet_.credit, "GET", "/v1/accounts/u0/points");
    EXPECT_EQ(account["balance"], points_granted - 10);
}

TEST_F(ExchangeTest, WhatIsUnfinishedCanBeWatchedAndIsDeliveredWhenTheParticipantReturns) {
    fleet_.coupon.kill();
    Json request = exchange("order-1");
    request["timeout_ms"] = 300;
    const Json answer = submit(request);
    EXPECT_EQ(answer["decision"], "rollback");
    EXPECT_EQ(answer["reason"], "timed_out");
    const std::string gid = answer["gid"];
    const Json listed = ask_json(
        fleet_.coordinator, "GET", "/v1/transactions?state=rolling_back&participant=coupon");
    ASSERT_EQ(listed["items"].size(), 1U) << listed;
    EXPECT_EQ(listed["items"][0]["gid"], gid);
    EXPECT_EQ(
        ask_json(fleet_.coordinator, "GET", "/v1/transactions/" + gid + "/decision")["decision"],
        "rollback");
    EXPECT_TRUE(eventually(30s, [&] {
        return ask_json(fleet_.credit, "GET", "/v1/accounts/u0/points")["frozen"] == 0;
    }));
    fleet_.start_all();
    ask(fleet_.coordinator, "POST", "/v1/transactions/" + gid + "/retry");
    expect_quiet(fleet_, 30s);
    const Json shown = ask_json(fleet_.coordinator, "GET", "/v1/transactions/" + gid);
    EXPECT_EQ(shown["state"], "rolled_back");
    EXPECT_EQ(shown["timeline"].back()["type"], "finished");
}

TEST_F(ExchangeTest, RespondAsyncTellsWhereToLookOnceTheStartIsDurable) {
    fleet_.coupon.kill();
    http::Call call{.method = "POST",
                    .target = "/v1/transactions",
                    .body = exchange("order-1").dump(),
                    .headers = {{"Prefer", "respond-async"}}};
    const auto endpoint = http::Endpoint::parse(fleet_.coordinator.endpoint()).value();
    const auto answer = http::call_once(endpoint, call, 10s);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 202U) << answer->body;
    EXPECT_EQ(answer->header("Retry-After"), "1");
    EXPECT_EQ(answer->header("Preference-Applied"), "respond-async");
    const std::string location(answer->header("Location"));
    fleet_.coordinator.kill();
    fleet_.start_all();
    expect_quiet(fleet_, 30s);
    const Json shown = ask_json(fleet_.coordinator, "GET", location);
    EXPECT_EQ(shown["decision"], "rollback") << shown;
    EXPECT_EQ(shown["reason"], "restarted");
}

TEST_F(ExchangeTest, ASecondCoordinatorOnTheSameLogIsRefused) {
    Program second("coordinator", fleet_.folder(), {});
    std::filesystem::rename(fleet_.coordinator.address_file(), fleet_.folder() / "kept.address");
    second.start();
    const auto ending = second.wait_end(30s);
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->exit_code, 2);
    EXPECT_FALSE(std::filesystem::exists(second.address_file())) << "others would go there";
    std::filesystem::rename(fleet_.folder() / "kept.address", fleet_.coordinator.address_file());
    EXPECT_EQ(submit(exchange("order-1"))["state"], "committed");
}

TEST(LimitsTest, LiveTransactionsAreBoundedByTheirBytes) {
    Fleet fleet({.coordinator = {"--max-live-bytes", "1048576", "--wait-limit-ms", "1"},
                 .participants = {}});
    fleet.start_all();
    fleet.credit.kill();  // so that what is submitted stays live until the vote deadline
    const auto submit = [&](const std::string& id) {
        Json request = Load::request_of({.business_id = id, .user = "u0", .price = 10});
        request["timeout_ms"] = 60'000;
        request["branches"][0]["payload"]["note"] = std::string(600'000, 'x');
        return ask(fleet.coordinator, "POST", "/v1/transactions", request).status;
    };
    EXPECT_EQ(submit("1"), 202U);
    EXPECT_EQ(submit("2"), 202U);
    EXPECT_EQ(submit("3"), 503U);
}

}  // namespace
}  // namespace twophase::faults
