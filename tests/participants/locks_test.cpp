// The pessimistic lock: who gets it, what it forbids, when it ends, and what a crash leaves of it.
#include "tests/participants/router_bench.hpp"

#include <gtest/gtest.h>

namespace twophase::participants {
namespace {

using namespace std::chrono_literals;
using http::Json;
using testing::branch_message;
using testing::deduct;
using testing::gid;
using testing::Pending;
using testing::Reply;
using testing::RouterBench;

const std::string account_path = "/v1/accounts/ann/points";
const std::string lock_path = account_path + "/lock";

struct LockBench : RouterBench {
    LockBench() {
        call("POST", "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        grant("1", 100);
    }
    static std::vector<http::Header> with(std::uint64_t token) {
        return {{"Lock-Token", std::to_string(token)}};
    }
    Pending ask_lock(int lease_ms = 10'000, int wait_ms = 0) {
        return ask("POST", lock_path, {{"lease_ms", lease_ms}, {"wait_ms", wait_ms}});
    }
    /// The token of a lock that must be free.
    std::uint64_t lock(int lease_ms = 10'000) {
        const Pending pending = ask_lock(lease_ms);
        run();
        return token_of(pending);
    }
    static std::uint64_t token_of(const Pending& pending) {
        return pending.status() == 200 ? pending.reply().body.at("lock_token").get<std::uint64_t>()
                                       : 0;
    }
    Reply unlock(std::uint64_t token) { return call("DELETE", lock_path, nullptr, with(token)); }
    Reply grant(const std::string& id,
                std::int64_t amount,
                std::vector<http::Header> headers = {}) {
        return call("POST",
                    account_path + "/grant",
                    {{"amount", amount}, {"business_code", "welcome"}, {"business_id", id}},
                    std::move(headers));
    }
    Reply put(std::int64_t balance, std::vector<http::Header> headers = {}) {
        headers.push_back({"If-Match", account().header("ETag")});
        return call("PUT", account_path, {{"balance", balance}, {"reason", "x"}}, headers);
    }
    Reply account() { return call("GET", account_path); }
    Reply branch(const std::string& verb, int n) {
        Json message = verb == "prepare" || verb == "execute" ? deduct(n, 10)
                                                              : branch_message(gid(n), "credit");
        return call("POST", "/v1/branches/" + verb, message);
    }
};

std::string text(const Reply& reply) {
    return std::to_string(reply.status) + " " + reply.body.value("code", "");
}

TEST(LockTest, AnswersTheAccountWithItsToken) {
    LockBench bench;
    const Reply reply = bench.call("POST", lock_path, {{"lease_ms", 1'500}});
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(reply.body.at("balance"), 100);
    EXPECT_EQ(reply.body.at("lease_ms"), 1'500);
    EXPECT_EQ(reply.header("Lock-Token"), reply.body.at("lock_token").dump());
    EXPECT_EQ(reply.header("ETag"), "\"2\"");
    EXPECT_EQ(bench.account().header("ETag"), "\"2\"") << "a lock is no change of the account";
    const Json audited = bench.call("GET", "/v1/audit").body.at("items").at(0);
    EXPECT_EQ(audited.at("operation"), "lock");
    EXPECT_EQ(audited.at("transaction_id"), reply.header("Lock-Token"));
}

TEST(LockTest, SaysNothingBeforeItIsDurable) {
    LockBench bench;
    const Pending first = bench.ask_lock();
    const Pending second = bench.ask_lock();
    EXPECT_FALSE(first.is_there());
    EXPECT_FALSE(second.is_there()) << "the lock that is in its way may still be lost";
    bench.run();
    EXPECT_EQ(first.status(), 200U);
    EXPECT_EQ(second.status(), 423U);
}

TEST(LockTest, DirectWritesNeedTheTokenWhileItIsHeld) {
    LockBench bench;
    const std::uint64_t stale = bench.lock();
    bench.unlock(stale);
    const std::uint64_t token = bench.lock();
    EXPECT_GT(token, stale);
    const Reply refused = bench.grant("2", 5);
    EXPECT_EQ(text(refused), "423 account-locked");
    EXPECT_EQ(refused.header("Retry-After"), "11");
    EXPECT_EQ(refused.body.at("retry_after_seconds"), 11);
    EXPECT_EQ(text(bench.put(50)), "423 account-locked");
    EXPECT_EQ(text(bench.grant("2", 5, LockBench::with(stale))), "412 stale-lock-token");
    EXPECT_EQ(text(bench.put(50, LockBench::with(token + 1))), "412 stale-lock-token");
    EXPECT_EQ(bench.account().body.at("balance"), 100);
    EXPECT_EQ(bench.grant("2", 5, LockBench::with(token)).status, 200U);
    EXPECT_EQ(bench.put(50, LockBench::with(token)).status, 200U);
    EXPECT_EQ(bench.account().body.at("balance"), 50);
}

TEST(LockTest, ARepeatThatChangesNothingNeedsNoToken) {
    LockBench bench;
    bench.lock();
    const Reply again = bench.grant("1", 100);
    EXPECT_EQ(again.status, 200U);
    EXPECT_EQ(again.body.at("idempotent"), true);
}

TEST(LockTest, ATokenWhoseLockIsOverIsRefused) {
    LockBench bench;
    const std::uint64_t token = bench.lock();
    bench.unlock(token);
    EXPECT_EQ(text(bench.put(50, LockBench::with(token))), "412 stale-lock-token");
    EXPECT_EQ(bench.put(50).status, 200U);
}

TEST(LockTest, RefusesTokensThatAreNone) {
    LockBench bench;
    bench.lock();
    for (const char* token : {"", "x", "-1", "01", "1 ", "1,2", "18446744073709551616", "\"1\""}) {
        const Reply reply = bench.put(50, {{"Lock-Token", token}});
        EXPECT_EQ(reply.status, 400U) << token;
        EXPECT_EQ(reply.body.at("field"), "Lock-Token") << token;
    }
    const Reply twice = bench.put(50, {{"Lock-Token", "1"}, {"lock-token", "1"}});
    EXPECT_EQ(twice.status, 400U);
    EXPECT_EQ(bench.account().body.at("balance"), 100);
}

TEST(LockTest, RefusesNewBranchesButNeverTheEndOfOne) {
    LockBench bench;
    bench.branch("prepare", 1);
    bench.branch("prepare", 2);
    bench.branch("execute", 3);
    bench.lock();
    for (const char* verb : {"prepare", "execute"}) {
        const Reply refused = bench.branch(verb, 4);
        EXPECT_EQ(text(refused), "409 refused") << verb;
        EXPECT_EQ(refused.body.at("reason"), "account_locked") << verb;
    }
    EXPECT_EQ(bench.branch("commit", 1).status, 200U);
    EXPECT_EQ(bench.branch("rollback", 2).status, 200U);
    EXPECT_EQ(bench.branch("compensate", 3).status, 200U);
    EXPECT_EQ(bench.branch("prepare", 1).status, 200U) << "the first answer of what is promised";
    const Json account = bench.account().body;
    EXPECT_EQ(account.at("balance"), 90);
    EXPECT_EQ(account.at("frozen"), 0);
}

TEST(LockTest, ReleasesWithItsTokenOnly) {
    LockBench bench;
    const std::uint64_t token = bench.lock();
    EXPECT_EQ(text(bench.call("DELETE", lock_path)), "428 precondition-required");
    EXPECT_EQ(text(bench.unlock(token + 1)), "412 stale-lock-token");
    EXPECT_EQ(bench.put(50).status, 423U);
    EXPECT_EQ(bench.unlock(token).body, Json({{"released", true}}));
    EXPECT_EQ(bench.put(50).status, 200U);
    const Reply again = bench.unlock(token);
    EXPECT_EQ(again.status, 200U) << "the answer may have been lost";
    EXPECT_EQ(again.body, Json({{"released", false}}));
}

TEST(LockTest, TheLeaseEndsByItself) {
    LockBench bench;
    const std::uint64_t token = bench.lock(2'000);
    bench.pass(1'999ms);
    EXPECT_EQ(bench.put(60).status, 423U);
    EXPECT_EQ(bench.put(60, LockBench::with(token)).status, 200U);
    bench.pass(1ms);
    EXPECT_EQ(text(bench.put(50, LockBench::with(token))), "412 stale-lock-token");
    EXPECT_EQ(bench.put(50).status, 200U);
    EXPECT_EQ(bench.unlock(token).body.at("released"), false);
}

TEST(LockTest, ServesThoseWhoWaitInTheOrderOfTheirComing) {
    LockBench bench;
    const std::uint64_t first = bench.lock();
    const Pending second = bench.ask_lock(5'000, 60'000);
    const Pending third = bench.ask_lock(5'000, 60'000);
    bench.run();
    EXPECT_FALSE(second.is_there() || third.is_there());
    bench.unlock(first);
    EXPECT_GT(LockBench::token_of(second), first);
    EXPECT_FALSE(third.is_there());
    // The second one's client is gone: its lease ends all the same.
    bench.pass(5'000ms);
    EXPECT_GT(LockBench::token_of(third), LockBench::token_of(second));
}

TEST(LockTest, NobodyOvertakesThoseWhoWait) {
    LockBench bench;
    const std::uint64_t first = bench.lock();
    const Pending second = bench.ask_lock(10'000, 60'000);
    const Pending unlocked = bench.ask("DELETE", lock_path, nullptr, LockBench::with(first));
    const Pending impatient = bench.ask_lock();
    bench.run();
    EXPECT_EQ(unlocked.status(), 200U);
    EXPECT_EQ(second.status(), 200U);
    EXPECT_EQ(impatient.status(), 423U);
}

TEST(LockTest, AWaitEndsWith423AndLeavesItsPlace) {
    LockBench bench;
    const std::uint64_t first = bench.lock();
    const Pending second = bench.ask_lock(10'000, 3'000);
    const Pending third = bench.ask_lock(10'000, 60'000);
    bench.pass(2'999ms);
    EXPECT_FALSE(second.is_there());
    bench.pass(1ms);
    ASSERT_TRUE(second.is_there());
    EXPECT_EQ(text(second.reply()), "423 account-locked");
    EXPECT_EQ(second.reply().header("Retry-After"), "7");
    bench.unlock(first);
    EXPECT_EQ(third.status(), 200U);
}

TEST(LockTest, AFullQueueAnswers503) {
    LockBench bench;
    const std::uint64_t token = bench.lock(60'000);
    std::vector<Pending> waiting;
    for (int i = 0; i < 100; ++i) waiting.push_back(bench.ask_lock(1, 60'000));
    const Pending one_more = bench.ask_lock(1, 60'000);
    bench.run();
    ASSERT_TRUE(one_more.is_there());
    EXPECT_EQ(text(one_more.reply()), "503 lock-queue-full");
    EXPECT_EQ(one_more.reply().header("Retry-After"), "1");
    bench.unlock(token);
    bench.pass(100ms);
    std::uint64_t before = token;
    for (const Pending& waiter : waiting) {
        EXPECT_EQ(LockBench::token_of(waiter), before + 1);
        before = LockBench::token_of(waiter);
    }
    EXPECT_EQ(bench.lock(), before + 1);
}

TEST(LockTest, AccountsDoNotWaitForEachOther) {
    LockBench bench;
    bench.lock();
    bench.call("POST", "/v1/accounts", {{"user_id", "bob"}, {"credit_type", "points"}});
    EXPECT_EQ(bench.call("POST", "/v1/accounts/bob/points/lock", {{"lease_ms", 1}}).status, 200U);
    EXPECT_EQ(bench.call("POST", "/v1/accounts/eve/points/lock", {{"lease_ms", 1}}).status, 404U);
    const auto headers = LockBench::with(1);
    EXPECT_EQ(bench.call("DELETE", "/v1/accounts/eve/points/lock", nullptr, headers).status, 404U);
}

TEST(LockTest, RefusesLeasesAndWaitsOutOfBounds) {
    LockBench bench;
    for (const char* body : {R"({"lease_ms":0})",
                             R"({"lease_ms":60001})",
                             R"({"lease_ms":1.5})",
                             R"({"lease_ms":"1"})",
                             R"({"wait_ms":1})",
                             R"({"lease_ms":1,"wait_ms":-1})",
                             R"({"lease_ms":1,"wait_ms":60001})",
                             R"({"lease_ms":1,"token":1})"})
        EXPECT_EQ(bench.call("POST", lock_path, Json::parse(body)).status, 400U) << body;
    EXPECT_EQ(bench.put(50).status, 200U);
}

TEST(LockTest, ALockSurvivesACrashAndItsLeaseBeginsAnew) {
    LockBench bench;
    const std::uint64_t token = bench.lock(10'000);
    bench.pass(9'000ms);
    bench.crash();
    bench.start();
    bench.pass(9'999ms);
    const Reply refused = bench.put(60);
    EXPECT_EQ(refused.status, 423U);
    EXPECT_EQ(bench.put(60, LockBench::with(token)).status, 200U) << "its holder works on";
    EXPECT_EQ(bench.branch("prepare", 1).status, 409U);
    const Pending next = bench.ask_lock(10'000, 60'000);
    bench.run();
    EXPECT_FALSE(next.is_there());
    bench.pass(1ms);
    EXPECT_GT(LockBench::token_of(next), token);
    EXPECT_EQ(bench.put(50, LockBench::with(token)).status, 412U);
}

TEST(LockTest, WhatIsSaidOfALeaseIsRightAfterACrash) {
    LockBench bench;
    bench.lock(10'000);
    bench.pass(9'000ms);
    bench.crash();
    bench.start();
    EXPECT_EQ(bench.grant("2", 1).header("Retry-After"), "11");
}

TEST(LockTest, ALockThatWasNotDurableIsGoneAndWasNotTold) {
    LockBench bench;
    const std::uint64_t before = bench.lock();
    bench.unlock(before);
    const Pending lost = bench.ask_lock();
    bench.crash();
    bench.start();
    bench.run();
    EXPECT_FALSE(lost.is_there());
    EXPECT_EQ(bench.put(50).status, 200U);
    EXPECT_GT(bench.lock(), before) << "tokens grow over restarts";
}

// Whoever keeps the highest token seen must not refuse the next holder, nor take a late writer of
// the lost store for one of this one.
TEST(LockTest, NeitherTokensNorVersionsOfALostStoreAreGivenAgain) {
    LockBench bench;
    bench.back_up();
    const std::uint64_t lost = bench.lock();
    bench.unlock(lost);
    bench.put(50);
    const auto version = [&] {
        return bench.call("GET", account_path).body.at("version").get<std::uint64_t>();
    };
    const std::uint64_t lost_version = version();
    bench.restore();
    EXPECT_EQ(bench.put(70).status, 200U);
    EXPECT_GT(version(), lost_version);
    EXPECT_GT(bench.lock(), lost);
}

TEST(LockTest, AReleaseThatWasNotDurableLeavesItLocked) {
    LockBench bench;
    const std::uint64_t token = bench.lock();
    const Pending lost = bench.ask("DELETE", lock_path, nullptr, LockBench::with(token));
    bench.crash();
    bench.start();
    EXPECT_FALSE(lost.is_there());
    EXPECT_EQ(bench.put(50).status, 423U);
    EXPECT_EQ(bench.unlock(token).body.at("released"), true);
}

TEST(LockTest, AStopSendsThoseWhoWaitAway) {
    LockBench bench;
    bench.lock();
    const Pending waiter = bench.ask_lock(1, 60'000);
    bench.stop();
    EXPECT_EQ(waiter.status(), 503U);
    EXPECT_EQ(bench.ask_lock(1, 60'000).status(), 503U);
}

}  // namespace
}  // namespace twophase::participants
