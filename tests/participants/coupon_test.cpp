#include "http/json.hpp"
#include "participants/coupon/coupon_resource.hpp"
#include "tests/participants/bench.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace twophase::participants::coupon {
namespace {

using http::Json;
using testing::gid;
using testing::message;
using testing::OpenStore;
using testing::text;

std::vector<std::string> all_tables() {
    std::vector<std::string> tables = branch_tables();
    std::ranges::copy(Stock::tables(), std::back_inserter(tables));
    return tables;
}

struct CouponBench {
    OpenStore store{all_tables()};
    std::vector<std::string> codes;  // given out from the back, then numbered ones
    int made = 0;
    CouponResource resource{store.table_of(), [this](const Moment&) {
                                if (codes.empty()) return "CODE" + std::to_string(++made);
                                std::string code = codes.back();
                                codes.pop_back();
                                return code;
                            }};
    Branches branches{
        {.participant = "coupon", .coordinators = {"main"}}, store.table_of(), resource};
    Moment moment{.microseconds = 5'000'000, .running_seconds = 1};

    explicit CouponBench(Template a_template = {.stock = 2}) {
        store.in_unit([&](wal::Unit& unit) {
            resource.stock().save(unit, "cup", a_template);
            return 0;
        });
    }

    Answer send(Verb verb, int n, const std::string& user = "ann") {
        Message made_message = message(verb, gid(n), "coupon");
        if (begins_work(verb)) {
            made_message.operation = "create_coupon";
            made_message.payload = R"({"template_id":"cup","user_id":")" + user + "\"}";
        }
        return store.in_unit(
            [&](wal::Unit& unit) { return branches.handle(unit, made_message, moment); });
    }

    Template cup() {
        const wal::Reader& reader = store.batch();
        return resource.stock().find(reader, "cup").value();
    }
    std::size_t listed(std::optional<CouponState> state = CouponState::issued) {
        return resource.stock().list(store.batch(), "ann", state, {}, 100).items.size();
    }
};

TEST(CouponTest, PrepareReservesCommitIssues) {
    CouponBench bench;
    const Answer prepared = bench.send(Verb::prepare, 1);
    EXPECT_EQ(text(prepared), "200 prepared");
    EXPECT_EQ(prepared.result, "") << "the code is told only once it is issued";
    EXPECT_EQ(bench.cup().reserved, 1);
    EXPECT_EQ(bench.listed(), 0U);
    EXPECT_EQ(bench.listed(CouponState::reserved), 1U);
    const Answer committed = bench.send(Verb::commit, 1);
    EXPECT_EQ(Json::parse(committed.result).at("coupon_code"), "CODE1");
    EXPECT_EQ(bench.cup().reserved, 0);
    EXPECT_EQ(bench.cup().issued, 1);
    EXPECT_EQ(bench.listed(), 1U);
}

TEST(CouponTest, RollbackReturnsToTheStock) {
    CouponBench bench({.stock = 1});
    bench.send(Verb::prepare, 1);
    EXPECT_EQ(text(bench.send(Verb::prepare, 2)), "409 out_of_stock");
    bench.send(Verb::rollback, 1);
    EXPECT_EQ(bench.cup().available(), 1);
    EXPECT_EQ(bench.listed(std::nullopt), 0U);
    EXPECT_EQ(text(bench.send(Verb::prepare, 2)), "200 prepared");
}

TEST(CouponTest, ExecuteIssuesAtOnceCompensateTakesItBack) {
    CouponBench bench;
    const Answer executed = bench.send(Verb::execute, 1);
    EXPECT_EQ(Json::parse(executed.result).at("coupon_code"), "CODE1");
    EXPECT_EQ(bench.cup().issued, 1);
    EXPECT_EQ(text(bench.send(Verb::compensate, 1)), "200 compensated");
    EXPECT_EQ(bench.cup().available(), 2);
    EXPECT_EQ(bench.listed(std::nullopt), 0U);
}

TEST(CouponTest, TheLimitPerUserCountsReservedAndIssued) {
    CouponBench bench({.stock = 10, .per_user_limit = 2});
    bench.send(Verb::prepare, 1);
    bench.send(Verb::commit, 1);
    bench.send(Verb::prepare, 2);
    EXPECT_EQ(text(bench.send(Verb::prepare, 3)), "409 user_limit");
    EXPECT_EQ(text(bench.send(Verb::execute, 4)), "409 user_limit");
    EXPECT_EQ(text(bench.send(Verb::prepare, 5, "bob")), "200 prepared");
    bench.send(Verb::rollback, 2);
    EXPECT_EQ(text(bench.send(Verb::prepare, 3)), "200 prepared");
}

TEST(CouponTest, ValidityIsCheckedAtPrepareOnly) {
    CouponBench bench({.stock = 10, .valid_from = 1'000, .valid_until = 2'000});
    bench.moment.microseconds = 999'999;
    EXPECT_EQ(text(bench.send(Verb::prepare, 1)), "409 not_yet_valid");
    bench.moment.microseconds = 1'999'999;
    EXPECT_EQ(text(bench.send(Verb::prepare, 1)), "200 prepared");
    bench.moment.microseconds = 2'000'000;
    EXPECT_EQ(text(bench.send(Verb::prepare, 2)), "409 no_longer_valid");
    EXPECT_EQ(text(bench.send(Verb::commit, 1)), "200 committed");
}

TEST(CouponTest, RefusesAnUnknownTemplate) {
    CouponBench bench;
    Message unknown = message(Verb::prepare, gid(1), "coupon");
    unknown.operation = "create_coupon";
    unknown.payload = R"({"template_id":"hat","user_id":"ann"})";
    const Answer answer = bench.store.in_unit(
        [&](wal::Unit& unit) { return bench.branches.handle(unit, unknown, bench.moment); });
    EXPECT_EQ(text(answer), "409 template_not_found");
}

TEST(CouponTest, DrawsAnotherCodeWhenOneIsTaken) {
    CouponBench bench;
    bench.codes = {"OTHER", "SAME", "SAME"};
    bench.send(Verb::execute, 1);
    EXPECT_EQ(Json::parse(bench.send(Verb::execute, 2).result).at("coupon_code"), "OTHER");
}

TEST(CouponTest, EveryChangeOfTheStockRaisesTheVersion) {
    CouponBench bench;
    std::uint64_t before = bench.cup().version;
    int n = 0;
    for (const Verb verb : {Verb::prepare,
                            Verb::commit,
                            Verb::prepare,
                            Verb::rollback,
                            Verb::execute,
                            Verb::compensate}) {
        if (begins_work(verb)) ++n;
        bench.send(verb, n);
        EXPECT_GT(bench.cup().version, before) << to_string(verb);
        before = bench.cup().version;
    }
}

TEST(CouponTest, CodesBeginWithTheirTimeAndEndInWhatNobodyGuesses) {
    std::set<std::string> endings;
    for (int i = 0; i < 100; ++i) {
        // The time of the ULID specification's example.
        const std::string code = new_code({.microseconds = 1'469'918'176'385'999});
        EXPECT_EQ(code.size(), 26U);
        EXPECT_TRUE(code.starts_with("01ARYZ6S41")) << code;
        EXPECT_EQ(code.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos);
        endings.insert(code.substr(10));
    }
    EXPECT_EQ(endings.size(), 100U);
    EXPECT_LT(new_code({.microseconds = 1'469'918'176'385'999}),
              new_code({.microseconds = 1'469'918'176'386'000}));
}

}  // namespace
}  // namespace twophase::participants::coupon
