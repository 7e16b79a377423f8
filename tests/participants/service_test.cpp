// Participants over HTTP.
#include "participants/contract_routes.hpp"
#include "participants/coupon/coupon.hpp"
#include "participants/credit/credit.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace twophase::participants {
namespace {

using http::Json;
using testing::branch_message;
using testing::deduct;
using testing::get;
using testing::gid;
using testing::post;
using testing::Reply;
using testing::RunningParticipant;

class CreditService : public ::testing::Test {
protected:
    explicit CreditService(Config with = credit::defaults()) : config(std::move(with)) {
        config.inquire_after = std::chrono::hours(1);
    }
    void SetUp() override { start(); }
    void start() {
        participant.reset();
        participant = std::make_unique<RunningParticipant>(
            std::make_unique<credit::CreditKind>(), config, directory.path());
    }
    void open_account() {
        post(at(), "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        post(at(),
             "/v1/accounts/ann/points/grant",
             {{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}});
    }
    const http::Endpoint& at() { return participant->endpoint(); }
    Json account() { return get(at(), "/v1/accounts/ann/points").body; }

    testing::TemporaryDirectory directory;
    Config config;
    std::unique_ptr<RunningParticipant> participant;
};

/// A store that fills up after some hundred branches.
class FullService : public CreditService {
protected:
    FullService() : CreditService(small()) {}
    static Config small() {
        Config config = credit::defaults();
        config.map_bytes = std::size_t{1} << 20;
        return config;
    }
    /// Prepares, numbers 1 and up, until one is refused; its answer.
    Json fill() {
        constexpr int items = 32;
        for (int from = 1; from < 100 * items; from += items) {
            Json all = Json::array();
            for (int n = from; n < from + items; ++n) all.push_back(deduct(n, 1));
            const Reply reply = post(at(), "/v1/branches/prepare", all);
            for (const Json& item : reply.body)
                if (item.at("status") != 200) return item;
        }
        return {};
    }
};

TEST_F(FullService, RefusesToBeginAndEndsAllThatItIsTold) {
    open_account();
    post(at(),
         "/v1/accounts/ann/points/grant",
         {{"amount", 100'000}, {"business_code", "welcome"}, {"business_id", "2"}});
    const Json refused = fill();
    EXPECT_EQ(refused.at("status"), 503);
    EXPECT_EQ(refused.at("code"), "no-room");
    EXPECT_EQ(refused.at("written"), false);
    const Reply alone = post(at(), "/v1/branches/execute", deduct(9'000, 1));
    EXPECT_EQ(alone.status, 503U);
    EXPECT_EQ(alone.body.at("written"), false);
    EXPECT_EQ(alone.header("Retry-After"), "1");

    EXPECT_EQ(post(at(), "/v1/branches/prepare", deduct(1, 1)).body.at("vote"), "prepared")
        << "it was written, whatever there is room for now";
    for (const char* verb : {"rollback", "compensate"})
        EXPECT_EQ(post(at(),
                       std::string("/v1/branches/") + verb,
                       branch_message(gid(verb[0] == 'r' ? 9'001 : 9'002), "credit"))
                      .status,
                  200U)
            << "of a branch that never came";
    for (int n = 1; n <= 32; ++n) {
        const std::string verb = n % 2 == 0 ? "commit" : "rollback";
        EXPECT_EQ(post(at(), "/v1/branches/" + verb, branch_message(gid(n), "credit")).status,
                  200U);
    }
    const Reply direct = post(at(),
                              "/v1/accounts/ann/points/grant",
                              {{"amount", 1}, {"business_code", "w"}, {"business_id", "3"}});
    EXPECT_EQ(direct.status, 503U);
    EXPECT_EQ(direct.body.at("written"), false);
}

TEST_F(CreditService, BoundsTheReasonOfACompensation) {
    Json message = branch_message(gid(1), "credit");
    message["reason"] = {{"message", std::string(4'096, 'x')}};
    const Reply reply = post(at(), "/v1/branches/compensate", message);
    EXPECT_EQ(reply.status, 400U);
    EXPECT_EQ(reply.body.at("field"), "reason");
    message["reason"] = {{"message", std::string(4'000, 'x')}};
    EXPECT_EQ(post(at(), "/v1/branches/compensate", message).status, 200U);
}

TEST_F(CreditService, OpensAccountsAndGrants) {
    const Json name{{"user_id", "ann"}, {"credit_type", "points"}};
    const Reply created = post(at(), "/v1/accounts", name);
    EXPECT_EQ(created.status, 201U);
    EXPECT_EQ(created.header("ETag"), "\"1\"");
    EXPECT_EQ(post(at(), "/v1/accounts", name).status, 200U);
    const Json grant{{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}};
    const Reply granted = post(at(), "/v1/accounts/ann/points/grant", grant);
    EXPECT_EQ(granted.status, 200U);
    EXPECT_EQ(granted.body.at("idempotent"), false);
    EXPECT_EQ(granted.body.at("account").at("balance"), 100);
    const Reply again = post(at(), "/v1/accounts/ann/points/grant", grant);
    EXPECT_EQ(again.body.at("idempotent"), true);
    EXPECT_EQ(again.body.at("transaction_id"), granted.body.at("transaction_id"));
    Json other = grant;
    other["amount"] = 101;
    EXPECT_EQ(post(at(), "/v1/accounts/ann/points/grant", other).status, 422U);
    const Reply shown = get(at(), "/v1/accounts/ann/points");
    EXPECT_EQ(shown.header("ETag"), "\"2\"");
    EXPECT_EQ(shown.body.at("available"), 100);
    EXPECT_EQ(get(at(), "/v1/accounts/bob/points").status, 404U);
    EXPECT_EQ(get(at(), "/v1/accounts/ann/points/entries").body.at("items").size(), 1U);
}

TEST_F(CreditService, RefusesMalformedDirectCalls) {
    open_account();
    EXPECT_EQ(post(at(), "/v1/accounts", {{"user_id", "a b"}, {"credit_type", "x"}}).status, 400U);
    const Reply fraction = post(at(),
                                "/v1/accounts/ann/points/grant",
                                {{"amount", 1.5}, {"business_code", "x"}, {"business_id", "1"}});
    EXPECT_EQ(fraction.status, 400U);
    EXPECT_EQ(fraction.body.at("field"), "amount");
    EXPECT_EQ(get(at(), "/v1/accounts/ann/points/entries?limit=501").status, 400U);
    EXPECT_EQ(get(at(), "/v1/accounts/ann/points/entries?before=x").status, 400U);
}

TEST_F(CreditService, SpeaksTheContract) {
    open_account();
    const Reply prepared = post(at(), "/v1/branches/prepare", deduct(1));
    EXPECT_EQ(prepared.status, 200U);
    EXPECT_EQ(prepared.body,
              Json({{"gid", gid(1)},
                    {"branch_id", "1"},
                    {"vote", "prepared"},
                    {"prepare_id", "credit-1"}}));
    EXPECT_EQ(post(at(), "/v1/branches/prepare", deduct(1)).body, prepared.body);
    const Json listed = get(at(), "/v1/branches/in-doubt?coordinator=main").body;
    EXPECT_EQ(listed.at("items").at(0).at("gid"), gid(1));
    EXPECT_EQ(listed.at("items").at(0).at("operation"), "deduct_credits");
    EXPECT_TRUE(listed.at("next").is_null());
    const Reply committed = post(at(), "/v1/branches/commit", branch_message(gid(1), "credit"));
    EXPECT_EQ(committed.status, 200U);
    EXPECT_EQ(committed.body.at("state"), "committed");
    EXPECT_EQ(committed.body.at("result").at("balance"), 70);
    EXPECT_EQ(get(at(), "/v1/branches/in-doubt").body.at("items").size(), 0U);
    EXPECT_EQ(get(at(), "/v1/audit?gid=" + gid(1)).body.at("items").size(), 2U);
}

TEST(UrgencyTest, APriorityBelowTheUsualIsLazyAndWhatIsMalformedIsUsual) {
    for (const char* priority : {"u=4", "u=5", "u=7", "i, u=6", " u=5 ,i", "u=1, u=5", "u=5,,"})
        EXPECT_EQ(urgency_of(priority), wal::Urgency::lazy) << priority;
    for (const char* priority :
         {"", "u=0", "u=3", "i", "u=8", "u=", "u=55", "u", "U=5", "xu=5", "u = 5", ",", "u=5, u=3"})
        EXPECT_EQ(urgency_of(priority), wal::Urgency::forced) << priority;
}

/// A moment at least, for a prepare to share its sync: alone it is never there before.
TEST_F(CreditService, WhatNobodyWaitsForWaitsForCompany) {
    open_account();
    for (const char* verb : {"commit", "rollback"}) {
        const int n = verb == std::string("commit") ? 1 : 2;
        ASSERT_EQ(post(at(), "/v1/branches/prepare", deduct(n)).status, 200U);
        const auto begin = std::chrono::steady_clock::now();
        const Reply ended = testing::send(at(),
                                          "POST",
                                          std::string("/v1/branches/") + verb,
                                          branch_message(gid(n), "credit"),
                                          {{"Priority", "u=5"}});
        EXPECT_EQ(ended.status, 200U);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, unhurried_delay);
    }
    EXPECT_EQ(account().at("balance"), 70);
}

TEST_F(CreditService, ARefusalIsAProblemDocumentWithTheContractsMembers) {
    open_account();
    const Reply refused = post(at(), "/v1/branches/prepare", deduct(1, 500));
    EXPECT_EQ(refused.status, 409U);
    EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(refused.body.at("gid"), gid(1));
    EXPECT_EQ(refused.body.at("branch_id"), "1");
    EXPECT_EQ(refused.body.at("code"), "refused");
    EXPECT_EQ(refused.body.at("reason"), "insufficient_credits");
    EXPECT_NE(refused.body.at("message"), "");
}

TEST_F(CreditService, IgnoresMembersThatItDoesNotKnowInTheEnvelopeOnly) {
    open_account();
    Json message = deduct(1);
    message["from_the_future"] = {{"a", 1}};
    EXPECT_EQ(post(at(), "/v1/branches/prepare", message).status, 200U);
    message = deduct(2);
    message["payload"]["from_the_future"] = 1;
    EXPECT_EQ(post(at(), "/v1/branches/prepare", message).status, 422U);
}

TEST_F(CreditService, RefusesMalformedMessages) {
    for (const char* member :
         {"gid", "branch_id", "participant", "coordinator", "epoch", "operation", "payload"}) {
        Json message = deduct(1);
        message.erase(member);
        const Reply reply = post(at(), "/v1/branches/prepare", message);
        EXPECT_EQ(reply.status, 400U) << member;
        EXPECT_EQ(reply.body.at("field"), member);
    }
    for (const char* wrong : {"short", "../../../../etc/passwd", "0190a1b2 0000 7000"}) {
        Json message = deduct(1);
        message["gid"] = wrong;
        EXPECT_EQ(post(at(), "/v1/branches/prepare", message).status, 400U) << wrong;
    }
    Json deep = 1;
    for (int i = 0; i < 16; ++i) deep = Json::array({deep});
    Json message = deduct(1);
    message["payload"]["deep"] = deep;
    EXPECT_EQ(post(at(), "/v1/branches/prepare", message).status, 400U);
}

TEST_F(CreditService, AKeyThatNoQueryCanHaveIsRefusedInAMessageToo) {
    open_account();
    for (const char* member : {"business_code", "business_id"}) {
        Json message = deduct(1);
        message[member] = "a\nb";
        const Reply reply = post(at(), "/v1/branches/prepare", message);
        EXPECT_EQ(reply.status, 400U) << member;
        EXPECT_EQ(reply.body.at("field"), member);
    }
}

TEST_F(CreditService, AnArraysItemsSucceedAndFailSingly) {
    open_account();
    const Reply reply =
        post(at(),
             "/v1/branches/prepare",
             Json::array({deduct(1, 60), deduct(2, 60), Json{{"gid", 5}}, 7, deduct(3, 40)}));
    EXPECT_EQ(reply.status, 200U);
    ASSERT_EQ(reply.body.size(), 5U);
    std::vector<int> statuses;
    for (const Json& item : reply.body) statuses.push_back(item.at("status"));
    EXPECT_EQ(statuses, (std::vector<int>{200, 409, 400, 400, 200}));
    EXPECT_EQ(reply.body[0].at("vote"), "prepared");
    EXPECT_EQ(reply.body[1].at("reason"), "insufficient_credits");
    EXPECT_EQ(reply.body[1].at("gid"), gid(2));
    EXPECT_EQ(account().at("frozen"), 100);
}

TEST_F(CreditService, RefusesAnEmptyAndAnOverlongArray) {
    EXPECT_EQ(post(at(), "/v1/branches/commit", Json::array()).status, 400U);
    Json many = Json::array();
    for (int n = 0; n < 257; ++n) many.push_back(branch_message(gid(n), "credit"));
    EXPECT_EQ(post(at(), "/v1/branches/rollback", many).status, 400U);
    many.erase(0);
    EXPECT_EQ(post(at(), "/v1/branches/rollback", many).body.size(), 256U);
}

TEST_F(CreditService, PagesThoseInDoubt) {
    open_account();
    Json three = Json::array({deduct(1, 1), deduct(2, 1), deduct(3, 1)});
    post(at(), "/v1/branches/prepare", three);
    const Json first = get(at(), "/v1/branches/in-doubt?limit=2").body;
    EXPECT_EQ(first.at("items").size(), 2U);
    const std::string next = first.at("next");
    const Json second = get(at(), "/v1/branches/in-doubt?limit=2&after=" + next).body;
    EXPECT_EQ(second.at("items").size(), 1U);
    EXPECT_EQ(second.at("items").at(0).at("gid"), gid(3));
    EXPECT_EQ(get(at(), "/v1/branches/in-doubt?limit=0").status, 400U);
    const std::string age =
        "prepared_before=" + first.at("items").at(0).at("prepared_at").get<std::string>();
    EXPECT_EQ(get(at(), "/v1/branches/in-doubt?" + age).body.at("items").size(), 0U);
}

TEST_F(CreditService, KeepsItsPromisesOverARestart) {
    open_account();
    const Json prepared = post(at(), "/v1/branches/prepare", deduct(1)).body;
    post(at(), "/v1/branches/rollback", branch_message(gid(2), "credit"));
    start();
    EXPECT_EQ(get(at(), "/readyz").body.at("epoch"), 2);
    EXPECT_EQ(account().at("frozen"), 30);
    EXPECT_EQ(post(at(), "/v1/branches/prepare", deduct(1)).body, prepared);
    EXPECT_EQ(post(at(), "/v1/branches/prepare", deduct(2)).body.at("code"), "already_rolled_back");
    EXPECT_EQ(post(at(), "/v1/branches/commit", branch_message(gid(1), "credit")).status, 200U);
    EXPECT_EQ(account().at("balance"), 70);
}

/// Refuses every prepare for want of space in its queue.
class BusyCreditService : public CreditService {
protected:
    BusyCreditService() : CreditService(with_little_space()) {}
    static Config with_little_space() {
        Config config = credit::defaults();
        config.max_in_flight = 2;
        return config;
    }
};

TEST_F(BusyCreditService, AnswersWhatDoesNotFitInTheQueueWith503) {
    open_account();
    const Reply reply =
        post(at(), "/v1/branches/prepare", Json::array({deduct(1, 1), deduct(2, 1), deduct(3, 1)}));
    EXPECT_EQ(reply.body.at(1).at("status"), 200);
    EXPECT_EQ(reply.body.at(2).at("status"), 503);
    EXPECT_EQ(reply.body.at(2).at("code"), "overloaded");
    EXPECT_EQ(account().at("frozen"), 2);
}

// --- coupon ---

class CouponService : public ::testing::Test {
protected:
    Json message(int n) {
        Json message = branch_message(gid(n), "coupon");
        message["operation"] = "create_coupon";
        message["payload"] = {{"template_id", "cup"}, {"user_id", "u" + std::to_string(n)}};
        return message;
    }
    Reply create(std::int64_t stock) {
        return post(
            at(), "/v1/templates", {{"template_id", "cup"}, {"name", "A cup"}, {"stock", stock}});
    }
    const http::Endpoint& at() { return participant.endpoint(); }

    testing::TemporaryDirectory directory;
    RunningParticipant participant{
        std::make_unique<coupon::CouponKind>(), coupon::defaults(), directory.path()};
};

TEST_F(CouponService, CreatesTemplatesAndListsCoupons) {
    EXPECT_EQ(create(5).status, 201U);
    EXPECT_EQ(create(5).status, 200U);
    EXPECT_EQ(create(6).status, 409U);
    post(at(), "/v1/branches/prepare", message(1));
    EXPECT_EQ(get(at(), "/v1/templates/cup").body.at("reserved"), 1);
    EXPECT_EQ(get(at(), "/v1/users/u1/coupons").body.at("items").size(), 0U);
    EXPECT_EQ(get(at(), "/v1/users/u1/coupons?state=reserved").body.at("items").size(), 1U);
    const Json committed = post(at(), "/v1/branches/commit", branch_message(gid(1), "coupon")).body;
    const Json listed = get(at(), "/v1/users/u1/coupons").body.at("items").at(0);
    EXPECT_EQ(listed.at("code"), committed.at("result").at("coupon_code"));
    EXPECT_EQ(listed.at("gid"), gid(1));
    EXPECT_EQ(listed.at("state"), "issued");
    EXPECT_EQ(get(at(), "/v1/templates/none").status, 404U);
    EXPECT_EQ(get(at(), "/v1/users/u1/coupons?state=used").status, 400U);
}

TEST_F(CouponService, FiftyBuyersOfAStockOfOneGetOne) {
    create(1);
    std::atomic<int> prepared = 0;
    std::atomic<int> refused = 0;
    std::vector<std::thread> buyers;
    for (int n = 1; n <= 50; ++n)
        buyers.emplace_back([&, n] {
            const Reply reply = post(at(), "/v1/branches/prepare", message(n));
            if (reply.status == 200) ++prepared;
            if (reply.status == 409 && reply.body.at("reason") == "out_of_stock") ++refused;
        });
    for (std::thread& buyer : buyers) buyer.join();
    EXPECT_EQ(prepared, 1);
    EXPECT_EQ(refused, 49);
    EXPECT_EQ(get(at(), "/v1/templates/cup").body.at("available"), 0);
}

}  // namespace
}  // namespace twophase::participants
