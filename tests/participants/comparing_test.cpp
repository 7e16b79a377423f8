// What a participant tells a coordinator of its branches, and what it makes of the answer.
#include "participants/comparing.hpp"

#include "http/json.hpp"
#include "participants/credit/credit_books.hpp"
#include "tests/participants/credit_bench.hpp"
#include "tests/participants/reconciling.hpp"

#include <gtest/gtest.h>

namespace twophase::participants {
namespace {

using testing::CreditBench;
using testing::gid;
using Texts = std::vector<std::string>;

class ComparingTest : public ::testing::Test {
protected:
    BranchPage page(const std::string& after = "", const std::string& coordinator = "main") {
        return branches_to_compare(
            bench.store.batch(), bench.store.table_of(), coordinator, after, bench.moment);
    }
    static Texts texts(const BranchPage& page) {
        Texts all;
        for (const BranchPage::Item& item : page.items)
            all.push_back(item.gid + "/" + item.branch_id + " " + to_string(item.state));
        return all;
    }
    template <class Record>
    void plant(const char* table, const std::string& key, const Record& record) {
        bench.store.in_unit([&](wal::Unit& unit) {
            write(unit, bench.store.table_of()(table), key, record);
            return 0;
        });
    }
    /// What is still so at the second look, of a finding against the coordinator "main".
    bool is_kept(const std::string& kind, const std::string& gid, const std::string& expected) {
        Finding finding;
        finding.kind = kind;
        finding.coordinator = "main";
        finding.gid = gid;
        finding.branch_id = "1";
        finding.expected_state = expected;
        return !reconciliation.settle({finding}, bench.moment).empty();
    }

    CreditBench bench{100'000};
    credit::CreditBooks books{bench.store.table_of()};
    testing::BenchReconciliation reconciliation{bench.store, bench.branches, books};
};

TEST_F(ComparingTest, ListsTheBranchesOfOneCoordinatorInTheOrderOfGids) {
    bench.send(Verb::prepare, gid(3));
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    bench.send(Verb::execute, gid(2));
    Message other = CreditBench::of(Verb::prepare, gid(4));
    other.coordinator = "second";
    bench.send(other);
    EXPECT_EQ(texts(page()),
              (Texts{gid(1) + "/1 committed", gid(2) + "/1 executed", gid(3) + "/1 prepared"}));
    EXPECT_EQ(page().through, "");
    EXPECT_EQ(texts(page(gid(1))), (Texts{gid(2) + "/1 executed", gid(3) + "/1 prepared"}));
    EXPECT_EQ(texts(page("", "second")), Texts{gid(4) + "/1 prepared"});
}

TEST_F(ComparingTest, WhatIsAheadOfTheClockIsComparedAndWhatCannotBeAskedIsCounted) {
    const std::string ahead = "0290a1b2-0000-7000-8000-000000000001";
    for (const std::string& gid : {gid(1), ahead, std::string("made-up")})
        plant("branches", gid + "/1", Branch{.coordinator = "main"});
    plant("branches", "of-another/1", Branch{.coordinator = "second"});
    const BranchPage both = page();
    ASSERT_EQ(both.items.size(), 2U);
    EXPECT_FALSE(both.items[0].is_ahead);
    EXPECT_EQ(both.items[1].gid, ahead);
    EXPECT_TRUE(both.items[1].is_ahead);
    EXPECT_EQ(both.not_askable, Texts{"made-up"});
}

TEST_F(ComparingTest, PagesEndBetweenTwoTransactions) {
    for (int n = 1; n <= 300; ++n)
        for (const char* branch : {"1", "2"})
            plant("branches", gid(n) + "/" + branch, Branch{.coordinator = "main"});
    const BranchPage first = page();
    EXPECT_EQ(first.items.size(), 500U);
    EXPECT_EQ(first.through, gid(250));
    const BranchPage second = page(first.through);
    EXPECT_EQ(second.items.size(), 100U);
    EXPECT_EQ(second.items.front().gid, gid(251));
    EXPECT_EQ(second.through, "");
}

TEST_F(ComparingTest, OtherCoordinatorsBranchesEndAPageTooSoThatItStaysShort) {
    for (int n = 1; n <= 6'000; ++n)
        plant("branches", gid(n) + "/1", Branch{.coordinator = "second"});
    EXPECT_EQ(texts(page()), Texts{});
    EXPECT_EQ(page().through, gid(5'000));
}

TEST_F(ComparingTest, TellsUpToWhereItHasForgotten) {
    plant("coordinators", "main", Coordinator{.forgotten_up_to = gid(7)});
    const http::Json body = http::Json::parse(comparison_body("credit", {}, page()));
    EXPECT_EQ(body,
              (http::Json{{"participant", "credit"},
                          {"forgotten_up_to", gid(7)},
                          {"items", http::Json::array()}}));
}

class AnswerTest : public ::testing::Test {
protected:
    static http::Json answer() {
        return {{"coordinator", "main"},
                {"epoch", 1},
                {"findings",
                 {{{"kind", "different"},
                   {"gid", gid(1)},
                   {"branch_id", "1"},
                   {"recorded_state", "committed"},
                   {"expected_state", "rolled_back"}}}}};
    }
    std::optional<Compared> read(const http::Json& json, unsigned status = 200) {
        return read_comparison(
            {.status = status, .body = json.dump()}, "main", {.after = gid(5)}, fault);
    }
    std::string fault;
};

TEST_F(AnswerTest, IsReadAsFindings) {
    const auto compared = read(answer());
    ASSERT_TRUE(compared) << fault;
    ASSERT_EQ(compared->findings.size(), 1U);
    const Finding& finding = compared->findings[0];
    EXPECT_EQ(finding.kind, "different");
    EXPECT_EQ(finding.coordinator, "main");
    EXPECT_EQ(finding.gid + "/" + finding.branch_id, gid(1) + "/1");
    EXPECT_EQ(compared->through, "");
}

TEST_F(AnswerTest, TellsThatWhatCameLaterMayBeForgotten) {
    const auto has_forgotten = [&](const char* forgotten, const std::string& low_water) {
        http::Json json = answer();
        if (forgotten != nullptr) json["forgotten_up_to"] = forgotten;
        const BranchPage page{.low_water = low_water};
        return read_comparison({.status = 200, .body = json.dump()}, "main", page, fault)
            .value()
            .has_forgotten_later_ones;
    };
    EXPECT_FALSE(has_forgotten(nullptr, gid(5)));
    EXPECT_FALSE(has_forgotten(nullptr, ""));
    EXPECT_FALSE(has_forgotten(gid(4).c_str(), gid(5)));
    EXPECT_TRUE(has_forgotten(gid(5).c_str(), gid(5))) << "it was not over";
    EXPECT_TRUE(has_forgotten(gid(6).c_str(), gid(5)));
    EXPECT_TRUE(has_forgotten(gid(1).c_str(), "")) << "nothing is known of it";
}

TEST_F(AnswerTest, OfAnotherShapeIsNone) {
    const auto without = [](const std::string& path, const http::Json& value) {
        http::Json json = answer();
        json[http::Json::json_pointer(path)] = value;
        return json;
    };
    EXPECT_TRUE(read(without("/compared_through", gid(6))));
    EXPECT_FALSE(read(answer(), 404));
    EXPECT_FALSE(read(without("/coordinator", "second")));
    EXPECT_FALSE(read(without("/findings", "none")));
    EXPECT_FALSE(read(without("/findings/0/kind", "strange")));
    EXPECT_FALSE(read(without("/findings/0/gid", 7)));
    // It would be asked for the same page for ever.
    EXPECT_FALSE(read(without("/compared_through", gid(5))));
    EXPECT_FALSE(read(http::Json::array()));
}

TEST_F(ComparingTest, WhatMovedOnSinceThePageWasReadIsNoFinding) {
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    bench.send(Verb::execute, gid(2));
    bench.send(Verb::compensate, gid(2));
    EXPECT_FALSE(is_kept("missing", gid(1), "committed"));
    EXPECT_FALSE(is_kept("different", gid(1), "committed"));
    EXPECT_FALSE(is_kept("unknown", gid(2), ""));
    EXPECT_FALSE(is_kept("doubled", gid(2), ""));
    EXPECT_FALSE(is_kept("different", gid(2), "compensated"));
}

TEST_F(ComparingTest, ABranchThatCannotBeReadIsNeitherComparedNorMissing) {
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    bench.send(Verb::prepare, gid(2));
    bench.store.in_unit([&](wal::Unit& unit) {
        unit.put(bench.store.table_of()("branches"), gid(1) + "/1", "damaged");
        return 0;
    });
    const BranchPage page =
        branches_to_compare(bench.store.batch(), bench.store.table_of(), "main", "", bench.moment);
    ASSERT_EQ(page.items.size(), 1U);
    EXPECT_EQ(page.items[0].gid, gid(2));
    EXPECT_EQ(page.not_askable, std::vector<std::string>{gid(1)});
    EXPECT_FALSE(is_kept("missing", gid(1), "committed"))
        << "it is booked: whoever believed that it is missing would book it twice";
}

TEST_F(ComparingTest, WhatIsForgottenSinceIsNoFinding) {
    plant("coordinators", "main", Coordinator{.forgotten_up_to = gid(3)});
    EXPECT_FALSE(is_kept("missing", gid(3), "committed"));
    EXPECT_FALSE(is_kept("different", gid(3), "committed"));
    EXPECT_FALSE(is_kept("unknown", gid(3), ""));
    EXPECT_TRUE(is_kept("missing", gid(4), "committed"));
}

TEST_F(ComparingTest, AContradictionThatStaysIsWrittenDown) {
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    EXPECT_TRUE(is_kept("different", gid(1), "rolled_back"));
    const http::Json entry = http::Json::parse(
        bench.branches.audit().list(bench.store.batch(), {.limit = 1}).items.at(0));
    EXPECT_EQ(entry.at("operation"), "inconsistency");
    EXPECT_EQ(entry.at("code"), "different");
    EXPECT_EQ(entry.at("gid"), gid(1));
    EXPECT_EQ(entry.at("detail").at("expected_state"), "rolled_back");
    EXPECT_TRUE(is_kept("unknown", gid(1), ""));
    EXPECT_TRUE(is_kept("doubled", gid(1), ""));
}

}  // namespace
}  // namespace twophase::participants
