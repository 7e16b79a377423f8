// Direct operations: several at once, all or none, once per business key; and single deductions.
#include "participants/coupon/coupon.hpp"
#include "tests/participants/router_bench.hpp"

#include <gtest/gtest.h>

namespace twophase::participants {
namespace {

using http::Json;
using testing::Pending;
using testing::Reply;
using testing::RouterBench;

const std::string operations_path = "/v1/operations";

Json operation(const std::string& name, std::int64_t amount, const std::string& user = "ann") {
    return {{"operation", name},
            {"payload", {{"user_id", user}, {"credit_type", "points"}, {"amount", amount}}}};
}

Json request(const std::string& id, const Json& operations) {
    return {{"business_code", "order"}, {"business_id", id}, {"operations", operations}};
}

struct OperationsBench : RouterBench {
    OperationsBench() {
        for (const char* user : {"ann", "bob"}) {
            call("POST", "/v1/accounts", {{"user_id", user}, {"credit_type", "points"}});
            post(std::string("/v1/accounts/") + user + "/points/grant", 100, "welcome", user);
        }
    }
    Reply post(const std::string& path,
               std::int64_t amount,
               const std::string& code,
               const std::string& id) {
        return call(
            "POST", path, {{"amount", amount}, {"business_code", code}, {"business_id", id}});
    }
    Reply deduct(std::int64_t amount, const std::string& id) {
        return post("/v1/accounts/ann/points/deduct", amount, "shop", id);
    }
    Reply perform(const Json& body, std::vector<http::Header> headers = {}) {
        return call("POST", operations_path, body, std::move(headers));
    }
    /// Ann's balance, Bob's balance.
    std::string balances() {
        const auto of = [&](const std::string& user) {
            return call("GET", "/v1/accounts/" + user + "/points").body.at("balance").dump();
        };
        return of("ann") + " " + of("bob");
    }
    Json audit() { return call("GET", "/v1/audit").body.at("items"); }
    Json found(const std::string& code, const std::string& id) {
        return call("GET", operations_path + "?business_code=" + code + "&business_id=" + id)
            .body.at("items");
    }
    std::uint64_t lock(const std::string& user) {
        return call("POST", "/v1/accounts/" + user + "/points/lock", {{"lease_ms", 60'000}})
            .body.at("lock_token")
            .get<std::uint64_t>();
    }
};

const Json transfer =
    Json::array({operation("deduct_credits", 30), operation("add_credits", 30, "bob")});

TEST(OperationsTest, AreCarriedOutTogether) {
    OperationsBench bench;
    const Reply reply = bench.perform(request("1", transfer));
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(reply.body.at("success"), true);
    EXPECT_EQ(reply.body.at("transaction_id"), "op-1");
    EXPECT_EQ(reply.body.at("idempotent"), false);
    EXPECT_EQ(reply.body.at("message"), "carried out");
    const Json& results = reply.body.at("results");
    EXPECT_EQ(results.at(0).at("operation"), "deduct_credits");
    EXPECT_EQ(results.at(0).at("result").at("balance"), 70);
    EXPECT_EQ(results.at(1).at("result").at("balance"), 130);
    EXPECT_EQ(bench.balances(), "70 130");
    const Json entry = bench.call("GET", "/v1/accounts/ann/points/entries").body.at("items").at(0);
    EXPECT_EQ(entry.at("kind"), "deduct");
    EXPECT_EQ(entry.at("entry_id"), results.at(0).at("result").at("transaction_id"));
    EXPECT_EQ(entry.at("business_id"), "1");
    EXPECT_FALSE(entry.contains("gid"));
}

TEST(OperationsTest, EachIsAudited) {
    OperationsBench bench;
    const std::size_t before = bench.audit().size();
    const Json results = bench.perform(request("1", transfer)).body.at("results");
    const Json audited = bench.audit();
    ASSERT_EQ(audited.size(), before + 2);
    for (const std::size_t i : {0U, 1U}) {
        const Json& entry = audited.at(1 - i);
        EXPECT_EQ(entry.at("operation"), results.at(i).at("operation"));
        EXPECT_EQ(entry.at("transaction_id"), results.at(i).at("result").at("transaction_id"));
        EXPECT_EQ(entry.at("business_code"), "order");
        EXPECT_EQ(entry.at("success"), true);
        EXPECT_EQ(entry.at("gid"), "");
    }
}

TEST(OperationsTest, SayNothingBeforeTheyAreDurable) {
    OperationsBench bench;
    const Pending pending = bench.ask("POST", operations_path, request("1", transfer));
    EXPECT_FALSE(pending.is_there());
    bench.crash();
    bench.start();
    bench.run();
    EXPECT_FALSE(pending.is_there());
    EXPECT_EQ(bench.balances(), "100 100");
    EXPECT_EQ(bench.perform(request("1", transfer)).body.at("idempotent"), false);
}

TEST(OperationsTest, ARepeatGetsTheFirstAnswerAlsoAfterARestart) {
    OperationsBench bench;
    const Reply first = bench.perform(request("1", transfer));
    const std::size_t audited = bench.audit().size();
    bench.crash();
    bench.start();
    const Reply again = bench.perform(request("1", transfer));
    EXPECT_EQ(again.status, 200U);
    EXPECT_EQ(again.body.at("idempotent"), true);
    EXPECT_EQ(again.body.at("message"), "carried out before");
    EXPECT_EQ(again.body.at("transaction_id"), first.body.at("transaction_id"));
    EXPECT_EQ(again.body.at("results"), first.body.at("results"));
    EXPECT_EQ(bench.balances(), "70 130");
    EXPECT_EQ(bench.audit().size(), audited);
    EXPECT_EQ(bench.perform(request("2", transfer)).body.at("idempotent"), false);
}

TEST(OperationsTest, TwoAtOnceAreOne) {
    OperationsBench bench;
    const Pending first = bench.ask("POST", operations_path, request("1", transfer));
    const Pending second = bench.ask("POST", operations_path, request("1", transfer));
    bench.run();
    EXPECT_EQ(first.reply().body.at("idempotent"), false);
    EXPECT_EQ(second.reply().body.at("idempotent"), true);
    EXPECT_EQ(bench.balances(), "70 130");
}

TEST(OperationsTest, ARepeatWithAnotherContentIsRefused) {
    OperationsBench bench;
    bench.perform(request("1", transfer));
    const Json reversed = Json::array({transfer.at(1), transfer.at(0)});
    const Json shorter = Json::array({transfer.at(0)});
    for (const Json& other : {reversed, shorter}) {
        const Reply reply = bench.perform(request("1", other));
        EXPECT_EQ(reply.status, 422U);
        EXPECT_EQ(reply.body.at("code"), "payload-changed");
    }
    EXPECT_EQ(bench.audit().at(0).at("code"), "payload-changed");
    EXPECT_EQ(bench.balances(), "70 130");
}

TEST(OperationsTest, OneThatIsRefusedRefusesAll) {
    OperationsBench bench;
    const std::size_t audited = bench.audit().size();
    const Json body =
        request("1", Json::array({operation("add_credits", 50), operation("deduct_credits", 151)}));
    const Reply reply = bench.perform(body);
    EXPECT_EQ(reply.status, 409U);
    EXPECT_EQ(reply.body.at("code"), "refused");
    EXPECT_EQ(reply.body.at("reason"), "insufficient_credits");
    EXPECT_EQ(reply.body.at("index"), 1);
    EXPECT_EQ(reply.body.at("operation"), "deduct_credits");
    EXPECT_EQ(bench.balances(), "100 100");
    EXPECT_EQ(bench.found("order", "1").size(), 0U);
    ASSERT_EQ(bench.audit().size(), audited + 1);
    const Json entry = bench.audit().at(0);
    EXPECT_EQ(entry.at("operation"), "deduct_credits");
    EXPECT_EQ(entry.at("success"), false);
    EXPECT_EQ(entry.at("code"), "insufficient_credits");
    EXPECT_TRUE(entry.at("before_state").is_null()) << "a balance of 150 never was";
    EXPECT_EQ(bench.call("GET", "/v1/accounts/ann/points").body.at("version"), 2);
}

TEST(OperationsTest, ARefusalIsNotRemembered) {
    OperationsBench bench;
    const Json body = request("1", Json::array({operation("deduct_credits", 150)}));
    EXPECT_EQ(bench.perform(body).status, 409U);
    bench.post("/v1/accounts/ann/points/grant", 50, "topup", "1");
    const Reply again = bench.perform(body);
    EXPECT_EQ(again.status, 200U);
    EXPECT_EQ(again.body.at("idempotent"), false);
    EXPECT_EQ(bench.balances(), "0 100");
}

TEST(OperationsTest, EachSeesWhatThoseBeforeItDid) {
    OperationsBench bench;
    const Json body =
        request("1", Json::array({operation("add_credits", 50), operation("deduct_credits", 150)}));
    EXPECT_EQ(bench.perform(body).status, 200U);
    EXPECT_EQ(bench.balances(), "0 100");
}

TEST(OperationsTest, MalformedOnesNameTheField) {
    OperationsBench bench;
    const std::size_t audited = bench.audit().size();
    const auto field_of = [&](const Json& operations, unsigned status) {
        const Reply reply = bench.perform(request("1", operations));
        EXPECT_EQ(reply.status, status) << operations;
        return reply.body.at("field").get<std::string>();
    };
    EXPECT_EQ(field_of(Json::array(), 400), "operations");
    EXPECT_EQ(field_of(Json::array({1}), 400), "operations[0]");
    EXPECT_EQ(field_of(Json::array({{{"operation", "x"}}}), 400), "operations[0].payload");
    EXPECT_EQ(field_of(Json(33, transfer.at(0)), 400), "operations");
    EXPECT_EQ(field_of(Json::array({transfer.at(0), operation("steal", 1)}), 422),
              "operations[1].operation");
    EXPECT_EQ(field_of(Json::array({operation("add_credits", 0)}), 422),
              "operations[0].payload.amount");
    EXPECT_EQ(field_of(Json::array({operation("add_credits", credit::most_amount + 1)}), 422),
              "operations[0].payload.amount");
    Json more = transfer;
    more[1]["to"] = "me";
    EXPECT_EQ(field_of(more, 400), "operations[1].to");
    Json keyless = request("1", transfer);
    keyless.erase("business_id");
    EXPECT_EQ(bench.perform(keyless).body.at("field"), "business_id");
    EXPECT_EQ(bench.perform(request(std::string(129, 'x'), transfer)).status, 400U);
    EXPECT_EQ(bench.audit().size(), audited) << "faults of a request cost us nothing";
    EXPECT_EQ(bench.balances(), "100 100");
}

TEST(OperationsTest, KeysThatNoQueryCanHaveAreRefusedByEveryDirectCall) {
    OperationsBench bench;
    for (const char* key : {"a\nb", "\t", "a\x7f"}) {
        const Reply performed = bench.perform(request(key, transfer));
        EXPECT_EQ(performed.status, 400U) << key;
        EXPECT_EQ(performed.body.at("field"), "business_id");
        for (const char* call : {"grant", "deduct"}) {
            const std::string path = std::string("/v1/accounts/ann/points/") + call;
            EXPECT_EQ(bench.post(path, 1, "shop", key).body.at("field"), "business_id") << key;
            EXPECT_EQ(bench.post(path, 1, key, "1").body.at("field"), "business_code") << key;
        }
    }
    EXPECT_EQ(bench.balances(), "100 100");
}

TEST(OperationsTest, HeldAccountsNeedTheirTokens) {
    OperationsBench bench;
    const std::uint64_t token = bench.lock("bob");
    const Reply locked = bench.perform(request("1", transfer));
    EXPECT_EQ(locked.status, 423U);
    EXPECT_EQ(locked.body.at("code"), "account-locked");
    EXPECT_EQ(locked.body.at("index"), 1);
    EXPECT_NE(locked.header("Retry-After"), "");
    EXPECT_EQ(bench.balances(), "100 100");
    Json with_tokens = transfer;
    with_tokens[1]["lock_token"] = token + 1;
    EXPECT_EQ(bench.perform(request("1", with_tokens)).status, 412U);
    with_tokens[1]["lock_token"] = token;
    EXPECT_EQ(bench.perform(request("1", with_tokens)).status, 200U);
    EXPECT_EQ(bench.balances(), "70 130");
    EXPECT_EQ(bench.perform(request("1", transfer)).body.at("idempotent"), true)
        << "a token is no part of what was asked for";
    EXPECT_EQ(bench.perform(request("2", transfer), {{"Lock-Token", "1"}}).status, 400U);
}

TEST(OperationsTest, AreFoundByTheirBusinessKey) {
    OperationsBench bench;
    EXPECT_EQ(bench.found("order", "1"), Json::array());
    bench.perform(request("1", transfer));
    bench.post("/v1/accounts/ann/points/grant", 5, "order", "1");
    bench.post("/v1/accounts/ann/points/deduct", 6, "order", "1");
    const Json items = bench.found("order", "1");
    ASSERT_EQ(items.size(), 3U);
    EXPECT_EQ(items.at(0).at("operation"), "grant");
    EXPECT_EQ(items.at(0).at("request").at("amount"), 5);
    EXPECT_EQ(items.at(1).at("operation"), "deduct");
    EXPECT_EQ(items.at(2).at("operation"), "operations");
    EXPECT_EQ(items.at(2).at("transaction_id"), "op-1");
    EXPECT_EQ(items.at(2).at("request"), transfer);
    EXPECT_EQ(items.at(2).at("results").size(), 2U);
    EXPECT_EQ(bench.call("GET", operations_path).status, 400U);
    EXPECT_EQ(bench.call("GET", operations_path + "?business_code=order").status, 400U);
    const std::string nul(1, '\0');
    const std::string hostile = "?business_code=or" + nul + "der&business_id=1";
    EXPECT_EQ(bench.call("GET", operations_path + hostile).status, 400U);
}

TEST(DeductTest, IsCarriedOutOncePerBusinessKey) {
    OperationsBench bench;
    const Reply first = bench.deduct(30, "1");
    EXPECT_EQ(first.status, 200U);
    EXPECT_EQ(first.body.at("message"), "deducted");
    EXPECT_EQ(first.body.at("account").at("balance"), 70);
    const Reply again = bench.deduct(30, "1");
    EXPECT_EQ(again.body.at("idempotent"), true);
    EXPECT_EQ(again.body.at("transaction_id"), first.body.at("transaction_id"));
    EXPECT_EQ(bench.deduct(31, "1").status, 422U);
    EXPECT_EQ(bench.post("/v1/accounts/ann/points/grant", 30, "shop", "1").status, 200U)
        << "another operation has keys of its own";
    EXPECT_EQ(bench.balances(), "100 100");
}

TEST(DeductTest, TakesNoMoreThanIsAvailable) {
    OperationsBench bench;
    const Reply refused = bench.deduct(101, "1");
    EXPECT_EQ(refused.status, 409U);
    EXPECT_EQ(refused.body.at("reason"), "insufficient_credits");
    EXPECT_EQ(bench.audit().at(0).at("code"), "insufficient_credits");
    for (const std::int64_t amount : {std::int64_t{0}, std::int64_t{-1}, credit::most_amount + 1})
        EXPECT_EQ(bench.deduct(amount, "1").status, 400U);
    EXPECT_EQ(bench.deduct(100, "1").status, 200U) << "a refusal is not remembered";
    EXPECT_EQ(bench.balances(), "0 100");
}

TEST(CouponOperationsTest, IssueSeveralOrNone) {
    testing::TemporaryDirectory directory;
    const testing::RunningParticipant participant(
        std::make_unique<coupon::CouponKind>(), coupon::defaults(), directory.path());
    const auto post = [&](const std::string& path, const Json& body) {
        return testing::post(participant.endpoint(), path, body);
    };
    post("/v1/templates", {{"template_id", "cup"}, {"name", "A cup"}, {"stock", 3}});
    const Json one{{"operation", "create_coupon"},
                   {"payload", {{"template_id", "cup"}, {"user_id", "ann"}}}};
    const Json two = Json::array({one, one});
    const Reply reply = post(operations_path, request("1", two));
    EXPECT_EQ(reply.status, 200U);
    const Reply again = post(operations_path, request("1", two));
    EXPECT_EQ(again.body.at("idempotent"), true);
    EXPECT_EQ(again.body.at("results"), reply.body.at("results")) << "the codes are told again";
    const Reply refused = post(operations_path, request("2", two));
    EXPECT_EQ(refused.status, 409U);
    EXPECT_EQ(refused.body.at("reason"), "out_of_stock");
    EXPECT_EQ(refused.body.at("index"), 1);
    const Json cup = testing::get(participant.endpoint(), "/v1/templates/cup").body;
    EXPECT_EQ(cup.at("issued"), 2);
    EXPECT_EQ(cup.at("available"), 1);
    Json locked = Json::array({one});
    locked[0]["lock_token"] = 1;
    EXPECT_EQ(post(operations_path, request("3", locked)).body.at("field"),
              "operations[0].lock_token");
}

}  // namespace
}  // namespace twophase::participants
