// Many clients at once on one account, each between a lock and its release: nothing that was told
// to succeed is lost, and nobody gets in between.
#include "participants/credit/credit.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace twophase::participants {
namespace {

using http::Json;
using testing::get;
using testing::post;
using testing::Reply;
using testing::send;

const std::string account_path = "/v1/accounts/ann/points";
const std::string lock_path = account_path + "/lock";

class LockContentionTest : public ::testing::Test {
protected:
    LockContentionTest() {
        post(at(), "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
    }
    const http::Endpoint& at() { return participant.endpoint(); }
    Reply account() { return get(at(), account_path); }
    Reply grant(const std::string& id, std::int64_t amount) {
        return post(at(),
                    account_path + "/grant",
                    {{"amount", amount}, {"business_code", "rush"}, {"business_id", id}});
    }
    /// Reads and adds under a lock; the token, or 0 when something was not as it must be.
    std::uint64_t add_locked(std::int64_t amount) {
        const Reply locked = post(at(), lock_path, {{"lease_ms", 60'000}, {"wait_ms", 60'000}});
        if (locked.status != 200) return 0;
        const std::vector<http::Header> headers{{"Lock-Token", locked.header("Lock-Token")},
                                                {"If-Match", locked.header("ETag")}};
        const Json body{{"balance", locked.body.at("balance").get<std::int64_t>() + amount},
                        {"reason", "locked"}};
        const Reply put = send(at(), "PUT", account_path, body, headers);
        const Reply released = send(at(), "DELETE", lock_path, nullptr, headers);
        const bool is_well = put.status == 200 && released.status == 200;
        return is_well ? locked.body.at("lock_token").get<std::uint64_t>() : 0;
    }

    static Config config() {
        Config config = credit::defaults();
        config.inquire_after = std::chrono::hours(1);
        return config;
    }
    testing::TemporaryDirectory directory;
    testing::RunningParticipant participant{
        std::make_unique<credit::CreditKind>(), config(), directory.path()};
};

TEST_F(LockContentionTest, NobodyGetsInBetween) {
    constexpr int clients = 8;
    constexpr int updates = 5;
    std::atomic<std::int64_t> told = 0;
    std::atomic<int> troubled = 0;
    std::atomic<bool> is_over = false;
    std::mutex mutex;
    std::set<std::uint64_t> tokens;
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client)
        threads.emplace_back([&, client] {
            for (int n = 0; n < updates; ++n) {
                const std::int64_t amount = client * 10 + n + 1;
                const std::uint64_t token = add_locked(amount);
                if (token == 0) ++troubled;
                if (token != 0) told += amount;
                const std::lock_guard lock(mutex);
                tokens.insert(token);
            }
        });
    // One who asks for no lock: now and then there is none in its way.
    std::atomic<int> turned_away = 0;
    std::thread intruder([&] {
        for (int n = 0; !is_over; ++n) {
            const Reply reply = grant(std::to_string(n), 1'000);
            if (reply.status == 200) told += 1'000;
            if (reply.status == 423) ++turned_away;
            if (reply.status != 200 && reply.status != 423) ++troubled;
        }
    });
    for (std::thread& thread : threads) thread.join();
    is_over = true;
    intruder.join();
    EXPECT_EQ(troubled, 0);
    EXPECT_EQ(tokens.size(), static_cast<std::size_t>(clients * updates)) << "each lock its own";
    EXPECT_EQ(account().body.at("balance"), told.load());
    EXPECT_EQ(grant("last", 1).status, 200U) << "all locks are released";
}

}  // namespace
}  // namespace twophase::participants
