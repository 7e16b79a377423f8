// The real program: killed at each of its crash points, started again, looked at.
#include "tests/participants/bench.hpp"
#include "tests/participants/child.hpp"
#include "tests/participants/running.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace twophase::participants {
namespace {

using http::Json;
using testing::branch_message;
using testing::Child;
using testing::get;
using testing::gid;
using testing::post;
using testing::Reply;

constexpr int killed = 128 + SIGKILL;

class CreditProgram : public ::testing::Test {
protected:
    std::vector<std::string> arguments() const {
        return {"--data",
                directory.path() / "store",
                "--address-file",
                directory.path() / "address",
                "--port",
                "0",
                "--store-max-bytes",
                "268435456",
                "--inquire-after-ms",
                std::to_string(inquire_after_ms),
                "--coordinators",
                Json({{"main", coordinator}}).dump(),
                "--any-filesystem"};
    }
    void start(const std::string& crash_at = "") {
        child.reset();
        std::vector<std::string> environment;
        if (!crash_at.empty()) environment.push_back("TWOPHASE_CRASH_AT=" + crash_at);
        child = std::make_unique<Child>(CREDIT_PARTICIPANT, arguments(), environment);
        ASSERT_TRUE(child->wait_for_line(" is ready"));
    }
    http::Endpoint at() const {
        return http::Endpoint::parse("file:" + (directory.path() / "address").string()).value();
    }
    void open_account() {
        post(at(), "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        post(at(),
             "/v1/accounts/ann/points/grant",
             {{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}});
    }
    Reply send(const std::string& verb) {
        Json message = branch_message(gid(1), "credit");
        if (verb == "prepare") {
            message["operation"] = "deduct_credits";
            message["payload"] = {{"user_id", "ann"}, {"credit_type", "points"}, {"amount", 30}};
        }
        return post(at(), "/v1/branches/" + verb, message);
    }
    /// "balance/frozen".
    std::string account() {
        const Json account = get(at(), "/v1/accounts/ann/points").body;
        return account.at("balance").dump() + "/" + account.at("frozen").dump();
    }
    int audited(const std::string& verb) {
        int count = 0;
        const Json entries = get(at(), "/v1/audit?gid=" + gid(1)).body.at("items");
        for (const Json& entry : entries)
            count += entry.at("verb") == verb && entry.at("success") == true ? 1 : 0;
        return count;
    }
    /// Kills the program at `point` of `verb`, starts it again and asks once more.
    void crash(const std::string& point, const std::string& verb) {
        start(point + "-" + verb);
        open_account();
        if (verb != "prepare") {
            ASSERT_EQ(send("prepare").status, 200U);
        }
        send(verb);
        ASSERT_EQ(child->wait(), killed) << point;
        start();
        ASSERT_EQ(send(verb).status, 200U) << point;
        EXPECT_EQ(audited(verb), 1) << point;
    }

    testing::TemporaryDirectory directory;
    int inquire_after_ms = 3'600'000;
    std::string coordinator = "http://127.0.0.1:1";
    std::unique_ptr<Child> child;
};

class AtEachPoint : public CreditProgram, public ::testing::WithParamInterface<const char*> {
protected:
    void SetUp() override {
#ifndef TWOPHASE_CRASH_POINTS
        GTEST_SKIP() << "this build has no crash points";
#endif
    }
};

// FAULTS P0, P1, P2, P2, P3.
TEST_P(AtEachPoint, OfAPrepareAllOrNothingIsThere) {
    crash(GetParam(), "prepare");
    EXPECT_EQ(account(), "100/30");
    EXPECT_EQ(get(at(), "/v1/branches/in-doubt").body.at("items").size(), 1U);
    EXPECT_EQ(send("commit").status, 200U);
    EXPECT_EQ(account(), "70/0");
}

// FAULTS P4, P5.
TEST_P(AtEachPoint, OfACommitNothingIsDeductedTwice) {
    crash(GetParam(), "commit");
    EXPECT_EQ(account(), "70/0");
    EXPECT_EQ(get(at(), "/v1/accounts/ann/points/entries").body.at("items").size(), 2U);
}

// FAULTS P6.
TEST_P(AtEachPoint, OfARollbackALatePrepareIsRefused) {
    crash(GetParam(), "rollback");
    EXPECT_EQ(account(), "100/0");
    EXPECT_EQ(send("prepare").body.at("code"), "already_rolled_back");
}

INSTANTIATE_TEST_SUITE_P(CreditProgram,
                         AtEachPoint,
                         ::testing::Values("receive", "before", "after", "reply", "replied"));

// FAULTS P7.
TEST_F(CreditProgram, AsksAgainWhenKilledWhileAsking) {
#ifndef TWOPHASE_CRASH_POINTS
    GTEST_SKIP() << "this build has no crash points";
#endif
    const testing::StandInCoordinator stand_in([](const std::string&) {
        http::Response response;
        response.body =
            Json({{"gid", gid(1)}, {"coordinator", "main"}, {"epoch", 1}, {"decision", "commit"}})
                .dump();
        return response;
    });
    coordinator = stand_in.url();
    start();
    open_account();
    ASSERT_EQ(send("prepare").status, 200U);
    inquire_after_ms = 1;
    for (const char* point : {"inquire", "inquired", "before-commit"}) {
        child = std::make_unique<Child>(CREDIT_PARTICIPANT,
                                        arguments(),
                                        std::vector{"TWOPHASE_CRASH_AT=" + std::string(point)});
        EXPECT_EQ(child->wait(), killed) << point;
    }
    start();
    EXPECT_TRUE(testing::eventually([&] { return account() == "70/0"; }));
}

TEST_F(CreditProgram, EndsWellWhenTold) {
    start();
    child->signal(SIGTERM);
    EXPECT_EQ(child->wait(), 0);
}

TEST_F(CreditProgram, RefusesAStoreThatAnotherProcessOwns) {
    start();
    Child second(CREDIT_PARTICIPANT, arguments());
    EXPECT_EQ(second.wait(), 2);
}

TEST_F(CreditProgram, RefusesAnOpenAddressUnlessToldThatItIsInsecure) {
    std::vector<std::string> open = arguments();
    open.insert(open.end(), {"--address", "0.0.0.0"});
    Child refused(CREDIT_PARTICIPANT, open);
    EXPECT_EQ(refused.wait(), 2);
}

}  // namespace
}  // namespace twophase::participants
