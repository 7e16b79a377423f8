// The runbook of a participant's store that was emptied, copied, doubled or restored, and of a log
// that a participant has never heard of, with the real programs.
#include "tests/faults/books.hpp"
#include "tests/faults/runbook.hpp"

#include <filesystem>

namespace twophase::faults {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class LostStoreTest : public Runbook {
protected:
    /// Coupon's store is another one from now on.
    void start_coupon() {
        coupon_.start();
        ASSERT_TRUE(coupon_.wait_ready());
    }
    void expect_coupon_held() {
        EXPECT_TRUE(eventually(30s, [&] { return !held_for("coupon").empty(); }))
            << coordinator_.log_tail();
        EXPECT_EQ(held_for("credit"), "");
        EXPECT_EQ(refused("new"), "503 participant-held");
        EXPECT_EQ(send_to_credit_alone("while coupon is held").status, 200U);
    }
    void put_back() {
        if (coupon_.is_running()) coupon_.kill();
        fs::remove_all(coupon_.data());
        fs::rename(place("true coupon"), coupon_.data());
        start_coupon();
    }
    void take_away() {
        coupon_.kill();
        fs::rename(coupon_.data(), place("true coupon"));
    }
    Said accept_store() {
        return recoveryctl({"accept-store",
                            "coupon",
                            "--reason",
                            "compared",
                            "--coordinator",
                            coordinator_.endpoint()});
    }
};

TEST_F(LostStoreTest, AnEmptiedOneHoldsItsLaneAloneAndPuttingItBackOpensIt) {
    submit("before");
    take_away();
    start_coupon();
    expect_coupon_held();
    coordinator_.kill();
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    expect_coupon_held();
    EXPECT_EQ(count_in_log(coordinator_, "ALERT other_store coupon"), 1U);
    put_back();
    EXPECT_TRUE(eventually(30s, [&] { return held_for("coupon").empty(); }));
    EXPECT_EQ(submit("after").at("decision"), "commit");
    expect_all_well();
}

TEST_F(LostStoreTest, APersonTakesAnEmptiedOneAsItIs) {
    submit("before");
    take_away();
    start_coupon();
    expect_coupon_held();
    EXPECT_EQ(accept_store().exit_code, 0) << accept_store().text;
    EXPECT_TRUE(eventually(30s, [&] { return held_for("coupon").empty(); }));
    ask_json(coupon_,
             "POST",
             "/v1/templates",
             {{"template_id", "spring"}, {"name", "S"}, {"stock", 10}, {"per_user_limit", 0}});
    EXPECT_TRUE(eventually(30s, [&] {
        const auto answer = send(coordinator_, "after");
        return answer.status == 200;
    }));
    EXPECT_EQ(ask_json(coupon_, "GET", "/v1/templates/spring").at("issued"), 1);
    coordinator_.kill();
    fleet_.start_all();
    EXPECT_EQ(submit("later").at("decision"), "commit") << "it is remembered";
}

// What it promised was written after the copy.
TEST_F(LostStoreTest, AnOldCopyHoldsItsLaneBeforeACommitIsContradicted) {
    submit("before");
    copy_raw(coupon_.data(), place("copy"));
    for (int i = 0; i < 5; ++i) submit(std::to_string(i));
    half_deliver("order");
    take_away();
    copy_raw(place("copy"), coupon_.data());
    proxied_.heal();
    start_coupon();
    expect_coupon_held();
    EXPECT_EQ(count_in_log(coordinator_, "contradict"), 0U) << coordinator_.log_tail();
    put_back();
    EXPECT_TRUE(eventually(30s, [&] { return held_for("coupon").empty(); }));
    expect_all_well();
}

// A start writes as well: its position soon is where the true store had been.
TEST_F(LostStoreTest, AnOldCopyThatLacksOnePromiseAloneHoldsItToo) {
    submit("before");
    expect_quiet(fleet_, 30s);
    copy_raw(coupon_.data(), place("copy"));
    half_deliver("order");
    take_away();
    copy_raw(place("copy"), coupon_.data());
    proxied_.heal();
    start_coupon();
    expect_coupon_held();
    put_back();
    EXPECT_TRUE(eventually(30s, [&] { return held_for("coupon").empty(); }));
    expect_all_well();
}

TEST_F(LostStoreTest, AnOldCopyStaysHeldHoweverOftenItIsStarted) {
    submit("before");
    expect_quiet(fleet_, 30s);
    copy_raw(coupon_.data(), place("copy"));
    for (const char* id : {"1", "2", "3"}) submit(id);
    expect_quiet(fleet_, 30s);
    coordinator_.terminate();
    take_away();
    copy_raw(place("copy"), coupon_.data());
    for (int start = 0; start < 12; ++start) {
        start_coupon();
        coupon_.kill();
    }
    start_coupon();
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    expect_coupon_held();
    put_back();
    EXPECT_TRUE(eventually(30s, [&] { return held_for("coupon").empty(); }));
    expect_all_well();
}

TEST_F(LostStoreTest, OneThatIsThereTwiceHoldsItsLane) {
    submit("before");
    expect_quiet(fleet_, 30s);
    copy_raw(coupon_.data(), place("copy"));
    coupon_.kill();
    start_coupon();
    EXPECT_EQ(submit("first").at("decision"), "commit");
    take_away();
    copy_raw(place("copy"), coupon_.data());
    start_coupon();
    expect_coupon_held();
    put_back();
    EXPECT_TRUE(eventually(30s, [&] { return held_for("coupon").empty(); }));
    expect_all_well();
}

TEST_F(LostStoreTest, AnOrdinaryRestartOfItNeedsNoWord) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(submit(std::to_string(i)).at("decision"), "commit");
        coupon_.kill();
        EXPECT_EQ(recoveryctl({"verify", "--data", coupon_.data().string()}).exit_code, 0);
        start_coupon();
        EXPECT_TRUE(eventually(30s, [&] {
            return send(coordinator_, "again " + std::to_string(i)).status == 200;
        })) << held_for("coupon");
        submit("again " + std::to_string(i));
    }
    EXPECT_EQ(count_in_log(coordinator_, "ALERT"), 0U) << coordinator_.log_tail();
    expect_all_well();
}

TEST_F(LostStoreTest, OneMadeOutOfABackupIsTakenWithoutAWord) {
    submit("before");
    expect_quiet(fleet_, 30s);
    const Json backup = ask_json(coupon_, "POST", "/v1/backups", {{"name", "monday"}});
    take_away();
    const Said said = recoveryctl({"restore",
                                   "--from",
                                   backup.at("backup").get<std::string>(),
                                   "--to",
                                   coupon_.data().string(),
                                   "--yes"});
    ASSERT_EQ(said.exit_code, 0) << said.text;
    start_coupon();
    EXPECT_TRUE(eventually(30s, [&] { return send(coordinator_, "after").status == 200; }))
        << held_for("coupon") << coordinator_.log_tail();
    submit("after");
    EXPECT_EQ(count_in_log(coordinator_, "ALERT other_store"), 0U);
    EXPECT_EQ(count_in_log(coordinator_, "ALERT old_store"), 0U);
    expect_all_well();
    // The lost one turns up.
    coupon_.kill();
    fs::rename(coupon_.data(), place("restored coupon"));
    fs::rename(place("true coupon"), coupon_.data());
    start_coupon();
    expect_coupon_held();
}

// --- first use ---

class FirstUseTest : public testing::Test {
protected:
    static Json forged(const std::string& log) {
        return {{"gid", "01936b1c-3a70-7000-8001-5e2a7b4c0001"},
                {"branch_id", "1"},
                {"participant", "credit"},
                {"coordinator", "main"},
                {"epoch", 1},
                {"log", log},
                {"start", log},
                {"position", 1'000'000},
                {"operation", "deduct_credits"},
                {"payload", {{"user_id", "u0"}, {"credit_type", "points"}, {"amount", 100}}},
                {"business_code", "forged"},
                {"business_id", "1"}};
    }
    Json known() {
        return ask_json(fleet_.credit, "GET", "/v1/branches/in-doubt?coordinator=main").at("known");
    }
    Json exchange(const char* id) {
        const auto answer = ask(fleet_.coordinator,
                                "POST",
                                "/v1/transactions",
                                Load::request_of({.business_id = id, .user = "u0", .price = 100}));
        return Json::parse(answer.body, nullptr, false);
    }
    Fleet fleet_{quick()};
};

TEST_F(FirstUseTest, AForgedMessageOfAnUnknownLogPinsNothing) {
    fleet_.credit.start();
    ASSERT_TRUE(fleet_.credit.wait_ready());
    const std::string log(32, 'a');
    for (const char* verb : {"prepare", "execute", "rollback", "compensate"}) {
        const auto answer =
            ask(fleet_.credit, "POST", std::string("/v1/branches/") + verb, forged(log));
        EXPECT_EQ(answer.status, 503U) << answer.body;
        EXPECT_EQ(Json::parse(answer.body).at("code"), "unconfirmed-log");
    }
    EXPECT_TRUE(known().is_null()) << known();
    fleet_.start_all();
    open_books(fleet_);
    EXPECT_EQ(exchange("1").at("decision"), "commit");
    EXPECT_EQ(known().at("log"), ask_json(fleet_.coordinator, "GET", "/v1/log").at("log"));
    const auto answer = ask(fleet_.credit, "POST", "/v1/branches/prepare", forged(log));
    EXPECT_EQ(answer.status, 409U) << answer.body;
    EXPECT_EQ(Json::parse(answer.body).at("code"), "other_log");
    EXPECT_EQ(exchange("2").at("decision"), "commit");
}

TEST_F(FirstUseTest, AForgottenLogIsAuditedAndLetsTheNextConfirmedOneIn) {
    fleet_.start_all();
    open_books(fleet_);
    EXPECT_EQ(exchange("1").at("decision"), "commit");
    expect_quiet(fleet_, 30s);
    fleet_.coordinator.terminate();
    std::filesystem::remove_all(fleet_.coordinator.data());
    fleet_.coordinator.start();
    const auto ending = fleet_.coordinator.wait_end(30s);
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->exit_code, 6);
    for (const Program* each : {&fleet_.credit, &fleet_.coupon}) {
        const Said said = recoveryctl(
            {"forget-log", "--participant-url", each->endpoint(), "--reason", "a demo"});
        EXPECT_EQ(said.exit_code, 0) << said.text;
        const Json entry = ask_json(*each, "GET", "/v1/audit?limit=1").at("items").at(0);
        EXPECT_EQ(entry.at("operation"), "forget_log") << entry;
        EXPECT_EQ(entry.at("detail").at("reason"), "a demo") << entry;
    }
    fleet_.start_all();
    EXPECT_EQ(exchange("2").at("decision"), "commit");
    expect_quiet(fleet_, 30s);
    EXPECT_EQ(ask_json(fleet_.coupon, "GET", "/v1/templates/spring").at("issued"), 2);
}

}  // namespace
}  // namespace twophase::faults
