// A participant's branch whose record is damaged, and findings that a person acknowledges, with the
// real programs.
#include "participants/branches.hpp"
#include "participants/record.hpp"
#include "tests/faults/books.hpp"
#include "tests/faults/credit_store.hpp"
#include "tests/faults/runbook.hpp"
#include "wal/store.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

class DamagedBranchTest : public testing::Test {
protected:
    void SetUp() override {
        fleet_.start_all();
        open_books(fleet_);
    }
    static Json deduction(const std::string& id) {
        return {{"business_code", "order"},
                {"business_id", id},
                {"wait_for", "decision"},
                {"branches",
                 {{{"branch_id", "pay"},
                   {"participant", "credit"},
                   {"operation", "deduct_credits"},
                   {"payload", {{"user_id", "u0"}, {"credit_type", "points"}, {"amount", 100}}}}}}};
    }
    std::string submit(const std::string& id) {
        const Json told = ask_json(fleet_.coordinator, "POST", "/v1/transactions", deduction(id));
        EXPECT_EQ(told.value("decision", ""), "commit") << told;
        return told.value("gid", "");
    }
    std::string state(const std::string& gid) {
        return ask_json(fleet_.coordinator, "GET", "/v1/transactions/" + gid).at("state");
    }
    std::int64_t balance() {
        return ask_json(fleet_.credit, "GET", "/v1/accounts/u0/points").at("balance");
    }
    Json reconcile() {
        return ask_json(fleet_.credit, "POST", "/v1/reconciliation", Json::object());
    }
    void change_credit(const std::function<void(wal::Store&, wal::Unit&)>& change) {
        change_credit_store(fleet_.credit.data(), change);
    }
    void damage(const std::string& gid) {
        change_credit([&](wal::Store& store, wal::Unit& unit) {
            const std::string key = gid + "/pay";
            std::string row(unit.get(store.table("branches"), key).value());
            row.back() ^= 1;
            unit.put(store.table("branches"), key, row);
        });
    }
    Said settle(const std::string& gid) {
        return recoveryctl({"settle-damaged",
                            gid,
                            "--branch",
                            "pay",
                            "--reason",
                            "bad block",
                            "--participant-url",
                            fleet_.credit.endpoint()});
    }

    Fleet fleet_{quick()};
};

TEST_F(DamagedBranchTest, OneInDoubtIsAlertedByNameAndSettledFromTheLogWithAReason) {
    const std::int64_t before = balance();
    fleet_.credit.kill();
    fleet_.credit.start("receive-commit");
    ASSERT_TRUE(fleet_.credit.wait_ready());
    const std::string gid = submit("1");
    ASSERT_TRUE(fleet_.credit.wait_end(30s));
    damage(gid);
    fleet_.credit.start();
    ASSERT_TRUE(fleet_.credit.wait_ready());
    EXPECT_TRUE(eventually(30s, [&] {
        return fleet_.credit.log_tail().find("ALERT damaged_record " + gid + "/pay") !=
               std::string::npos;
    })) << fleet_.credit.log_tail();
    EXPECT_EQ(state(gid), "committing");
    const Said settled = settle(gid);
    EXPECT_EQ(settled.exit_code, 0) << settled.text;
    EXPECT_TRUE(eventually(30s, [&] { return state(gid) == "committed"; }));
    EXPECT_EQ(balance(), before - 100);
    EXPECT_EQ(settle(gid).exit_code, 1) << "it can be read";
    const Json report = reconcile();
    EXPECT_EQ(report.at("found"), 0) << report;
    EXPECT_EQ(report.at("complete"), true);
}

TEST_F(DamagedBranchTest, WhatTheLogDoesNotKnowIsNotSettled) {
    const std::string gid = submit("1");
    ASSERT_TRUE(eventually(30s, [&] { return state(gid) == "committed"; }));
    fleet_.credit.terminate();
    std::string stranger = gid;
    stranger[0] = stranger[0] == '0' ? '1' : '0';
    change_credit([&](wal::Store& store, wal::Unit& unit) {
        unit.put(store.table("branches"), stranger + "/pay", "damaged");
    });
    fleet_.credit.start();
    ASSERT_TRUE(fleet_.credit.wait_ready());
    const Said refused = settle(stranger);
    EXPECT_EQ(refused.exit_code, 1) << refused.text;
    EXPECT_NE(refused.text.find("doesn't know"), std::string::npos) << refused.text;
    EXPECT_GE(reconcile().at("found"), 1);
}

TEST_F(DamagedBranchTest, WhatIsMissingIsShownWithItsPayloadAndCanBeAcknowledged) {
    const std::string gid = submit("1");
    ASSERT_TRUE(eventually(30s, [&] { return state(gid) == "committed"; }));
    expect_quiet(fleet_, 30s);
    fleet_.credit.terminate();
    change_credit([&](wal::Store& store, wal::Unit& unit) {
        unit.erase(store.table("branches"), gid + "/pay");
    });
    fleet_.credit.start();
    ASSERT_TRUE(fleet_.credit.wait_ready());
    const Json report = reconcile();
    ASSERT_EQ(report.at("found"), 1) << report;
    const Json& finding = report.at("findings").at(0);
    EXPECT_EQ(finding.at("kind"), "missing");
    EXPECT_EQ(finding.at("operation"), "deduct_credits");
    EXPECT_EQ(finding.at("payload").at("amount"), 100);
    EXPECT_EQ(finding.at("business_id"), "1");
    const std::string url = fleet_.credit.endpoint();
    const Said shown = recoveryctl({"reconcile", "--participant-url", url});
    EXPECT_EQ(shown.exit_code, 1);
    EXPECT_NE(shown.text.find("has to be booked again: deduct_credits"), std::string::npos)
        << shown.text;
    const auto acknowledge = [&](const std::string& subject) {
        return recoveryctl(
            {"acknowledge", "missing", subject, "--reason", "case 17", "--participant-url", url});
    };
    EXPECT_EQ(acknowledge(gid + "/nothing").exit_code, 1);
    const Said acknowledged = acknowledge(gid + "/pay");
    EXPECT_EQ(acknowledged.exit_code, 0) << acknowledged.text;
    EXPECT_EQ(recoveryctl({"reconcile", "--participant-url", url}).exit_code, 0);
    const Json again = reconcile();
    EXPECT_EQ(again.at("found"), 1) << "it is there all the same";
    EXPECT_EQ(again.at("acknowledged"), 1);
    EXPECT_EQ(again.at("findings").at(0).at("acknowledged"), "case 17");
    const Json audit = ask_json(fleet_.credit, "GET", "/v1/audit?limit=1");
    EXPECT_EQ(audit.at("items").at(0).at("operation"), "acknowledge_finding") << audit;
}

}  // namespace
}  // namespace twophase::faults
