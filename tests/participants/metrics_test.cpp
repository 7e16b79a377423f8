// What a participant's /metrics says after known traffic, over HTTP.
#include "http/problem.hpp"
#include "participants/credit/credit.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"
#include "tests/recovery/scraped.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <regex>
#include <string>

namespace twophase::participants {
namespace {

using http::Json;
using recovery::testing::Scraped;
using testing::branch_message;
using testing::deduct;
using testing::get;
using testing::gid;
using testing::post;

class ParticipantMetricsTest : public ::testing::Test {
protected:
    void start(Config config) {
        participant_ = std::make_unique<testing::RunningParticipant>(
            std::make_unique<credit::CreditKind>(), std::move(config), directory_.path());
        post(at(), "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        grant("1");
    }
    void SetUp() override {
        Config config = credit::defaults();
        config.inquire_after = std::chrono::hours(1);
        start(config);
    }
    unsigned grant(const std::string& business_id, int amount = 100) {
        return post(at(),
                    "/v1/accounts/ann/points/grant",
                    {{"amount", amount}, {"business_code", "b"}, {"business_id", business_id}})
            .status;
    }
    const http::Endpoint& at() { return participant_->endpoint(); }
    std::string text() { return get(at(), "/metrics").response.body; }
    double branches(const std::string& verb, const std::string& outcome) {
        return Scraped(text())["twophase_branch_messages_total{outcome=\"" + outcome +
                               "\",verb=\"" + verb + "\"}"];
    }

    testing::TemporaryDirectory directory_;
    std::unique_ptr<testing::RunningParticipant> participant_;
};

TEST_F(ParticipantMetricsTest, AnswersPrometheusText) {
    const http::Response response = get(at(), "/metrics").response;
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    const Scraped scraped(response.body);
    EXPECT_EQ(scraped.type("twophase_http_requests_total"), "counter");
    EXPECT_EQ(scraped.type("twophase_store_sync_duration_seconds"), "histogram");
    EXPECT_GT(scraped["process_resident_memory_bytes"], 0);
}

TEST_F(ParticipantMetricsTest, BranchesAreCountedByVerbAndOutcome) {
    EXPECT_EQ(post(at(), "/v1/branches/prepare", deduct(1)).status, 200U);
    EXPECT_EQ(post(at(), "/v1/branches/prepare", deduct(2)).status, 200U);
    EXPECT_EQ(post(at(), "/v1/branches/prepare", deduct(3, 9'999)).status, 409U);
    post(at(), "/v1/branches/commit", branch_message(gid(1), "credit"));
    post(at(), "/v1/branches/commit", branch_message(gid(9), "credit"));
    post(at(), "/v1/branches/rollback", branch_message(gid(7), "nobody"));
    EXPECT_EQ(branches("prepare", "done"), 2);
    EXPECT_EQ(branches("prepare", "refused"), 1);
    EXPECT_EQ(branches("commit", "done"), 1);
    EXPECT_EQ(branches("commit", "contradicted"), 1);
    EXPECT_EQ(branches("rollback", "rejected"), 1);
    const Scraped scraped(text());
    EXPECT_EQ(scraped.sum("twophase_branch_messages_total"), 6);
    EXPECT_EQ(scraped["twophase_branch_request_messages_count"], 6);
    EXPECT_EQ(scraped["twophase_branches_in_doubt"], 1) << "transaction 2";
    EXPECT_GT(scraped["twophase_branches_in_doubt_oldest_age_seconds"], 0);
}

TEST_F(ParticipantMetricsTest, ARequestOfManyMessagesIsOneArray) {
    Json all = Json::array();
    for (int n = 1; n <= 3; ++n) all.push_back(deduct(n));
    EXPECT_EQ(post(at(), "/v1/branches/prepare", all).status, 200U);
    const Scraped scraped(text());
    EXPECT_EQ(scraped["twophase_branch_request_messages_count"], 1);
    EXPECT_EQ(scraped["twophase_branch_request_messages_sum"], 3);
    EXPECT_EQ(branches("prepare", "done"), 3);
    EXPECT_EQ(scraped["twophase_branches_in_doubt"], 3);
}

TEST_F(ParticipantMetricsTest, NothingInDoubtHasNoAge) {
    const Scraped scraped(text());
    EXPECT_EQ(scraped["twophase_branches_in_doubt"], 0);
    EXPECT_EQ(scraped["twophase_branches_in_doubt_oldest_age_seconds"], 0);
}

TEST_F(ParticipantMetricsTest, DirectCallsAreCounted) {
    grant("2");
    post(at(),
         "/v1/accounts/ann/points/deduct",
         {{"amount", 9'999}, {"business_code", "b"}, {"business_id", "3"}});
    post(at(),
         "/v1/operations",
         {{"business_code", "b"},
          {"business_id", "4"},
          {"operations",
           {{{"operation", "deduct_credits"},
             {"payload", {{"user_id", "ann"}, {"credit_type", "points"}, {"amount", 1}}}}}}});
    const Scraped scraped(text());
    const std::string name = "twophase_direct_calls_total";
    EXPECT_EQ(scraped[name + R"({operation="create_account",outcome="done"})"], 1);
    EXPECT_EQ(scraped[name + R"({operation="grant",outcome="done"})"], 2);
    EXPECT_EQ(scraped[name + R"({operation="deduct",outcome="refused"})"], 1);
    EXPECT_EQ(scraped[name + R"({operation="operations",outcome="done"})"], 1);
    EXPECT_EQ(scraped.sum(name), 5);
}

TEST_F(ParticipantMetricsTest, RequestsAreCountedByRouteAndWhatNoRouteFitsIsOther) {
    get(at(), "/v1/accounts/ann/points");
    get(at(), "/v1/accounts/bob/points");
    get(at(), "/v1/accounts/" + gid(1) + "/points");
    get(at(), "/no/such/" + gid(2));
    get(at(), "/nor/this");
    const std::string scraped_text = text();
    const Scraped scraped(scraped_text);
    const std::string name = "twophase_http_requests_total";
    const std::string show =
        R"({method="GET",route="/v1/accounts/{user_id}/{credit_type}",status=)";
    EXPECT_EQ(scraped[name + show + R"("200"})"], 1);
    EXPECT_EQ(scraped[name + show + R"("404"})"], 2);
    EXPECT_EQ(scraped[name + R"({method="other",route="other",status="404"})"], 2);
    EXPECT_EQ(scraped[name + R"({method="POST",route="/v1/accounts",status="201"})"], 1);
    EXPECT_FALSE(std::regex_search(scraped_text, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-")))
        << "a gid in a label";
    EXPECT_EQ(scraped_text.find("ann"), std::string::npos);
    EXPECT_EQ(scraped["twophase_http_connections"], 1);
}

TEST_F(ParticipantMetricsTest, TheStoreTellsItsCommits) {
    const Scraped before(text());
    grant("2");
    const Scraped after(text());
    const auto grown = [&](const std::string& sample) { return after[sample] - before[sample]; };
    EXPECT_EQ(grown("twophase_store_commits_total"), 1);
    EXPECT_EQ(grown("twophase_store_jobs_total"), 1);
    EXPECT_EQ(grown("twophase_store_batch_jobs_count"), 1);
    EXPECT_EQ(grown("twophase_store_sync_duration_seconds_count"), 1);
    EXPECT_EQ(after["twophase_requests_waiting"], 0);
    EXPECT_EQ(after["twophase_store_has_room"], 1);
}

TEST_F(ParticipantMetricsTest, InquiriesAreCountedByTheirAnswer) {
    participant_.reset();
    std::atomic<bool> is_decided = false;
    const testing::StandInCoordinator coordinator([&](const std::string& path) {
        const std::string asked = path.substr(std::string("/v1/transactions/").size(), 36);
        return http::json_response({{"gid", asked},
                                    {"coordinator", "main"},
                                    {"epoch", 1},
                                    {"decision", is_decided ? "commit" : "pending"}});
    });
    Config config = credit::defaults();
    config.inquire_after = std::chrono::milliseconds(10);
    config.coordinators = {{"main", http::Endpoint::parse(coordinator.url()).value()}};
    start(config);
    const auto asked = [&](const std::string& answer) {
        return Scraped(text())["twophase_inquiries_total{answer=\"" + answer + "\"}"];
    };
    post(at(), "/v1/branches/prepare", deduct(1));
    EXPECT_TRUE(testing::eventually([&] { return asked("undecided") >= 1; }));
    EXPECT_EQ(asked("commit"), 0);
    is_decided = true;
    EXPECT_TRUE(testing::eventually([&] { return asked("commit") == 1; }));
    EXPECT_TRUE(
        testing::eventually([&] { return Scraped(text())["twophase_branches_in_doubt"] == 0; }));
}

}  // namespace
}  // namespace twophase::participants
