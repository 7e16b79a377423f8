#include "wal/unit.hpp"

#include "tests/wal/support.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace twophase::wal {
namespace {

using Model = std::map<std::string, std::string>;
using Rows = std::vector<std::pair<std::string, std::string>>;

// A batch with two tables, of which the second must never show in the first.
struct UnitTest : testing::Test {
    TempDirectory directory;
    Environment environment{{.directory = directory.path(), .map_bytes = 16 << 20}};
    Batch batch = environment.batch();
    Table table = environment.open_table(batch, "table");
    Table next_table = environment.open_table(batch, "next");
};

Rows scan(const Unit& unit, Table table, const std::string& from, const std::string& below) {
    Rows rows;
    unit.scan(table, from, below, [&](std::string_view key, std::string_view value) {
        rows.emplace_back(key, value);
        return true;
    });
    return rows;
}

Rows scan(const Model& model, const std::string& from, const std::string& below) {
    Rows rows;
    for (const auto& [key, value] : model)
        if (key >= from && (below.empty() || key < below)) rows.emplace_back(key, value);
    return rows;
}

TEST_F(UnitTest, LeavesNoTraceUnlessApplied) {
    batch.put(table, "a", "1");
    {
        Unit unit(batch);
        unit.put(table, "b", "2");
        unit.erase(table, "a");
        EXPECT_EQ(unit.get(table, "b"), "2");
        EXPECT_FALSE(unit.contains(table, "a"));
    }
    EXPECT_EQ(batch.get(table, "a"), "1");
    EXPECT_FALSE(batch.get(table, "b"));
}

TEST_F(UnitTest, ScanStopsWhenTold) {
    batch.put(table, "a", "1");
    Unit unit(batch);
    unit.put(table, "b", "2");
    unit.put(table, "c", "3");
    int visited = 0;
    unit.scan(table, "", "", [&](auto, auto) { return ++visited < 2; });
    EXPECT_EQ(visited, 2);
}

// Against std::map: every read of a unit equals the read of a map with the same writes.
TEST_F(UnitTest, BehavesLikeAMap) {
    std::mt19937 random(20240521);
    const auto key = [&] {
        return std::string(1 + random() % 2, static_cast<char>('a' + random() % 6));
    };
    Model model;
    for (int round = 0; round < 200; ++round) {
        Unit unit(batch);
        unit.put(next_table, key(), "other table");
        Model changed = model;
        for (int step = 0; step < 12; ++step) {
            const std::string at = key();
            if (random() % 3 == 0) {
                unit.erase(table, at);
                changed.erase(at);
            } else {
                const std::string value = std::to_string(random() % 1000);
                unit.put(table, at, value);
                changed[at] = value;
            }
            const std::string read = key();
            const auto found = changed.find(read);
            EXPECT_EQ(unit.contains(table, read), found != changed.end());
            EXPECT_EQ(unit.get(table, read).value_or("-"),
                      found == changed.end() ? "-" : found->second);
            const std::string from = random() % 4 == 0 ? "" : key();
            const std::string below = random() % 4 == 0 ? "" : key();
            const Rows expected = scan(changed, from, below);
            ASSERT_EQ(scan(unit, table, from, below), expected) << from << " to " << below;
            const auto last = unit.last(table, from, below);
            ASSERT_EQ(last.has_value(), !expected.empty());
            if (last) {
                ASSERT_EQ(*last, expected.back());
            }
        }
        if (random() % 2 == 0) {
            unit.apply();
            model = changed;
        }
    }
}

}  // namespace
}  // namespace twophase::wal
