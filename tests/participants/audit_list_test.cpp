// Which entries a filter finds, and at what cost.
#include "http/json.hpp"
#include "participants/audit.hpp"
#include "participants/audit_index.hpp"
#include "participants/record.hpp"
#include "tests/participants/credit_bench.hpp"
#include "tests/participants/router_bench.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace twophase::participants {
namespace {

using http::Json;
using testing::CreditBench;
using testing::gid;
using testing::RouterBench;

constexpr std::int64_t second = 1'000'000;

struct AuditListTest : ::testing::Test {
    /// Appends an entry; its number.
    std::uint64_t append(const std::string& gid,
                         const std::string& user,
                         std::int64_t timestamp = 0,
                         const std::string& business_id = "1") {
        AuditEntry entry;
        entry.gid = gid;
        entry.change.user_id = user;
        entry.business_code = "order";
        entry.business_id = business_id;
        entry.timestamp = timestamp;
        bench.store.in_unit([&](wal::Unit& unit) {
            log().append(unit, entry);
            return 0;
        });
        return log().head(bench.store.batch()).count;
    }
    Audit::Page page(const Audit::Filter& filter) {
        return log().list(bench.store.batch(), filter);
    }
    /// The numbers of all that fits, page by page.
    std::vector<std::uint64_t> numbers(Audit::Filter filter) {
        std::vector<std::uint64_t> all;
        for (;;) {
            const Audit::Page found = page(filter);
            for (const std::string& item : found.items)
                all.push_back(Json::parse(item).at("seq").get<std::uint64_t>());
            if (!found.next) return all;
            filter.before = found.next;
        }
    }
    const Audit& log() { return bench.branches.audit(); }
    /// As an earlier build left the log.
    void forget_index() {
        wal::Batch& batch = bench.store.batch();
        const wal::Table table = bench.store.table_of()("audit_index");
        std::set<std::string> keys;
        {
            wal::Cursor row = batch.cursor(table);
            for (bool is_there = row.first(); is_there; is_there = row.next())
                keys.emplace(row.key());
        }
        for (const std::string& key : keys) batch.erase(table, key);
    }

    using Numbers = std::vector<std::uint64_t>;
    CreditBench bench{0};
};

TEST_F(AuditListTest, FindsOneTransactionUserOrBusinessKeyAmongMany) {
    for (int n = 1; n <= 5'000; ++n)
        append(gid(n), "user" + std::to_string(n % 2'500), 0, std::to_string(n / 2));
    EXPECT_EQ(numbers({.gid = gid(17)}), Numbers({17}));
    EXPECT_EQ(numbers({.user_id = "user16"}), Numbers({2'516, 16}));
    EXPECT_EQ(numbers({.business_code = "order", .business_id = "8"}), Numbers({17, 16}));
    EXPECT_EQ(numbers({.gid = gid(17), .user_id = "user16"}), Numbers());
    EXPECT_EQ(numbers({.user_id = "user16", .before = 2'516}), Numbers({16}));
    // In one page, far below what lies between them.
    EXPECT_EQ(page({.user_id = "user16"}).items.size(), 2U);
    EXPECT_EQ(page({.user_id = "user16"}).next, std::nullopt);
    EXPECT_EQ(page({.user_id = "user16", .limit = 1}).next, 17U);
}

TEST_F(AuditListTest, TellsApartWhatIsAlike) {
    append("0190a1b2-0000-7000-8000-000000000001", "ann");
    append("0190a1b2-0000-7000-8000-000000000002", "ann");
    append("no gid", "ann");
    append("", "");
    EXPECT_EQ(numbers({.gid = "0190a1b2-0000-7000-8000-000000000001"}), Numbers({1}));
    EXPECT_EQ(numbers({.gid = "no gid"}), Numbers({3}));
    EXPECT_EQ(numbers({.user_id = "an"}), Numbers());
    EXPECT_EQ(numbers({}), Numbers({4, 3, 2, 1}));
}

TEST_F(AuditListTest, FindsATimeOnTheEdgesAndBetween) {
    for (int n = 1; n <= 100; ++n) append(gid(n), n % 2 == 0 ? "ann" : "bob", n * 10 * second);
    EXPECT_EQ(numbers({.from = 990 * second}), Numbers({100, 99}));
    EXPECT_EQ(numbers({.to = 30 * second}), Numbers({2, 1})) << "the end is not in it";
    EXPECT_EQ(numbers({.from = 500 * second, .to = 520 * second}), Numbers({51, 50}));
    EXPECT_EQ(numbers({.user_id = "ann", .from = 500 * second, .to = 530 * second}),
              Numbers({52, 50}));
    EXPECT_EQ(numbers({.from = 501 * second, .to = 502 * second}), Numbers());
    EXPECT_EQ(numbers({.from = 5'000 * second}), Numbers());
    EXPECT_EQ(numbers({.from = 0, .to = 0}), Numbers());
    EXPECT_EQ(numbers({.from = 500 * second, .to = 520 * second, .before = 51}), Numbers({50}));
}

TEST_F(AuditListTest, ATimeMissesNothingWhenTheClockWasSetBackALittle) {
    std::int64_t time = 100 * second;
    std::vector<std::int64_t> times;
    for (int n = 0; n < 300; ++n) {
        time += n % 7 == 3 ? -second * 3 / 2 : second / 2;
        times.push_back(time);
        append(gid(n), "ann", time);
    }
    for (std::int64_t from = 100 * second; from < 130 * second; from += second / 2) {
        Numbers expected;
        for (std::size_t i = times.size(); i-- > 0;)
            if (times[i] >= from && times[i] < from + 3 * second) expected.push_back(i + 1);
        EXPECT_EQ(numbers({.from = from, .to = from + 3 * second}), expected) << from;
    }
}

TEST_F(AuditListTest, APageCostsABoundedNumberOfEntriesThatDoNotFit) {
    append(gid(1), "ann", 1 * second);
    for (int n = 2; n <= 3'000; ++n) append(gid(n), "ann", n % 2 == 0 ? second : 0);
    const Audit::Page first = page({.gid = "", .from = second / 2, .limit = 500});
    EXPECT_EQ(first.items.size(), 500U);
    for (int n = 0; n < 3'000; ++n) append(gid(1), "bob");
    const Audit::Page none = page({.gid = gid(1), .user_id = "ann"});
    EXPECT_TRUE(none.items.empty());
    ASSERT_TRUE(none.next);
    EXPECT_EQ(numbers({.gid = gid(1), .user_id = "ann"}), Numbers({1}));
}

TEST_F(AuditListTest, FindsWhatAnEarlierBuildWroteWithoutAnIndex) {
    for (int n = 1; n <= 3'000; ++n) append(gid(n), n % 1'000 == 0 ? "ann" : "bob");
    forget_index();
    EXPECT_EQ(numbers({.user_id = "ann"}), Numbers({3'000, 2'000, 1'000}));
    append(gid(4'000), "ann");
    append(gid(4'001), "bob");
    EXPECT_EQ(numbers({.user_id = "ann"}), Numbers({3'001, 3'000, 2'000, 1'000}));
    for (int n = 0; n < 100; ++n) append(gid(5'000), "bob");
    ASSERT_EQ(bench.store.batch().count(bench.store.table_of()("audit_index")), 1U);
    EXPECT_EQ(numbers({.user_id = "ann"}), Numbers({3'001, 3'000, 2'000, 1'000}));
    EXPECT_EQ(log().verify(bench.store.batch()), std::nullopt);
}

TEST_F(AuditListTest, APageLooksAtABoundedNumberOfBlocks) {
    append(gid(1), "ann");
    audit_index::Block first;
    first.add(1, page({}).items.at(0));
    wal::Batch& batch = bench.store.batch();
    const wal::Table index = bench.store.table_of()("audit_index");
    batch.put(index, key_of(0), first.take());
    constexpr std::uint64_t blocks = 5'000;
    for (std::uint64_t block = 1; block < blocks; ++block) batch.put(index, key_of(block), "");
    const Audit::Filter filter{.user_id = "ann", .before = audit_index::first_in(blocks)};
    EXPECT_TRUE(page(filter).items.empty());
    EXPECT_EQ(page(filter).next, audit_index::first_in(3'000));
    EXPECT_EQ(numbers(filter), Numbers({1}));
}

TEST_F(AuditListTest, AnExportGoesOnWhereAPageEnded) {
    for (int n = 1; n <= 5; ++n) append(gid(n), "ann");
    const wal::Reader& reader = bench.store.batch();
    const Audit::Lines first = log().export_lines(reader, 0, 3, 1'000'000);
    EXPECT_EQ(std::ranges::count(first.text, '\n'), 3);
    EXPECT_EQ(first.last, 3U);
    EXPECT_FALSE(first.is_end);
    const Audit::Lines rest = log().export_lines(reader, first.last, 3, 1'000'000);
    EXPECT_EQ(std::ranges::count(rest.text, '\n'), 2);
    EXPECT_TRUE(rest.is_end);
    EXPECT_EQ(std::ranges::count(log().export_lines(reader, 0, 9, 10).text, '\n'), 1)
        << "as many bytes as asked for, but one entry at least";
}

// --- over HTTP ---

struct AuditRoutes : ::testing::Test {
    AuditRoutes() {
        bench.call("POST", "/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        for (int n = 1; n <= 3; ++n)
            bench.call(
                "POST",
                "/v1/accounts/ann/points/grant",
                {{"amount", n}, {"business_code", "welcome"}, {"business_id", std::to_string(n)}});
    }
    std::size_t found(const std::string& query) {
        return bench.call("GET", "/v1/audit" + query).body.at("items").size();
    }
    RouterBench bench;
};

TEST_F(AuditRoutes, FilterByUserBusinessKeyAndTime) {
    const Json all = bench.call("GET", "/v1/audit?user_id=ann").body.at("items");
    ASSERT_EQ(all.size(), 4U);
    const std::string now = all.at(0).at("timestamp");
    EXPECT_EQ(found("?business_code=welcome&business_id=2"), 1U);
    EXPECT_EQ(found("?user_id=ann&from=" + now), 4U);
    EXPECT_EQ(found("?user_id=ann&to=" + now), 0U);
}

TEST_F(AuditRoutes, NameWhatIsWrongWithAQuery) {
    const auto field = [&](const std::string& query) {
        const auto reply = bench.call("GET", query);
        return std::to_string(reply.status) + " " + reply.body.value("field", "");
    };
    EXPECT_EQ(field("/v1/audit?business_code=welcome"), "400 business_id");
    EXPECT_EQ(field("/v1/audit?business_id=1"), "400 business_code");
    EXPECT_EQ(field("/v1/audit?from=today"), "400 from");
    EXPECT_EQ(field("/v1/audit?to=-1"), "400 to");
    EXPECT_EQ(field("/v1/audit?limit=501"), "400 limit");
    EXPECT_EQ(field("/v1/audit?userid=ann"), "400 userid") << "else it shows everybody's";
    EXPECT_EQ(field("/v1/audit/export?gid=x"), "400 gid");
    EXPECT_EQ(field("/v1/audit/export?limit=1001"), "400 limit");
    EXPECT_EQ(field("/v1/audit/export?after=x"), "400 after");
}

TEST_F(AuditRoutes, ExportEveryEntryInOrderWithItsHashes) {
    const auto first = bench.call("GET", "/v1/audit/export?limit=3");
    EXPECT_EQ(first.response.content_type, "application/x-ndjson");
    ASSERT_EQ(first.header("X-Next"), "3");
    const auto rest = bench.call("GET", "/v1/audit/export?after=3");
    EXPECT_EQ(rest.header("X-Next"), "");
    const Json head = bench.call("GET", "/v1/audit/head").body;
    EXPECT_EQ(head.at("count"), 4);
    const Json last = Json::parse(rest.response.body);
    EXPECT_EQ(last.at("hash"), head.at("hash"));
    const std::string third = first.response.body.substr(
        first.response.body.rfind('\n', first.response.body.size() - 2) + 1);
    EXPECT_EQ(last.at("previous_hash"), Json::parse(third).at("hash"));
}

}  // namespace
}  // namespace twophase::participants
