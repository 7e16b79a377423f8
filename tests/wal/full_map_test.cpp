// A store without room: new work is turned away, decisions and ends are not.
#include "tests/wal/support.hpp"
#include "wal/headroom.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

namespace twophase::wal {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

TEST(HeadroomTest, IsByMapAndByDisk) {
    constexpr std::size_t map = 100 * mebibyte;
    constexpr std::size_t plenty = 1000 * mebibyte;
    EXPECT_TRUE(has_room(0, map, 0, plenty));
    EXPECT_TRUE(has_room(80 * mebibyte - 1, map, map, plenty));
    EXPECT_FALSE(has_room(80 * mebibyte, map, map, plenty));
    EXPECT_TRUE(has_room(0, map, 0, 10 * mebibyte)) << "a tenth of the map";
    EXPECT_FALSE(has_room(0, map, 0, 10 * mebibyte - 1));
    EXPECT_TRUE(has_room(0, map, 97 * mebibyte, 3 * mebibyte)) << "all that it may grow";
    EXPECT_FALSE(has_room(0, map, 97 * mebibyte, 3 * mebibyte - 1));
    EXPECT_TRUE(has_room(0, map * 1000, 0, 1024 * mebibyte)) << "1 GiB is enough for any map";
    EXPECT_FALSE(has_room(0, map * 1000, 0, 1024 * mebibyte - 1));
}

struct FullMapTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    LogOptions options = log_options(directory / "log");
    FullMapTest() { options.store.map_bytes = mebibyte; }

    // The number of transactions that went in.
    std::uint64_t fill(Log& log) {
        std::uint64_t number = 0;
        while (append_and_wait(log, loop, {started(number, std::string(3000, 'x'))}) ==
               Written::durable)
            ++number;
        return number;
    }
};

TEST_F(FullMapTest, NewWorkIsRefusedFromFourFifthsAndDecisionsAreNot) {
    Log log(options, loop.post());
    EXPECT_TRUE(log.store().headroom().has_room);
    const std::uint64_t count = fill(log);
    const Headroom room = log.store().headroom();
    EXPECT_FALSE(room.has_room);
    EXPECT_GE(room.used_bytes, mebibyte / 5 * 4);
    EXPECT_LT(room.used_bytes, mebibyte / 10 * 9) << "the rest belongs to decisions";
    EXPECT_FALSE(log.read(gid_of(count))) << "the refused one left nothing";
    for (std::uint64_t number = 0; number < count; ++number)
        ASSERT_EQ(append_and_wait(log, loop, {decided(number), finished(number, 2)}),
                  Written::durable);
}

// A long reader, such as a backup, keeps batches from reusing what was freed since it began.
TEST(HeadroomTest, CountsWhatAReaderPinsAsUsed) {
    const TempDirectory directory;
    Environment environment({.directory = directory.path(), .map_bytes = 16 * mebibyte});
    const auto in_batch = [&](const std::function<void(Batch&, Table)>& work) {
        Batch batch = environment.batch();
        const Table table = environment.open_table(batch, "t");
        work(batch, table);
        batch.commit();
    };
    const std::string value(1'000, 'x');
    const auto fill = [&](Batch& batch, Table table) {
        for (int i = 0; i < 2'000; ++i) batch.put(table, "key" + std::to_string(i), value);
    };
    const auto empty = [&](Batch& batch, Table table) {
        for (int i = 0; i < 2'000; ++i) batch.erase(table, "key" + std::to_string(i));
    };
    in_batch(fill);
    in_batch([](Batch& batch, Table table) { batch.put(table, "another", "commit"); });
    const std::size_t full = environment.used_bytes();
    std::optional<Snapshot> reader(environment.snapshot());
    in_batch(empty);
    in_batch([](Batch& batch, Table table) { batch.put(table, "another", "batch"); });
    EXPECT_GE(environment.used_bytes(), full) << "the reader may still read it";
    reader.reset();
    in_batch([](Batch& batch, Table table) { batch.put(table, "yet another", "batch"); });
    EXPECT_LT(environment.used_bytes(), full / 2);
}

TEST_F(FullMapTest, AStartWithoutRoomEnlargesTheMap) {
    std::uint64_t count = 0;
    {
        Log log(options, loop.post());
        count = fill(log);
    }
    Log log(options, loop.post());
    EXPECT_GT(log.store().headroom().map_bytes, mebibyte);
    EXPECT_TRUE(log.store().headroom().has_room);
    EXPECT_EQ(unfinished_in(log).transactions.size(), count);
    EXPECT_EQ(append_and_wait(log, loop, {started(count)}), Written::durable);
}

// One batch brings more new work than the map holds, a decision, and one that builds on the new.
TEST_F(FullMapTest, ABatchThatMeetsAFullMapRunsAgainWithoutItsNewWork) {
    Log log(options, loop.post());
    append_and_wait(log, loop, {started(1)});
    Gate gate;
    log.store().submit(gate.job());
    gate.wait_until_reached();
    std::vector<Written> fates;
    const auto note = [&](Written fate) { fates.push_back(fate); };
    for (std::uint64_t number = 2; number < 12; ++number)
        log.append({started(number, std::string(mebibyte / 5, 'x'))}, Urgency::lazy, note);
    log.append({decided(5)}, Urgency::forced, note);
    log.append({decided(1)}, Urgency::forced, note, 4711);
    gate.open();
    loop.run_until([&] { return fates.size() == 12; });
    EXPECT_EQ(std::ranges::count(fates, Written::refused_no_room), 11);
    EXPECT_EQ(fates.back(), Written::durable);
    EXPECT_EQ(log.read(gid_of(1))->records.size(), 2U);
    EXPECT_FALSE(log.read(gid_of(5))) << "never a decision without its start";
    EXPECT_EQ(log.gid_ceiling(), 4711U);
    EXPECT_EQ(append_and_wait(log, loop, {started(5)}), Written::durable) << "its key is free";
}

TEST_F(FullMapTest, NoRoomForADecisionStopsTheStore) {
    std::promise<std::string> stopped;
    options.store.fail_stop = [&](const std::string& why) { stopped.set_value(why); };
    Log log(options, loop.post());
    append_and_wait(log, loop, {started(1)});
    bool is_told = false;
    log.append({decided(1, 1, std::string(2 * mebibyte, 'x'))}, Urgency::forced, [&](Written) {
        is_told = true;
    });
    EXPECT_EQ(stopped.get_future().get(), "the store has no room left for decisions");
    loop.run_posted();
    EXPECT_FALSE(is_told);
}

}  // namespace
}  // namespace twophase::wal
