// Planted damage in credit's books, and healthy books under traffic.
#include "participants/credit/credit_books.hpp"

#include "http/json.hpp"
#include "tests/participants/credit_bench.hpp"
#include "tests/participants/reconciling.hpp"

#include <gtest/gtest.h>

#include <random>

namespace twophase::participants::credit {
namespace {

using testing::CreditBench;
using testing::gid;
using testing::short_texts;
using Texts = std::vector<std::string>;

class CreditBooksTest : public ::testing::Test {
protected:
    /// Writes what Ann's account says, past all rules.
    void plant(const std::function<void(Account&)>& change) {
        Account account = bench.account();
        change(account);
        bench.store.in_unit([&](wal::Unit& unit) {
            write(unit, table("accounts"), "ann/points", account);
            return 0;
        });
    }
    void erase(const char* name, const std::string& key) {
        bench.store.in_unit([&](wal::Unit& unit) {
            unit.erase(table(name), key);
            return 0;
        });
    }
    wal::Table table(const char* name) { return bench.store.table_of()(name); }
    std::vector<Finding> reconcile() {
        return reconciliation.settle(reconciliation.look(), bench.moment);
    }
    /// The operations of the audit's last entries, newest first.
    Texts audited(std::size_t limit) {
        Texts operations;
        for (const std::string& item :
             bench.branches.audit().list(bench.store.batch(), {.limit = limit}).items)
            operations.push_back(http::Json::parse(item).at("operation"));
        return operations;
    }
    http::Json last_audited() {
        return http::Json::parse(
            bench.branches.audit().list(bench.store.batch(), {.limit = 1}).items.at(0));
    }

    CreditBench bench{200};
    CreditBooks books{bench.store.table_of()};
    testing::BenchReconciliation reconciliation{bench.store, bench.branches, books};
};

TEST_F(CreditBooksTest, HealthyBooksAreFoundHealthy) {
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::prepare, gid(2));
    bench.send(Verb::commit, gid(2));
    EXPECT_EQ(short_texts(reconcile()), Texts{});
}

TEST_F(CreditBooksTest, ABalanceWrongBy99IsSetToTheSumOfItsEntries) {
    for (const std::int64_t wrong_by : {99, -99}) {
        plant([&](Account& account) { account.balance += wrong_by; });
        const std::uint64_t version = bench.account().version;
        const auto findings = reconcile();
        ASSERT_EQ(short_texts(findings),
                  Texts{"balance ann/points " + std::to_string(200 + wrong_by) + " 200"});
        EXPECT_TRUE(findings[0].is_corrected);
        EXPECT_EQ(bench.account().balance, 200);
        EXPECT_EQ(bench.account().version, version + 1);
        EXPECT_EQ(audited(2), (Texts{"system_correction", "inconsistency"}));
        EXPECT_EQ(last_audited().at("before_state").at("balance"), 200 + wrong_by);
        EXPECT_EQ(last_audited().at("after_state").at("balance"), 200);
        EXPECT_EQ(short_texts(reconcile()), Texts{});
    }
    EXPECT_EQ(bench.branches.audit().verify(bench.store.batch()), std::nullopt);
}

TEST_F(CreditBooksTest, ABalanceWrongBy100IsToldAndLeftAlone) {
    for (const std::int64_t wrong_by : {100, -100}) {
        plant([&](Account& account) { account.balance = 200 + wrong_by; });
        const std::uint64_t version = bench.account().version;
        const auto findings = reconcile();
        ASSERT_EQ(findings.size(), 1U);
        EXPECT_FALSE(findings[0].is_corrected);
        EXPECT_EQ(bench.account().balance, 200 + wrong_by);
        EXPECT_EQ(bench.account().version, version);
        EXPECT_EQ(audited(1), Texts{"inconsistency"});
        const http::Json detail = last_audited().at("detail");
        EXPECT_EQ(detail.at("account_id"), "1");
        EXPECT_EQ(detail.at("recorded_balance"), 200 + wrong_by);
        EXPECT_EQ(detail.at("calculated_balance"), 200);
        EXPECT_EQ(detail.at("difference"), wrong_by);
    }
    EXPECT_EQ(bench.branches.audit().verify(bench.store.batch()), std::nullopt);
}

// To add up its entries again would hold up every other request meanwhile.
TEST_F(CreditBooksTest, ABalanceOfVeryManyEntriesIsToldAndLeftAlone) {
    const credit::AccountName ann{"ann", "points"};
    bench.store.in_unit([&](wal::Unit& unit) {
        Account account = bench.account();
        for (int i = 0; i < 10'000; ++i) {
            credit::Entry entry;
            entry.amount = 1;
            bench.resource.accounts().post(unit, ann, account, entry, bench.moment);
        }
        return 0;
    });
    plant([](Account& account) { account.balance += 5; });
    const auto findings = reconcile();
    ASSERT_EQ(short_texts(findings), Texts{"balance ann/points 10205 10200"});
    EXPECT_FALSE(findings[0].is_corrected);
    EXPECT_EQ(bench.account().balance, 10'205);
}

TEST_F(CreditBooksTest, ABalanceIsNeverSetBelowWhatIsFrozen) {
    bench.send(Verb::prepare, gid(1), 190);
    bench.store.in_unit([&](wal::Unit& unit) {
        const std::string key = "ann/points/" + key_of(99);
        write(unit, table("entries"), key, Entry{.entry_id = 99, .amount = -20});
        return 0;
    });
    const auto findings = reconcile();
    ASSERT_EQ(short_texts(findings), Texts{"balance ann/points 200 180"});
    EXPECT_FALSE(findings[0].is_corrected);
    EXPECT_EQ(bench.account().balance, 200);
}

TEST_F(CreditBooksTest, NothingIsPutRightWhereNothingMayBe) {
    testing::BenchReconciliation strict(bench.store, bench.branches, books, 0);
    plant([](Account& account) { account.balance += 1; });
    const auto findings = strict.settle(strict.look(), bench.moment);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_FALSE(findings[0].is_corrected);
}

TEST_F(CreditBooksTest, WhatIsFrozenWithoutAHoldIsTold) {
    plant([](Account& account) { account.frozen = 30; });
    EXPECT_EQ(short_texts(reconcile()), Texts{"frozen ann/points 30 0"});
    EXPECT_EQ(bench.account().frozen, 30);
}

TEST_F(CreditBooksTest, RoomThatIsKeptForNobodyIsTold) {
    plant([](Account& account) { account.incoming = 7; });
    EXPECT_EQ(short_texts(reconcile()), Texts{"incoming ann/points 7 0"});
}

TEST_F(CreditBooksTest, WhatIsHeldForNoBranchIsTold) {
    bench.send(Verb::prepare, gid(1));
    erase("branches", gid(1) + "/1");
    erase("in_doubt", gid(1) + "/1");
    EXPECT_EQ(short_texts(reconcile()), Texts{"frozen ann/points 30 0"});
}

TEST_F(CreditBooksTest, APreparedBranchThatHoldsNothingIsTold) {
    bench.send(Verb::prepare, gid(1));
    plant([](Account& account) { account.frozen = 0; });
    EXPECT_EQ(short_texts(reconcile()), Texts{"frozen ann/points 0 30"});
}

TEST_F(CreditBooksTest, APreparedBranchOfNoAccountIsTold) {
    bench.send(Verb::prepare, gid(1));
    erase("accounts", "ann/points");
    EXPECT_EQ(short_texts(reconcile()), Texts{"branch_without_account " + gid(1) + "/1 0 30"});
}

TEST_F(CreditBooksTest, AnEntryThatIsGoneIsTold) {
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    bench.send(Verb::prepare, gid(2));
    bench.send(Verb::commit, gid(2));
    EXPECT_EQ(short_texts(reconcile()), Texts{});
    erase("ledger", key_of(2));
    EXPECT_EQ(short_texts(reconcile()), Texts{"ledger ann/points 140 0"});
}

TEST_F(CreditBooksTest, APreparedBranchThatNobodyAsksAboutIsTold) {
    bench.send(Verb::prepare, gid(1));
    erase("in_doubt", gid(1) + "/1");
    EXPECT_EQ(short_texts(reconcile()),
              (Texts{"frozen ann/points 30 0", "in_doubt_index " + gid(1) + "/1 0 1"}));
}

TEST_F(CreditBooksTest, AnEndedBranchThatCountsAsInDoubtIsTold) {
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    bench.store.in_unit([&](wal::Unit& unit) {
        write(unit, table("in_doubt"), gid(1) + "/1", InDoubt{});
        return 0;
    });
    EXPECT_EQ(short_texts(reconcile()), Texts{"in_doubt_index " + gid(1) + "/1 1 0"});
}

TEST_F(CreditBooksTest, ADamagedRecordIsToldAndHoldsUpNoOther) {
    bench.open_account("bob", 10);
    bench.store.in_unit([&](wal::Unit& unit) {
        unit.put(table("accounts"), "ann/points", "not a record");
        Account bob = read<Account>(unit, table("accounts"), "bob/points").value();
        bob.balance = 11;
        write(unit, table("accounts"), "bob/points", bob);
        return 0;
    });
    EXPECT_EQ(short_texts(reconcile()),
              (Texts{"damaged accounts ann/points 0 0", "balance bob/points 11 10"}));
}

TEST_F(CreditBooksTest, ADifferenceThatIsGoneAtTheSecondLookLeavesNoTrace) {
    plant([](Account& account) { account.balance += 5; });
    const auto seen = reconciliation.look();
    ASSERT_EQ(seen.size(), 1U);
    plant([](Account& account) { account.balance -= 5; });
    const std::size_t audited_before = bench.audited();
    EXPECT_EQ(short_texts(reconciliation.settle(seen, bench.moment)), Texts{});
    EXPECT_EQ(bench.audited(), audited_before);
}

TEST_F(CreditBooksTest, ADamagedAccountRefusesItsOwnBranchesAndEndsNothingElse) {
    bench.send(Verb::prepare, gid(1), 150);
    plant([](Account& account) { account.balance = 100; });  // below what is frozen
    EXPECT_THROW(bench.send(Verb::commit, gid(1)), DamagedRecord);
}

/// Traffic of all kinds between any two pages; the seed makes a failure repeatable.
TEST_F(CreditBooksTest, HealthyBooksUnderTrafficRaiseNothing) {
    constexpr int accounts = 1'200;
    for (int i = 0; i < accounts; ++i) bench.open_account("user" + std::to_string(i), 1'000);
    std::mt19937 random(7);
    int last = 0;
    std::vector<int> prepared;
    const auto operate = [&] {
        for (int i = 0; i < 40; ++i) {
            const std::string user = "user" + std::to_string(random() % accounts);
            if (random() % 2 == 0 || prepared.empty()) {
                Message message =
                    CreditBench::of(random() % 3 == 0 ? Verb::execute : Verb::prepare, gid(++last));
                message.payload = testing::credit_payload(1 + random() % 50, user);
                if (random() % 2 == 0) message.operation = "add_credits";
                EXPECT_EQ(bench.send(message).status, 200U);
                if (message.verb == Verb::prepare)
                    prepared.push_back(last);
                else if (random() % 2 == 0)
                    bench.send(Verb::compensate, gid(last));
            } else {
                std::swap(prepared[random() % prepared.size()], prepared.back());
                bench.send(random() % 2 == 0 ? Verb::commit : Verb::rollback, gid(prepared.back()));
                prepared.pop_back();
            }
        }
    };
    for (int rounds = 0; rounds < 20; ++rounds)
        EXPECT_EQ(short_texts(reconciliation.look(operate)), Texts{});
    EXPECT_GT(reconciliation.pages, 100U);
}

}  // namespace
}  // namespace twophase::participants::credit
