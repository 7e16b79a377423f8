// A branch whose record is damaged is written anew, by what the coordinator's log tells of it.
#include "http/json.hpp"
#include "participants/credit/credit_books.hpp"
#include "tests/participants/credit_bench.hpp"
#include "tests/participants/reconciling.hpp"

#include <gtest/gtest.h>

namespace twophase::participants {
namespace {

using testing::credit_payload;
using testing::CreditBench;
using testing::gid;
using testing::text;

class SettleTest : public ::testing::Test {
protected:
    static BranchEvidence evidence(int n, const char* decision, const char* mode = "two_phase") {
        return {.gid = gid(n),
                .branch_id = "1",
                .participant = "credit",
                .coordinator = "main",
                .mode = mode,
                .decision = decision,
                .vote = mode == std::string("two_phase") ? "prepared" : "executed",
                .operation = "deduct_credits",
                .payload = credit_payload(30),
                .business_code = "order",
                .business_id = gid(n)};
    }
    void damage(int n, const char* table = "branches") {
        const wal::Table at = bench.store.table_of()(table);
        bench.store.batch().put(at, gid(n) + "/1", "damaged");
    }
    Branches::Settlement settle(const BranchEvidence& told) {
        return bench.store.in_unit([&](wal::Unit& unit) {
            return bench.branches.settle(unit, told, "bad block", {.actor = "ann"}, bench.moment);
        });
    }
    std::string refusal(const BranchEvidence& told) { return settle(told).refusal; }
    std::size_t findings() {
        return testing::BenchReconciliation(bench.store, bench.branches, books).look().size();
    }

    CreditBench bench;
    credit::CreditBooks books{bench.store.table_of()};
};

TEST_F(SettleTest, OneThatWasPreparedIsCarriedOutAsTheLogSays) {
    for (const char* decision : {"commit", "rollback"}) {
        const int n = decision == std::string("commit") ? 1 : 2;
        const std::int64_t before = bench.account().balance;
        bench.send(Verb::prepare, gid(n), 30);
        damage(n);
        EXPECT_THROW(bench.send(Verb::commit, gid(n)), DamagedRecord);
        EXPECT_EQ(settle(evidence(n, decision)).refusal, "") << decision;
        EXPECT_EQ(bench.account().frozen, 0);
        EXPECT_EQ(bench.account().balance, n == 1 ? before - 30 : before);
        const Verb repeat = n == 1 ? Verb::commit : Verb::rollback;
        EXPECT_EQ(bench.send(repeat, gid(n)).status, 200U) << "a repeat changes nothing";
        EXPECT_EQ(bench.account().balance, n == 1 ? before - 30 : before);
    }
    EXPECT_EQ(findings(), 0U);
    const http::Json entry = http::Json::parse(
        bench.branches.audit().list(bench.store.batch(), {.gid = gid(1), .limit = 1}).items.at(0));
    EXPECT_EQ(entry.at("operation"), "settle_damaged");
    EXPECT_EQ(entry.at("actor"), "ann");
    EXPECT_EQ(entry.at("detail").at("reason"), "bad block");
    EXPECT_EQ(entry.at("detail").at("state"), "committed");
}

TEST_F(SettleTest, OneThatHadEndedIsWrittenDownAndBooksNothing) {
    bench.send(Verb::prepare, gid(1), 30);
    bench.send(Verb::commit, gid(1));
    bench.send(Verb::execute, gid(2), 30);
    damage(1);
    damage(2);
    EXPECT_EQ(settle(evidence(1, "commit")).refusal, "");
    BranchEvidence executed = evidence(2, "commit", "saga");
    executed.result = R"({"transaction_id":"3"})";
    EXPECT_EQ(settle(executed).refusal, "");
    EXPECT_EQ(bench.account().balance, 40);
    EXPECT_EQ(findings(), 0U);
    EXPECT_EQ(text(bench.send(Verb::commit, gid(1))), "200 committed");
    EXPECT_EQ(text(bench.send(Verb::compensate, gid(2))), "200 compensated");
    EXPECT_EQ(bench.account().balance, 70);
    bench.moment.running_seconds += 10'000;
    Message mark = CreditBench::of(Verb::rollback, gid(9));
    mark.low_water = gid(5);
    bench.send(mark);
    EXPECT_EQ(bench.store.in_unit([&](wal::Unit& unit) {
        return bench.branches.forget(unit, bench.moment, 1'000, 100);
    }),
              2U)
        << "each has its one place among those that ended";
}

TEST_F(SettleTest, WhatTheLogDoesNotTellIsRefusedAndChangesNothing) {
    bench.send(Verb::prepare, gid(1), 30);
    EXPECT_EQ(refusal(evidence(1, "commit")), "not-damaged");
    damage(1);
    const std::size_t audited = bench.audited();
    EXPECT_EQ(refusal(evidence(1, "")), "not-decided");
    EXPECT_EQ(refusal(evidence(1, "commit", "saga")), "contradiction");
    BranchEvidence other = evidence(1, "commit");
    other.coordinator = "second";
    EXPECT_EQ(refusal(other), "wrong-coordinator");
    bench.send(Verb::execute, gid(2), 30);
    damage(2);
    EXPECT_EQ(refusal(evidence(2, "rollback", "saga")), "not-over")
        << "whether it is compensated already nobody knows";
    BranchEvidence by_hand = evidence(2, "rollback", "saga");
    by_hand.end = "by_hand";
    EXPECT_EQ(refusal(by_hand), "ended-by-hand");
    EXPECT_EQ(bench.audited(), audited + 1) << "the execute alone";
    EXPECT_EQ(bench.account().frozen, 30);
}

TEST_F(SettleTest, ADamagedEntryAmongThoseInDoubtIsSettledToo) {
    bench.send(Verb::prepare, gid(1), 30);
    damage(1, "in_doubt");
    EXPECT_EQ(settle(evidence(1, "rollback")).refusal, "");
    EXPECT_EQ(bench.account().frozen, 0);
    EXPECT_EQ(findings(), 0U);
}

TEST_F(SettleTest, ADamagedBranchIsNamedByItsGidAndBranch) {
    std::vector<std::string> named;
    for (const char* table : {"branches", "in_doubt"}) {
        const int n = table == std::string("branches") ? 3 : 4;
        bench.send(Verb::prepare, gid(n), 10);
        damage(n, table);
    }
    testing::BenchReconciliation reconciliation(bench.store, bench.branches, books);
    for (const Finding& finding : reconciliation.look())
        if (finding.kind == "damaged") named.push_back(finding.subject);
    EXPECT_EQ(named, (std::vector{gid(3) + "/1", gid(4) + "/1"})) << "each once";
}

TEST_F(SettleTest, ADamagedEntryOfABranchThatHasEndedGoesAndNothingIsBooked) {
    bench.send(Verb::prepare, gid(1), 30);
    bench.send(Verb::commit, gid(1));
    damage(1, "in_doubt");
    EXPECT_EQ(settle(evidence(1, "rollback")).refusal, "");
    EXPECT_EQ(bench.account().balance, 70);
    EXPECT_EQ(text(bench.send(Verb::commit, gid(1))), "200 committed");
    EXPECT_EQ(findings(), 0U);
}

class AcknowledgedTest : public SettleTest {
protected:
    /// Ann's balance is wrong by more than is put right.
    void spoil(std::int64_t by) {
        bench.store.in_unit([&](wal::Unit& unit) {
            const wal::Table accounts = bench.store.table_of()("accounts");
            auto account = read<credit::Account>(unit, accounts, "ann/points").value();
            account.balance += by;
            write(unit, accounts, "ann/points", account);
            return 0;
        });
    }
    std::vector<Finding> run() {
        testing::BenchReconciliation reconciliation(bench.store, bench.branches, books);
        return reconciliation.settle(reconciliation.look(), bench.moment);
    }
    void acknowledge(const Finding& finding) {
        bench.store.in_unit([&](wal::Unit& unit) {
            Acknowledgements(bench.store.table_of())
                .add(unit, finding, "case 17", {.actor = "ann"}, bench.moment);
            return 0;
        });
    }
};

TEST_F(AcknowledgedTest, AFindingIsQuietUntilItsNumbersChange) {
    spoil(500);
    const std::vector<Finding> first = run();
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].acknowledged, "");
    acknowledge(first[0]);
    const std::size_t audited = bench.audited();
    ASSERT_EQ(run().size(), 1U) << "it is found all the same";
    EXPECT_EQ(run()[0].acknowledged, "case 17");
    EXPECT_EQ(bench.audited(), audited) << "and not written down each hour";
    spoil(1);
    EXPECT_EQ(run()[0].acknowledged, "");
    EXPECT_EQ(bench.audited(), audited + 1);
    spoil(-1);
    EXPECT_EQ(run()[0].acknowledged, "") << "nor is it remembered for numbers that come again";
}

TEST_F(AcknowledgedTest, ASmallDifferenceIsPutRightAllTheSame) {
    spoil(500);
    acknowledge(run()[0]);
    spoil(-450);
    const std::vector<Finding> small = run();
    ASSERT_EQ(small.size(), 1U);
    EXPECT_TRUE(small[0].is_corrected);
    EXPECT_EQ(run().size(), 0U);
}

}  // namespace
}  // namespace twophase::participants
