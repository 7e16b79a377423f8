// Who is behind a direct call, as the audit log tells it.
#include "participants/coupon/coupon.hpp"
#include "participants/credit/credit.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/router_bench.hpp"
#include "tests/participants/running.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace twophase::participants {
namespace {

using http::Json;
using testing::Reply;
using testing::RouterBench;

const std::vector<http::Header> from_bob{{"X-Actor", "bob"}, {"X-Request-Id", "r-1"}};

/// The operations of all entries; a failure for one that doesn't name Bob and his request.
std::multiset<std::string> operations_of_bob(const Json& entries) {
    std::multiset<std::string> operations;
    for (const Json& entry : entries) {
        EXPECT_EQ(entry.at("actor"), "bob") << entry;
        EXPECT_EQ(entry.at("request_id"), "r-1") << entry;
        operations.insert(entry.at("operation"));
    }
    return operations;
}

Json operation(const std::string& user) {
    return {{"operation", "deduct_credits"},
            {"payload", {{"user_id", user}, {"credit_type", "points"}, {"amount", 1}}}};
}

TEST(OriginTest, EveryDirectCallOfCreditsIsAuditedWithItsActor) {
    RouterBench bench;
    const auto call = [&](const char* method, const std::string& path, const Json& body) {
        const Reply reply = bench.call(method, path, body, from_bob);
        EXPECT_EQ(reply.status / 100, 2U) << path << " " << reply.body;
        return reply;
    };
    const std::string ann = "/v1/accounts/ann/points";
    const Json amount{{"amount", 9}, {"business_code", "shop"}, {"business_id", "1"}};
    const Json several{{"business_code", "shop"}, {"business_id", "2"}};
    call("POST", "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
    call("POST", ann + "/grant", amount);
    call("POST", ann + "/deduct", amount);
    const Reply read = call("GET", ann, nullptr);
    std::vector<http::Header> adjusting = from_bob;
    adjusting.push_back({"If-Match", read.header("ETag")});
    EXPECT_EQ(
        bench.call("PUT", ann, {{"balance", 5}, {"reason", "counted"}}, adjusting).status / 100,
        2U);
    Json carried_out = several;
    carried_out["operations"] = {operation("ann")};
    call("POST", "/v1/operations", carried_out);
    Json refused = several;
    refused["business_id"] = "3";
    refused["operations"] = {operation("nobody")};
    EXPECT_EQ(bench.call("POST", "/v1/operations", refused, from_bob).status, 409U);
    const Reply lock = call("POST", ann + "/lock", {{"lease_ms", 60'000}});
    std::vector<http::Header> releasing = from_bob;
    releasing.push_back({"Lock-Token", lock.body.at("lock_token").dump()});
    EXPECT_EQ(bench.call("DELETE", ann + "/lock", nullptr, releasing).status, 200U);
    EXPECT_EQ(operations_of_bob(bench.call("GET", "/v1/audit").body.at("items")),
              (std::multiset<std::string>{"create_account",
                                          "grant",
                                          "deduct",
                                          "adjust",
                                          "deduct_credits",
                                          "deduct_credits",
                                          "lock",
                                          "unlock"}));
}

TEST(OriginTest, ALockThatWasWaitedForNamesWhoWaited) {
    RouterBench bench;
    const std::string lock = "/v1/accounts/ann/points/lock";
    bench.call("POST", "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
    bench.call("POST", lock, {{"lease_ms", 1'000}}, {{"X-Actor", "eve"}});
    const auto waiting =
        bench.ask("POST", lock, {{"lease_ms", 1'000}, {"wait_ms", 60'000}}, from_bob);
    bench.run();
    bench.pass(std::chrono::seconds(2));
    ASSERT_EQ(waiting.status(), 200U);
    const Json audit = bench.call("GET", "/v1/audit").body;
    for (const Json& entry : audit.at("items"))
        if (entry.at("operation") == "lock") {
            EXPECT_EQ(entry.at("actor"), "bob");
            break;
        }
}

TEST(OriginTest, AnActorIsCutAt128BytesBetweenTwoCharacters) {
    RouterBench bench;
    std::string actor(127, 'x');
    actor += "é";
    bench.call("POST",
               "/v1/accounts",
               {{"user_id", "ann"}, {"credit_type", "points"}},
               {{"X-Actor", actor}, {"X-Request-Id", std::string(255, 'y') + "é"}});
    const Json entry = bench.call("GET", "/v1/audit").body.at("items").at(0);
    EXPECT_EQ(entry.at("actor"), std::string(127, 'x'));
    EXPECT_EQ(entry.at("request_id"), std::string(255, 'y'));
}

TEST(OriginTest, ATemplateIsAuditedWithItsActor) {
    testing::TemporaryDirectory directory;
    const testing::RunningParticipant coupon(
        std::make_unique<coupon::CouponKind>(), coupon::defaults(), directory.path());
    const Reply made = testing::send(coupon.endpoint(),
                                     "POST",
                                     "/v1/templates",
                                     {{"template_id", "s"}, {"name", "S"}, {"stock", 1}},
                                     from_bob);
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(
        operations_of_bob(testing::get(coupon.endpoint(), "/v1/audit?limit=1").body.at("items")),
        (std::multiset<std::string>{"create_template"}));
}

}  // namespace
}  // namespace twophase::participants
