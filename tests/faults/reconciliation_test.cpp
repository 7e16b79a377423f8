// Participants against each other's books and the coordinator's log, with the real programs.
#include "participants/branches.hpp"
#include "participants/record.hpp"
#include "tests/faults/books.hpp"
#include "tests/faults/credit_store.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"
#include "wal/environment.hpp"
#include "wal/store.hpp"
#include "wal/store_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <set>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;
using participants::Branch;
using participants::BranchState;
using Texts = std::vector<std::string>;

class ReconciliationTest : public testing::Test {
protected:
    void SetUp() override {
        fleet_.start_all();
        open_books(fleet_);
    }

    void exchange(std::size_t exchanges) {
        Load load(fleet_.coordinator, {.clients = 16, .most_exchanges = exchanges});
        load.start();
        EXPECT_TRUE(eventually(120s, [&] { return load.answered() >= exchanges; }));
        EXPECT_TRUE(load.finish(30s));
        expect_quiet(fleet_, 30s);
    }

    static Json reconcile(const Program& program) {
        return ask_json(program, "POST", "/v1/reconciliation", Json::object());
    }

    /// "kind gid/branch", sorted.
    static Texts found(const Json& report) {
        Texts texts;
        for (const Json& finding : report.at("findings"))
            texts.push_back(finding.at("kind").get<std::string>() + " " +
                            finding.at("gid").get<std::string>() + "/" +
                            finding.at("branch_id").get<std::string>());
        std::ranges::sort(texts);
        return texts;
    }

    void change_credit(const std::function<void(wal::Store&, wal::Unit&)>& change) {
        change_credit_store(fleet_.credit.data(), change);
    }

    void damage_coordinator() {
        change_credit([](wal::Store& store, wal::Unit& unit) {
            std::string row(unit.get(store.table("coordinators"), "main").value());
            row.back() ^= 1;
            unit.put(store.table("coordinators"), "main", row);
        });
    }

    /// The keys of credit's committed branches.
    static Texts committed(const wal::Store& store, const wal::Unit& unit) {
        Texts keys;
        unit.scan(
            store.table("branches"), "", "", [&](std::string_view key, std::string_view value) {
                if (participants::decode<Branch>(key, value).state == BranchState::committed)
                    keys.emplace_back(key);
                return true;
            });
        return keys;
    }

    static Branch branch_at(const wal::Store& store, wal::Unit& unit, const std::string& key) {
        return participants::read<Branch>(unit, store.table("branches"), key).value();
    }

    Fleet fleet_{quick(5s, 1s)};
};

TEST_F(ReconciliationTest, HealthyProgramsUnderTrafficRaiseNothing) {
    Load load(fleet_.coordinator, {.clients = 16, .most_exchanges = 2'000});
    load.start();
    int runs = 0;
    for (; runs < 200 && (load.answered() < 2'000 || runs < 5); ++runs)
        for (const Program* program : {&fleet_.credit, &fleet_.coupon}) {
            const Json report = reconcile(*program);
            EXPECT_EQ(report.at("complete"), true) << report;
            EXPECT_EQ(report.at("found"), 0) << report;
        }
    EXPECT_TRUE(load.finish(60s));
    expect_quiet(fleet_, 30s);
    const Json report = reconcile(fleet_.credit);
    EXPECT_EQ(report.at("found"), 0) << report;
    // A page of comparison is 500 branches and 200 transactions at most: this took several.
    EXPECT_GE(report.at("compared").at(0).at("branches"), 1'600) << report;
    EXPECT_EQ(report.at("checked").at("accounts"), Load::users + 1);
    EXPECT_EQ(ask_json(fleet_.credit, "GET", "/v1/reconciliation").at("found"), 0);
}

TEST_F(ReconciliationTest, BranchesThatAreMissingDoubledUnknownAndDifferentAreFound) {
    exchange(300);
    fleet_.credit.terminate();
    Texts expected;
    change_credit([&](wal::Store& store, wal::Unit& unit) {
        const wal::Table branches = store.table("branches");
        const Texts keys = committed(store, unit);
        ASSERT_GE(keys.size(), 200U);
        expected = {"missing " + keys[10], "different " + keys[20]};
        unit.erase(branches, keys[10]);
        Branch branch = branch_at(store, unit, keys[20]);
        branch.state = BranchState::rolled_back;
        participants::write(unit, branches, keys[20], branch);
        const auto [gid, branch_id] = participants::split_branch_key(keys[30]);
        const Branch copy = branch_at(store, unit, keys[30]);
        const std::string doubled = participants::branch_key(gid, "9");
        expected.push_back("doubled " + doubled);
        participants::write(unit, branches, doubled, copy);
        // Of the same coordinator and moment, and nobody's.
        std::string stranger = gid;
        for (std::size_t i = 24; i < 32; ++i) stranger[i] = stranger[i] == '0' ? '1' : '0';
        const std::string unknown = participants::branch_key(stranger, branch_id);
        expected.push_back("unknown " + unknown);
        participants::write(unit, branches, unknown, copy);
    });
    std::ranges::sort(expected);
    fleet_.start_all();
    const Json report = reconcile(fleet_.credit);
    EXPECT_EQ(found(report), expected) << report;
    EXPECT_EQ(report.at("complete"), true) << report;
    EXPECT_EQ(report.at("corrected"), 0);
    EXPECT_EQ(reconcile(fleet_.coupon).at("found"), 0);
}

TEST_F(ReconciliationTest, ADamagedRowOfACoordinatorHoldsUpItsComparisonAlone) {
    exchange(5);
    fleet_.credit.terminate();
    damage_coordinator();
    fleet_.credit.start();
    ASSERT_TRUE(fleet_.credit.wait_ready());
    const Json report = reconcile(fleet_.credit);
    EXPECT_FALSE(report.at("complete")) << report;
    EXPECT_NE(report.at("compared").at(0).at("error").get<std::string>().find("damaged"),
              std::string::npos)
        << report;
    EXPECT_EQ(ask(fleet_.credit, "GET", "/readyz").status, 200U);
}

TEST_F(ReconciliationTest, WithoutACoordinatorItSaysThatItIsNotComplete) {
    fleet_.coordinator.kill();
    const Json report = reconcile(fleet_.credit);
    EXPECT_EQ(report.at("complete"), false) << report;
    EXPECT_EQ(report.at("found"), 0) << report;
    EXPECT_EQ(report.at("compared").at(0).at("complete"), false);
}

/// Credit's store is replaced by a backup of an earlier moment.
class RestoredTest : public ReconciliationTest {
protected:
    void back_up() { backup_ = back_up(fleet_.credit, "monday"); }
    void restore() { restore(fleet_.credit, backup_); }
    static std::string back_up(const Program& program, const std::string& name) {
        const Json answer = ask_json(program, "POST", "/v1/backups", {{"name", name}});
        EXPECT_TRUE(answer.contains("backup")) << answer;
        return answer.value("backup", "");
    }
    static void restore(Program& program, const std::string& backup) {
        program.terminate();
        std::filesystem::remove_all(program.data());
        wal::restore(backup, program.data());
        program.start();
    }
    /// What /readyz says once it says anything but `starting`.
    Json readiness() {
        Json said;
        EXPECT_TRUE(eventually(30s, [&] {
            const auto answer = try_ask(fleet_.credit, "GET", "/readyz");
            if (!answer) return false;
            said = Json::parse(answer->body, nullptr, false);
            return said.value("code", "") != "starting";
        }));
        return said;
    }
    unsigned accept_with(const Json& body) {
        return ask(fleet_.credit, "POST", "/v1/reconciliation/accept", body).status;
    }
    unsigned accept(const std::string& reason) { return accept_with({{"reason", reason}}); }
    bool gets_open() {
        return eventually(30s,
                          [&] { return readiness().value("status", Json()) == Json("ready"); });
    }

    /// As if the coordinator had been running for so long.
    void age_coordinator(std::uint64_t seconds) {
        fleet_.coordinator.terminate();
        {
            wal::Environment environment(
                {.directory = fleet_.coordinator.data(), .map_bytes = std::size_t{1} << 30});
            const auto table = environment.find_table(wal::store_table_name);
            ASSERT_TRUE(table);
            wal::Batch batch = environment.batch();
            const auto name = wal::running_seconds_name;
            wal::write_named_number(
                batch, *table, name, wal::read_named_number(batch, *table, name) + seconds);
            batch.commit();
        }
        fleet_.coordinator.start();
        ASSERT_TRUE(fleet_.coordinator.wait_ready());
    }
    std::set<std::string> in_doubt() {
        std::set<std::string> gids;
        const Json answer = ask_json(fleet_.credit, "GET", "/v1/branches/in-doubt");
        for (const Json& item : answer.at("items")) gids.insert(item.at("gid"));
        return gids;
    }
    std::string decision_of(const std::string& gid) {
        return ask_json(fleet_.coordinator, "GET", "/v1/transactions/" + gid + "/decision")
            .value("decision", "");
    }

    std::string backup_;
};

// Its backup holds branches that the coordinator has decided and forgotten since.
TEST_F(RestoredTest, AnAcknowledgedFindingDoesNotOpenIt) {
    exchange(3);
    back_up();
    exchange(4);  // a new one, which the backup lacks
    restore();
    EXPECT_TRUE(eventually(30s, [&] {
        return readiness().value("detail", "").find("inconsistencies") != std::string::npos;
    })) << readiness();
    const Json first = reconcile(fleet_.credit);
    for (const Json& finding : first.at("findings"))
        EXPECT_EQ(ask(fleet_.credit,
                      "POST",
                      "/v1/reconciliation/acknowledge",
                      {{"kind", finding.at("kind")},
                       {"subject", finding.at("subject")},
                       {"reason", "seen"}})
                      .status,
                  200U)
            << finding;
    const Json report = reconcile(fleet_.credit);
    EXPECT_EQ(report.at("acknowledged"), report.at("found")) << report;
    EXPECT_EQ(readiness().value("code", ""), "restored");
    EXPECT_EQ(accept("booked again"), 200U);
    EXPECT_TRUE(gets_open());
}

TEST_F(RestoredTest, WhatNoLogCanBeAskedAboutKeepsItClosedUntilAPersonAcceptsThat) {
    exchange(5);
    fleet_.credit.terminate();
    change_credit([](wal::Store& store, wal::Unit& unit) {
        const Branch made_up{.state = BranchState::committed, .coordinator = "main"};
        participants::write(unit, store.table("branches"), "made-up/1", made_up);
    });
    fleet_.start_all();
    back_up();
    restore();
    EXPECT_TRUE(eventually(30s, [&] {
        return readiness().value("detail", "").find("could not be compared") != std::string::npos;
    })) << readiness();
    const Json report = reconcile(fleet_.credit);
    EXPECT_EQ(report.at("complete"), false) << report;
    EXPECT_EQ(report.at("compared").at(0).at("not_compared"), 1) << report;
    EXPECT_EQ(accept("it was made up"), 200U);
    EXPECT_TRUE(gets_open());
}

TEST_F(RestoredTest, AStoreOlderThanTheCoordinatorsMemoryRollsNothingBackAndStaysClosed) {
    fleet_.coupon.kill();
    Load load(fleet_.coordinator, {.clients = 1, .most_exchanges = 1});
    load.start();
    // It is prepared at credit, and commits later.
    ASSERT_TRUE(eventually(10s, [&] { return !in_doubt().empty(); }));
    const std::string gid = *in_doubt().begin();
    back_up();
    fleet_.coupon.start();
    EXPECT_TRUE(load.finish(30s));
    expect_quiet(fleet_, 30s);
    ASSERT_EQ(decision_of(gid), "commit");
    age_coordinator(8 * 24 * 3'600);
    ASSERT_TRUE(eventually(60s, [&] { return decision_of(gid) == "pending"; }));
    restore();
    EXPECT_EQ(readiness().at("code"), "restored");
    const Json report = reconcile(fleet_.credit);
    EXPECT_TRUE(report.at("complete")) << report;
    EXPECT_TRUE(report.at("compared").at(0).value("has_forgotten_later_ones", false)) << report;
    const Json said = readiness();
    EXPECT_EQ(said.at("code"), "restored");
    EXPECT_NE(said.at("detail").get<std::string>().find("has forgotten"), std::string::npos)
        << said;
    EXPECT_EQ(accept("compared with the bank's list"), 200U);
    EXPECT_EQ(readiness().at("status"), "ready");
    EXPECT_TRUE(in_doubt().contains(gid)) << "only a person knows how it ended";
    EXPECT_EQ(ask(fleet_.coordinator,
                  "POST",
                  "/v1/transactions/" + gid + "/resolve",
                  {{"how", "commit"}, {"reason", "the coupon is there"}})
                  .status,
              200U);
    EXPECT_TRUE(eventually(30s, [&] { return !in_doubt().contains(gid); }));
}

// Participants take no epoch that is much ahead of their clocks.
TEST_F(RestoredTest, ACoordinatorRestoredAgainAndAgainIsListenedToOnceItIsAccepted) {
    std::map<std::string, Exchange> all;
    for (const char* name : {"one", "two", "three"}) {
        restore(fleet_.coordinator, back_up(fleet_.coordinator, name));
        ASSERT_TRUE(fleet_.coordinator.wait_ready());
        ASSERT_TRUE(eventually(30s, [&] {
            return ask(fleet_.coordinator,
                       "POST",
                       "/v1/log/accept",
                       {{"reason", "nothing ran after the copy"}})
                       .status == 200U;
        })) << fleet_.coordinator.log_tail();
        Load load(fleet_.coordinator, {.clients = 4, .most_exchanges = 20, .prefix = name});
        load.start();
        EXPECT_TRUE(eventually(30s, [&] { return load.answered() >= 20; }));
        EXPECT_TRUE(load.finish(30s)) << fleet_.coordinator.log_tail();
        expect_quiet(fleet_, 30s);
        all.insert(load.exchanges().begin(), load.exchanges().end());
    }
    EXPECT_GT(expect_books_agree(fleet_, all).commits, 30U);
}

TEST_F(RestoredTest, AStoreThatDoesNotKnowItsCoordinatorAnyMoreIsOpenedByAPerson) {
    exchange(5);
    back_up();
    restore();
    fleet_.credit.terminate();
    damage_coordinator();
    fleet_.credit.start();
    EXPECT_EQ(readiness().at("code"), "restored");
    EXPECT_GE(reconcile(fleet_.credit).at("found"), 1);
    EXPECT_EQ(accept("nothing was under way"), 200U);
    EXPECT_EQ(readiness().at("status"), "ready");
}

TEST_F(RestoredTest, AStoreThatLacksNothingOpensByItselfAndStaysOpen) {
    exchange(20);
    back_up();
    fleet_.coordinator.kill();
    restore();
    EXPECT_EQ(readiness().at("code"), "restored");
    EXPECT_EQ(ask(fleet_.credit, "GET", "/livez").status, 200U);
    EXPECT_EQ(ask(fleet_.credit, "GET", "/v1/accounts/u0/points").status, 503U);
    EXPECT_EQ(ask(fleet_.credit, "POST", "/v1/branches/prepare", Json::object()).status, 503U);
    fleet_.coordinator.start();
    EXPECT_TRUE(gets_open());
    const Json audited = ask_json(fleet_.credit, "GET", "/v1/audit?limit=1").at("items").at(0);
    EXPECT_EQ(audited.at("operation"), "open_restored");
    fleet_.credit.kill();
    fleet_.coordinator.kill();
    fleet_.credit.start();
    EXPECT_TRUE(gets_open()) << "opened once, it needs no coordinator to open again";
}

TEST_F(RestoredTest, AStoreThatLacksBranchesStaysClosedUntilAPersonAcceptsIt) {
    exchange(20);
    back_up();
    Load later(fleet_.coordinator, {.clients = 1, .most_exchanges = 5, .prefix = "later"});
    later.start();
    EXPECT_TRUE(eventually(60s, [&] { return later.answered() >= 5; }));
    EXPECT_TRUE(later.finish(30s));
    expect_quiet(fleet_, 30s);
    fleet_.coordinator.kill();
    restore();
    EXPECT_EQ(readiness().at("code"), "restored");
    EXPECT_EQ(accept("nobody has looked yet"), 409U);
    fleet_.coordinator.start();
    EXPECT_TRUE(fleet_.coordinator.wait_ready());
    const Json report = reconcile(fleet_.credit);
    EXPECT_GE(report.at("found"), 4) << report;
    for (const Json& finding : report.at("findings")) EXPECT_EQ(finding.at("kind"), "missing");
    EXPECT_EQ(readiness().at("code"), "restored");
    EXPECT_EQ(accept_with(Json::object()), 400U);
    EXPECT_EQ(accept("booked again by hand"), 200U);
    EXPECT_EQ(readiness().at("status"), "ready");
    const Json audited = ask_json(fleet_.credit, "GET", "/v1/audit?limit=1").at("items").at(0);
    EXPECT_EQ(audited.at("operation"), "accept_restored");
    EXPECT_EQ(audited.at("detail").at("reason"), "booked again by hand");
    EXPECT_EQ(accept("once more"), 409U);
}

}  // namespace
}  // namespace twophase::faults
