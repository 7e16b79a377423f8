// Planted damage in coupon's books.
#include "participants/coupon/coupon_books.hpp"

#include "participants/coupon/coupon_resource.hpp"
#include "participants/direct_calls.hpp"
#include "participants/operations.hpp"
#include "tests/participants/reconciling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

namespace twophase::participants::coupon {
namespace {

using testing::gid;
using testing::message;
using testing::short_texts;
using Texts = std::vector<std::string>;

std::vector<std::string> all_tables() {
    std::vector<std::string> tables = branch_tables();
    std::ranges::copy(Stock::tables(), std::back_inserter(tables));
    std::ranges::copy(DirectCalls::tables(), std::back_inserter(tables));
    return tables;
}

class CouponBooksTest : public ::testing::Test {
protected:
    CouponBooksTest() {
        store.in_unit([&](wal::Unit& unit) {
            resource.stock().save(unit, "cup", {.stock = 10});
            return 0;
        });
    }
    void send(Verb verb, int n) {
        Message sent = message(verb, gid(n), "coupon");
        if (begins_work(verb)) {
            sent.operation = "create_coupon";
            sent.payload = R"({"template_id":"cup","user_id":"ann"})";
        }
        const Answer answer =
            store.in_unit([&](wal::Unit& unit) { return branches.handle(unit, sent, moment); });
        EXPECT_EQ(answer.status, 200U) << answer.code;
    }
    void operate(const std::string& business_id) {
        const OperationsRequest request{
            .business_code = "gift",
            .business_id = business_id,
            .operations = {{.name = "create_coupon",
                            .payload = R"({"template_id":"cup","user_id":"ann"})"}},
            .canonical = business_id};
        store.in_unit([&](wal::Unit& unit) {
            EXPECT_FALSE(operations.carry_out(unit, request, {}, moment).refusal);
            return 0;
        });
    }
    void plant(const std::function<void(Template&)>& change) {
        store.in_unit([&](wal::Unit& unit) {
            Template cup = resource.stock().find(unit, "cup").value();
            change(cup);
            write(unit, table("templates"), "cup", cup);
            return 0;
        });
    }
    void plant_coupon(const std::string& code, const Coupon& coupon) {
        plant([&](Template& cup) {
            ++(coupon.state == CouponState::issued ? cup.issued : cup.reserved);
        });
        store.in_unit([&](wal::Unit& unit) {
            write(unit, table("coupons"), code, coupon);
            return 0;
        });
    }
    void erase(const char* name, const std::string& key) {
        store.in_unit([&](wal::Unit& unit) {
            unit.erase(table(name), key);
            return 0;
        });
    }
    wal::Table table(const char* name) { return store.table_of()(name); }
    Texts reconcile() { return short_texts(reconciliation.settle(reconciliation.look(), moment)); }

    testing::OpenStore store{all_tables()};
    int made = 0;
    CouponResource resource{store.table_of(),
                            [this](const Moment&) { return "CODE" + std::to_string(++made); }};
    Branches branches{
        {.participant = "coupon", .coordinators = {"main"}}, store.table_of(), resource};
    Operations operations{resource, branches.audit(), store.table_of()};
    CouponBooks books{store.table_of()};
    testing::BenchReconciliation reconciliation{store, branches, books};
    Moment moment{.microseconds = 1'720'699'775'584'000, .running_seconds = 1};
};

TEST_F(CouponBooksTest, HealthyBooksAreFoundHealthy) {
    send(Verb::prepare, 1);
    send(Verb::prepare, 2);
    send(Verb::commit, 2);
    send(Verb::execute, 3);
    send(Verb::execute, 4);
    send(Verb::compensate, 4);
    operate("1");
    EXPECT_EQ(reconcile(), Texts{});
}

TEST_F(CouponBooksTest, StockOffByOneIsToldAndLeftAlone) {
    send(Verb::prepare, 1);
    send(Verb::execute, 2);
    plant([](Template& cup) { ++cup.issued; });
    EXPECT_EQ(reconcile(), Texts{"stock cup 2 1"});
    plant([](Template& cup) { --cup.issued, --cup.reserved; });
    EXPECT_EQ(reconcile(), Texts{"stock cup 0 1"});
    EXPECT_EQ(reconcile(), Texts{"stock cup 0 1"});
}

TEST_F(CouponBooksTest, ACouponWithoutABranchIsTold) {
    plant_coupon("PLANTED",
                 {.state = CouponState::issued,
                  .template_id = "cup",
                  .user_id = "ann",
                  .gid = gid(5),
                  .branch_id = "1"});
    EXPECT_EQ(reconcile(), Texts{"coupon_without_branch PLANTED 1 0"});
}

TEST_F(CouponBooksTest, ACouponOfAnotherBranchIsTold) {
    send(Verb::execute, 1);
    plant_coupon("PLANTED",
                 {.state = CouponState::issued,
                  .template_id = "cup",
                  .user_id = "ann",
                  .gid = gid(1),
                  .branch_id = "1"});
    EXPECT_EQ(reconcile(), Texts{"coupon_without_branch PLANTED 1 0"});
}

TEST_F(CouponBooksTest, ACouponThatNoDirectCallMadeIsTold) {
    operate("1");
    plant_coupon("PLANTED", {.state = CouponState::issued, .template_id = "cup", .user_id = "ann"});
    EXPECT_EQ(reconcile(), Texts{"coupon_without_call direct calls 2 1"});
}

TEST_F(CouponBooksTest, ABranchThatIsForgottenLeavesItsCouponInPeace) {
    send(Verb::execute, 1);
    erase("branches", gid(1) + "/1");
    EXPECT_EQ(reconcile(), Texts{"coupon_without_branch CODE1 1 0"});
    store.in_unit([&](wal::Unit& unit) {
        write(unit, table("coordinators"), "main", Coordinator{.forgotten_up_to = gid(1)});
        return 0;
    });
    EXPECT_EQ(reconcile(), Texts{});
}

TEST_F(CouponBooksTest, ABranchWithoutItsCouponIsTold) {
    send(Verb::execute, 1);
    erase("coupons", "CODE1");
    plant([](Template& cup) { --cup.issued; });
    EXPECT_EQ(reconcile(), Texts{"branch_without_coupon " + gid(1) + "/1 0 1"});
}

TEST_F(CouponBooksTest, AnIssuedCouponThatIsGoneIsTold) {
    send(Verb::prepare, 1);
    send(Verb::commit, 1);
    EXPECT_EQ(reconcile(), Texts{});
    erase("coupons", "CODE1");
    plant([](Template& cup) { --cup.issued; });
    EXPECT_EQ(
        reconcile(),
        (Texts{"issued_without_coupon CODE1 1 0", "branch_without_coupon " + gid(1) + "/1 0 1"}));
}

TEST_F(CouponBooksTest, ACommittedBranchWhoseCouponIsNotIssuedIsTold) {
    send(Verb::prepare, 1);
    send(Verb::commit, 1);
    erase("issued", key_of(1));
    const Texts found = reconcile();
    EXPECT_EQ(found,
              (Texts{"stock cup 1 0",
                     "stock cup 0 1",
                     "coupon_without_branch CODE1 1 0",
                     "branch_without_coupon " + gid(1) + "/1 0 1"}));
}

/// An earlier build wrote the state into the coupon's own row.
TEST_F(CouponBooksTest, ACouponThatAnEarlierBuildIssuedIsIssued) {
    send(Verb::prepare, 1);
    send(Verb::commit, 1);
    const auto now = resource.stock().find_coupon(Rows(store.batch()), "CODE1");
    ASSERT_TRUE(now);
    EXPECT_EQ(now->state, CouponState::issued);
    EXPECT_EQ(now->issued_at, moment.microseconds);
    erase("issued", key_of(1));
    store.in_unit([&](wal::Unit& unit) {
        write(unit, table("coupons"), "CODE1", *now);
        return 0;
    });
    EXPECT_EQ(reconcile(), Texts{});
}

TEST_F(CouponBooksTest, HealthyBooksUnderTrafficRaiseNothing) {
    plant([](Template& cup) { cup.stock = 100'000; });
    for (int i = 1; i <= 1'200; ++i) send(i % 2 == 0 ? Verb::prepare : Verb::execute, i);
    int ended = 0;
    int begun = 2'000;
    const auto operate_on = [&] {
        for (int i = 0; i < 5; ++i) {
            send(Verb::execute, ++begun);
            ++ended;
            if (ended > 1'200) return;
            send(ended % 2 != 0   ? Verb::compensate
                 : ended % 4 == 0 ? Verb::commit
                                  : Verb::rollback,
                 ended);
        }
        operate(std::to_string(begun));
    };
    for (int rounds = 0; rounds < 10; ++rounds)
        EXPECT_EQ(short_texts(reconciliation.look(operate_on)), Texts{});
    EXPECT_GT(reconciliation.pages, 60U);
}

}  // namespace
}  // namespace twophase::participants::coupon
