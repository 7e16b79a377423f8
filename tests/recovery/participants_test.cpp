// recoveryctl on participants: reconcile against a running one, verify, backup and restore of a
// stopped one's store.
#include "http/problem.hpp"
#include "participants/branches.hpp"
#include "participants/credit/credit.hpp"
#include "participants/record.hpp"
#include "participants/verify.hpp"
#include "tests/recovery/recoveryctl_support.hpp"
#include "wal/environment.hpp"
#include "wal/store.hpp"

#include <gtest/gtest.h>

namespace twophase::recoveryctl::testing {
namespace {

using namespace participants;

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

http::Response answer(const Json& body) { return http::json_response(body); }

Json report(Json findings, bool is_complete = true) {
    const std::size_t found = findings.size();
    return {{"complete", is_complete},
            {"found", found},
            {"corrected", found},
            {"checked", {{"accounts", 7}}},
            {"compared",
             {{{"coordinator", "main"},
               {"complete", is_complete},
               {"branches", 12},
               {"error", "connection refused"}}}},
            {"findings", std::move(findings)}};
}

TEST(ReconcileTest, WithoutFindingsIsDone) {
    const FakeServer server(answer(report(Json::array())));
    const Ended ended = run({"reconcile", "--participant-url", server.url()});
    EXPECT_EQ(ended.exit_code, 0) << ended.errors;
    EXPECT_EQ(ended.out,
              "accounts: 7 checked\n"
              "coordinator main: 12 branches compared\n"
              "0 findings, 0 corrected\n");
}

TEST(ReconcileTest, ShowsFindingsAndEndsWithOne) {
    const FakeServer server(answer(report({{{"kind", "balance"},
                                            {"subject", "ann/points\x1b"},
                                            {"recorded_balance", 199},
                                            {"calculated_balance", 100},
                                            {"difference", 99},
                                            {"corrected", true}}})));
    const Ended ended = run({"reconcile", "--participant-url", server.url()});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_TRUE(
        has(ended.out, "balance  ann/points\\x1b  199       100       99          corrected\n"))
        << ended.out;
    const Ended in_json = run({"reconcile", "--json", "--participant-url", server.url()});
    EXPECT_EQ(in_json.exit_code, 1);
    EXPECT_EQ(in_json.json().at("found"), 1);
}

TEST(ReconcileTest, WhatCouldNotBeComparedIsNoSuccess) {
    const FakeServer server(answer(report(Json::array(), false)));
    const Ended ended = run({"reconcile", "--participant-url", server.url()});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_TRUE(has(ended.out, "coordinator main: not compared: connection refused\n"))
        << ended.out;
}

TEST(ReconcileTest, SaysWhyItCanNot) {
    EXPECT_EQ(run({"reconcile", "--participant-url", "ftp://x"}).exit_code, 2);
    EXPECT_EQ(run({"reconcile", "--participant-url", "http://127.0.0.1:1"}).exit_code, 2);
    EXPECT_EQ(run({"reconcile", "--accept"}).exit_code, 2) << "without a reason";
    EXPECT_EQ(run({"reconcile", "--reason", "why not"}).exit_code, 2) << "of nothing";
}

TEST(ReconcileTest, AcceptanceIsToldOnItsOwn) {
    const FakeServer server(answer({{"accepted", true}}));
    const Ended ended =
        run({"reconcile", "--accept", "--reason", "looked", "--participant-url", server.url()});
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_EQ(ended.out, "accepted; the restored store is open\n");
}

/// The store of a credit participant with an account and a branch in doubt.
class StoreTest : public ::testing::Test {
protected:
    StoreTest() {
        change([](const TableOf& table_of, wal::Unit& unit) {
            credit::CreditResource resource(table_of);
            const Branches branches(
                {.participant = "credit", .coordinators = {"main"}}, table_of, resource);
            credit::Account ann = resource.accounts().create(unit, {"ann", "points"}, {});
            credit::Entry grant;
            grant.amount = 100;
            resource.accounts().post(unit, {"ann", "points"}, ann, grant, {});
            Message message;
            message.gid = "0190a1b2-0000-7000-8000-000000000001";
            message.branch_id = "1";
            message.participant = "credit";
            message.coordinator = "main";
            message.epoch = 1;
            message.operation = "deduct_credits";
            message.payload = R"({"amount":30,"credit_type":"points","user_id":"ann"})";
            const Moment moment{.microseconds = 1'720'699'775'584'000};
            EXPECT_EQ(branches.handle(unit, message, moment).status, 200U);
            message.gid.back() = '2';
            message.verb = Verb::execute;
            EXPECT_EQ(branches.handle(unit, message, moment).status, 200U);
        });
    }

    void change(const std::function<void(const TableOf&, wal::Unit&)>& work) {
        const credit::CreditKind kind;
        wal::StoreOptions options{.directory = data_, .kind = "credit"};
        options.id = "credit";
        options.tables = tables_of(kind);
        options.map_bytes = std::size_t{1} << 26;
        options.any_filesystem = true;
        wal::Store store(options, [](const std::function<void()>&) {});
        const TableOf table_of = [&](std::string_view name) { return store.table(name); };
        store.submit(
            {.work = [&](wal::Unit& unit) { work(table_of, unit); }, .then = [](wal::Written) {}});
        store.stop();
    }

    Ended verify() const { return run({"verify", "--data", data_}); }
    /// The one thing that verify finds once `work` was done to the store.
    std::string found(const std::function<void(const TableOf&, wal::Unit&)>& work) {
        change(work);
        const Ended ended = verify();
        EXPECT_EQ(ended.exit_code, 1) << ended.errors;
        EXPECT_TRUE(has(ended.out, " 1 findings\n")) << ended.out;
        return ended.out;
    }

    TempDirectory directory_;
    std::string data_ = directory_ / "data";
};

TEST_F(StoreTest, AWholeStoreIsFoundWhole) {
    const Ended ended = verify();
    EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.errors;
    EXPECT_TRUE(has(ended.out, " records checked, 0 findings\n")) << ended.out;
    EXPECT_EQ(run({"verify", "--json", "--data", data_}).json().at("findings"), Json::array());
}

TEST_F(StoreTest, ARecordThatFailsItsChecksumIsFound) {
    EXPECT_TRUE(has(found([](const TableOf& table_of, wal::Unit& unit) {
                        unit.put(table_of("numbers"), "prepare", "nonsense");
                    }),
                    "of numbers is not what was written"));
}

TEST_F(StoreTest, AnEndedIndexThatNamesNoBranchIsFound) {
    EXPECT_TRUE(has(found([](const TableOf& table_of, wal::Unit& unit) {
                        unit.put(
                            table_of("ended"), ended_key({.coordinator = "main"}, "nobody/1"), "");
                    }),
                    "of ended is not what was written"));
}

TEST_F(StoreTest, ABrokenChainOfTheAuditIsFound) {
    EXPECT_TRUE(has(found([](const TableOf& table_of, wal::Unit& unit) {
                        unit.erase(table_of("audit"), key_of(1));
                    }),
                    "entry 1 was removed"));
}

TEST_F(StoreTest, ABalanceThatIsNotTheSumOfItsEntriesIsFound) {
    EXPECT_TRUE(has(found([](const TableOf& table_of, wal::Unit& unit) {
                        auto account =
                            read<credit::Account>(unit, table_of("accounts"), "ann/points").value();
                        account.balance += 5;
                        write(unit, table_of("accounts"), "ann/points", account);
                    }),
                    "balance ann/points: recorded 75, calculated 70"));
}

/// No record that is left fails its checksum: only the links tell.
TEST_F(StoreTest, AnEntryThatIsGoneIsFound) {
    EXPECT_TRUE(has(found([](const TableOf& table_of, wal::Unit& unit) {
                        unit.erase(table_of("ledger"), key_of(1));
                    }),
                    "ledger ann/points: recorded 70"));
}

TEST_F(StoreTest, ABackupIsRestoredWithAHigherEpochAndTheMarkThatClosesIt) {
    const std::string copy = directory_ / "copy";
    const std::string again = directory_ / "again";
    EXPECT_EQ(run({"backup", "--data", data_, "--to", copy}).exit_code, 0);
    EXPECT_TRUE(wal::inspect(copy).is_backup);
    EXPECT_EQ(run({"backup", "--data", data_, "--to", copy}).exit_code, 2) << "it is there already";
    const Ended restored = run({"restore", "--from", copy, "--to", again, "--yes"});
    EXPECT_EQ(restored.exit_code, 0) << restored.errors;
    EXPECT_TRUE(has(restored.out, "start the participant with")) << restored.out;
    const wal::StoreIdentity identity = wal::inspect(again);
    EXPECT_TRUE(identity.was_restored);
    EXPECT_EQ(identity.kind, "credit");
    EXPECT_GE(identity.epoch, wal::inspect(copy).epoch + wal::restored_epochs_ahead);
}

}  // namespace
}  // namespace twophase::recoveryctl::testing
