// A participant that was renamed while a transaction waited for it, with the real programs.
#include "tests/faults/books.hpp"
#include "tests/faults/runbook.hpp"

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

class RenamedParticipantTest : public testing::Test {
protected:
    void SetUp() override {
        fleet_.start_all();
        open_books(fleet_);
    }

    Json participants(const std::vector<std::string>& names_of_coupon) const {
        Json all;
        all["credit"] = {{"endpoint", fleet_.credit.endpoint("/v1/branches")}, {"batch", true}};
        for (const std::string& name : names_of_coupon)
            all[name] = {{"endpoint", fleet_.coupon.endpoint("/v1/branches")}, {"batch", true}};
        return all;
    }
    /// The coordinator on the same log, with other participants.
    Program coordinator(const Json& participants) const {
        return {"coordinator",
                fleet_.folder(),
                {"--participants", participants.dump(), "--retry-initial-ms", "20"}};
    }
    Json exchange(const std::string& id, const std::string& coupon) const {
        return {{"business_code", "exchange"},
                {"business_id", id},
                {"wait_for", "decision"},
                {"branches",
                 {{{"participant", "credit"},
                   {"operation", "deduct_credits"},
                   {"payload", {{"user_id", "u0"}, {"credit_type", "points"}, {"amount", 100}}}},
                  {{"participant", coupon},
                   {"operation", "create_coupon"},
                   {"payload", {{"user_id", "u0"}, {"template_id", "spring"}}}}}}};
    }
    /// Decided, and coupon ends before it hears so.
    std::string strand() {
        fleet_.coupon.kill();
        fleet_.coupon.start("receive-commit");
        EXPECT_TRUE(fleet_.coupon.wait_ready());
        const Json told =
            ask_json(fleet_.coordinator, "POST", "/v1/transactions", exchange("1", "coupon"));
        EXPECT_EQ(told.value("decision", ""), "commit") << told;
        EXPECT_TRUE(fleet_.coupon.wait_end(30s));
        fleet_.coordinator.terminate();
        return told.value("gid", "");
    }
    static bool is_over(const Program& coordinator, const std::string& gid) {
        return ask_json(coordinator, "GET", "/v1/transactions/" + gid).at("state") == "committed";
    }

    Fleet fleet_{quick()};
};

TEST_F(RenamedParticipantTest, WhatWaitsForTheOldNameIsShownAndEndsUnderBoth) {
    const std::string gid = strand();
    const std::string data = fleet_.coupon.data().string();
    const Said renamed =
        recoveryctl({"rename-store", "--data", data, "--to", "stamps", "--reason", "r", "--yes"});
    ASSERT_EQ(renamed.exit_code, 0) << renamed.text;
    fleet_.coupon.start();
    EXPECT_EQ(fleet_.coupon.wait_end(30s)->exit_code, 2) << "it belongs to stamps now";
    fleet_.coupon.set_environment("TWOPHASE_ID", "stamps");
    fleet_.coupon.start();
    ASSERT_TRUE(fleet_.coupon.wait_ready());

    Program without = coordinator(participants({"stamps"}));
    without.start();
    ASSERT_TRUE(without.wait_ready());
    const Said shown = recoveryctl({"show", gid, "--coordinator", without.endpoint()});
    EXPECT_NE(shown.text.find("coupon is no longer configured"), std::string::npos) << shown.text;
    EXPECT_FALSE(is_over(without, gid));
    without.terminate();

    Program with_both = coordinator(participants({"stamps", "coupon"}));
    with_both.start();
    ASSERT_TRUE(with_both.wait_ready());
    EXPECT_TRUE(eventually(30s, [&] { return is_over(with_both, gid); })) << with_both.log_tail();
    const Json later = ask_json(with_both, "POST", "/v1/transactions", exchange("2", "stamps"));
    EXPECT_EQ(later.value("decision", ""), "commit") << later;
    EXPECT_TRUE(
        eventually(30s, [&] { return is_over(with_both, later.at("gid").get<std::string>()); }));
    const Json report = ask_json(fleet_.coupon, "POST", "/v1/reconciliation", Json::object());
    EXPECT_EQ(report.at("complete"), true) << report;
    EXPECT_EQ(report.at("found"), 0) << "the log knows it by its old name, too: " << report;
}

}  // namespace
}  // namespace twophase::faults
