// The optimistic lock over HTTP: a balance is set on top of the version that was seen.
#include "participants/credit/credit.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
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
using testing::send;

const std::string account_path = "/v1/accounts/ann/points";

class AdjustmentTest : public ::testing::Test {
protected:
    AdjustmentTest() {
        post(at(), "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        post(at(),
             account_path + "/grant",
             {{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}});
    }
    const http::Endpoint& at() { return participant.endpoint(); }
    Reply put(const Json& body, const std::string& if_match) {
        return send(at(), "PUT", account_path, body, {{"If-Match", if_match}});
    }
    Reply put(std::int64_t balance, const std::string& if_match) {
        return put({{"balance", balance}, {"reason", "counted"}}, if_match);
    }
    Reply account() { return get(at(), account_path); }
    Json entries() { return get(at(), account_path + "/entries").body.at("items"); }
    Json audit() { return get(at(), "/v1/audit?user_id=ann").body.at("items"); }

    static Config config() {
        Config config = credit::defaults();
        config.inquire_after = std::chrono::hours(1);
        return config;
    }
    testing::TemporaryDirectory directory;
    testing::RunningParticipant participant{
        std::make_unique<credit::CreditKind>(), config(), directory.path()};
};

TEST_F(AdjustmentTest, SetsTheBalanceOnTopOfTheVersionSeen) {
    EXPECT_EQ(account().header("ETag"), "\"2\"");
    const Reply reply = put(70, "\"2\"");
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(reply.body.at("balance"), 70);
    EXPECT_EQ(reply.header("ETag"), "\"3\"");
    const Json entry = entries().at(0);
    EXPECT_EQ(entry.at("kind"), "adjustment");
    EXPECT_EQ(entry.at("amount"), -30);
    EXPECT_EQ(entry.at("balance_after"), 70);
    EXPECT_EQ(entry.at("reason"), "counted");
    const Json audited = audit().at(0);
    EXPECT_EQ(audited.at("operation"), "adjust");
    EXPECT_EQ(audited.at("success"), true);
    EXPECT_EQ(audited.at("amount"), -30);
    EXPECT_EQ(audited.at("transaction_id"), entry.at("entry_id"));
    EXPECT_EQ(audited.at("before_state"), Json({{"balance", 100}, {"frozen_amount", 0}}));
    EXPECT_EQ(audited.at("after_state"), Json({{"balance", 70}, {"frozen_amount", 0}}));
}

TEST_F(AdjustmentTest, RefusesAVersionThatIsNotTheCurrentOne) {
    put(70, "\"2\"");
    for (const char* tag : {"\"2\"", "\"1\"", "\"0\"", "\"4\"", "\"18446744073709551615\""}) {
        const Reply reply = put(10, tag);
        EXPECT_EQ(reply.status, 412U) << tag;
        EXPECT_EQ(reply.body.at("code"), "concurrent-modification");
        EXPECT_EQ(reply.body.at("current_version"), 3);
        EXPECT_EQ(reply.header("ETag"), "\"3\"");
    }
    EXPECT_EQ(account().body.at("balance"), 70);
    EXPECT_EQ(audit().at(0).at("code"), "concurrent-modification");
}

TEST_F(AdjustmentTest, AsksForThePrecondition) {
    const Reply reply = send(at(), "PUT", account_path, {{"balance", 70}, {"reason", "counted"}});
    EXPECT_EQ(reply.status, 428U);
    EXPECT_EQ(account().body.at("balance"), 100);
}

TEST_F(AdjustmentTest, RefusesAMalformedPrecondition) {
    for (const char* tag : {"2",
                            "*",
                            "W/\"2\"",
                            "\"2\", \"3\"",
                            "\"\"",
                            "\"",
                            "\"02\"",
                            "\"+2\"",
                            "\"-2\"",
                            "\"2.0\"",
                            "\" 2\"",
                            "\"two\"",
                            "\"18446744073709551616\"",
                            "\"2\"\"2\""}) {
        const Reply reply = put(70, tag);
        EXPECT_EQ(reply.status, 400U) << tag;
        EXPECT_EQ(reply.body.at("field"), "If-Match") << tag;
    }
    EXPECT_EQ(account().body.at("balance"), 100);
}

TEST_F(AdjustmentTest, RefusesBalancesThatAreNone) {
    for (const char* balance : {"-1", "1.5", "1.0", "\"5\"", "null", "1e3", "9000000000000001"}) {
        Json body = Json::parse(R"({"reason":"counted","balance":)" + std::string(balance) + "}");
        const Reply reply = put(body, "\"2\"");
        EXPECT_EQ(reply.status, 400U) << balance;
        EXPECT_EQ(reply.body.at("field"), "balance") << balance;
    }
    EXPECT_EQ(put({{"balance", 1}}, "\"2\"").body.at("field"), "reason");
    EXPECT_EQ(put({{"balance", 1}, {"reason", ""}}, "\"2\"").body.at("field"), "reason");
    const Json more{{"balance", 1}, {"reason", "x"}, {"frozen", 0}};
    EXPECT_EQ(put(more, "\"2\"").body.at("field"), "frozen");
    EXPECT_EQ(account().header("ETag"), "\"2\"");
}

TEST_F(AdjustmentTest, OneEntryChangesABalanceByABoundedAmount) {
    EXPECT_EQ(put(credit::most_amount + 101, "\"2\"").body.at("code"), "difference_too_large");
    EXPECT_EQ(put(credit::most_amount + 100, "\"2\"").status, 200U);
    EXPECT_EQ(put(credit::most_balance, "\"3\"").status, 422U);
    EXPECT_EQ(put(99, "\"3\"").status, 422U);
    EXPECT_EQ(put(100, "\"3\"").status, 200U);
}

TEST_F(AdjustmentTest, NeverGoesBelowWhatIsFrozen) {
    post(at(), "/v1/branches/prepare", deduct(1, 30));
    const Reply reply = put(29, "\"3\"");
    EXPECT_EQ(reply.status, 422U);
    EXPECT_EQ(reply.body.at("code"), "below_frozen");
    EXPECT_EQ(put(30, "\"3\"").status, 200U);
    EXPECT_EQ(post(at(), "/v1/branches/commit", branch_message(gid(1), "credit")).status, 200U);
    EXPECT_EQ(account().body.at("balance"), 0);
}

TEST_F(AdjustmentTest, LeavesTheRoomThatAnAdditionWasPromised) {
    for (int step = 1; step <= 8; ++step)
        ASSERT_EQ(put(step * credit::most_amount, "\"" + std::to_string(step + 1) + "\"").status,
                  200U);
    Json add = deduct(1, credit::most_amount);
    add["operation"] = "add_credits";
    ASSERT_EQ(post(at(), "/v1/branches/prepare", add).status, 200U);
    const Reply reply = put(8 * credit::most_amount + 1, "\"10\"");
    EXPECT_EQ(reply.status, 422U);
    EXPECT_EQ(reply.body.at("code"), "balance_ceiling");
    EXPECT_EQ(post(at(), "/v1/branches/commit", branch_message(gid(1), "credit")).status, 200U);
    EXPECT_EQ(account().body.at("balance"), credit::most_balance);
}

TEST_F(AdjustmentTest, NoDifferenceChangesNothing) {
    const std::size_t audited = audit().size();
    const Reply reply = put(100, "\"2\"");
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(reply.header("ETag"), "\"2\"");
    EXPECT_EQ(entries().size(), 1U);
    EXPECT_EQ(audit().size(), audited);
    EXPECT_EQ(put(100, "\"1\"").status, 412U) << "the version counts all the same";
}

TEST_F(AdjustmentTest, KnowsNoOtherAccount) {
    const Json body{{"balance", 1}, {"reason", "x"}};
    EXPECT_EQ(send(at(), "PUT", "/v1/accounts/bob/points", body, {{"If-Match", "\"1\""}}).status,
              404U);
    EXPECT_EQ(send(at(), "PUT", "/v1/accounts/a%00b/points", body, {{"If-Match", "\"1\""}}).status,
              400U);
}

// Each reads, adds its amount to what it saw and writes it back, and tries again when told that
// somebody was faster: nothing that was told to succeed is lost.
TEST_F(AdjustmentTest, NoUpdateIsLostUnderContention) {
    constexpr int clients = 8;
    constexpr int updates = 5;
    std::atomic<std::int64_t> told = 0;
    std::atomic<int> conflicts = 0;
    std::barrier all_have_read(clients);
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client)
        threads.emplace_back([&, client] {
            bool is_first = true;
            for (int done = 0; done < updates;) {
                const Reply seen = account();
                if (std::exchange(is_first, false)) all_have_read.arrive_and_wait();
                const std::int64_t amount = client * 10 + done + 1;
                const std::int64_t wanted = seen.body.at("balance").get<std::int64_t>() + amount;
                const Reply reply = put(wanted, seen.header("ETag"));
                if (reply.status == 200) {
                    told += amount;
                    ++done;
                } else {
                    ASSERT_EQ(reply.status, 412U);
                    ++conflicts;
                }
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(account().body.at("balance"), 100 + told);
    EXPECT_EQ(account().body.at("version"), 2 + clients * updates);
    EXPECT_GE(conflicts, clients - 1) << "of those that began on one version, one succeeds";
    std::int64_t sum = 0;
    const Json all = get(at(), account_path + "/entries?limit=500").body.at("items");
    for (const Json& entry : all) sum += entry.at("amount").get<std::int64_t>();
    EXPECT_EQ(sum, 100 + told);
}

}  // namespace
}  // namespace twophase::participants
