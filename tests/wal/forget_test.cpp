#include "tests/wal/support.hpp"
#include "wal/log_keys.hpp"
#include "wal/store_table.hpp"

#include <gtest/gtest.h>

namespace twophase::wal {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t week = std::uint64_t{7} * 24 * 3600;

struct ForgetTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    LogOptions options = log_options(directory / "log");
    std::optional<Log> log{std::in_place, options, loop.post()};

    ForgetTest() { push_ceiling(milliseconds_at(gid_of(1'000'000)) + 1); }

    static std::uint64_t milliseconds_at(const Gid& gid) { return order_of(gid) >> 16; }
    void push_ceiling(std::uint64_t ceiling) {
        bool is_durable = false;
        log->append(
            {}, Urgency::forced, [&](Written) { is_durable = true; }, ceiling);
        loop.run_until([&] { return is_durable; });
    }
    // As if the log had been running for so long: the only clock that counts.
    void run_for(std::uint64_t seconds) {
        log.reset();
        tamper(options.store.directory, store_table_name, [&](Batch& batch, Table table) {
            const auto now = read_named_number(batch, table, running_seconds_name);
            write_named_number(batch, table, running_seconds_name, now + seconds);
        });
        log.emplace(options, loop.post());
    }
    void run_and_finish(std::uint64_t number) {
        append_and_wait(*log, loop, {started(number), finished(number, 1)});
    }
    std::size_t forget(std::size_t limit = 100) {
        std::optional<std::size_t> forgotten;
        log->forget(limit, [&](std::size_t count) { forgotten = count; });
        loop.run_until([&] { return forgotten.has_value(); });
        return *forgotten;
    }
};

TEST_F(ForgetTest, KeepsWhatFinishedWithinTheRetention) {
    run_and_finish(1);
    EXPECT_EQ(forget(), 0U);
    run_for(week - 3600);
    EXPECT_EQ(forget(), 0U);
    EXPECT_TRUE(log->read(gid_of(1)));
    EXPECT_TRUE(log->find(started(1).starts->key));
}

// A person settled an id of a log that was lost, whose clock was ahead, or a mistyped one.
TEST_F(ForgetTest, AnIdThatThisLogCanNotHaveMintedMovesNoMark) {
    Gid ahead = gid_of(2);
    ahead[0] = 0x7f;
    Entry first = started(2);
    Entry last = finished(2, 1);
    first.gid = first.starts->gid = last.gid = ahead;
    append_and_wait(*log, loop, {first, last});
    run_and_finish(1);
    run_for(week);
    EXPECT_EQ(forget(), 2U);
    EXPECT_FALSE(log->read(ahead));
    EXPECT_EQ(log->forgotten_up_to(), last_of_order(order_of(gid_of(1))));
}

TEST_F(ForgetTest, ForgetsRecordsAndKeyAfterTheRetentionByRunningTime) {
    run_and_finish(1);
    run_for(week);
    run_and_finish(2);
    EXPECT_EQ(log->store().number(highest_forgotten), 0U);
    EXPECT_EQ(forget(), 1U);
    EXPECT_EQ(log->store().number(highest_forgotten), order_of(gid_of(1)));
    EXPECT_FALSE(log->read(gid_of(1)));
    EXPECT_FALSE(log->find(started(1).starts->key));
    EXPECT_TRUE(log->read(gid_of(2))) << "counted from Finished, not from the log's age";
    EXPECT_EQ(forget(), 0U);
    Entry again = started(3);
    again.starts->key = started(1).starts->key;
    EXPECT_EQ(append_and_wait(*log, loop, {again}), Written::durable) << "the key is free again";
}

TEST_F(ForgetTest, NeverForgetsTheUnfinished) {
    append_and_wait(*log, loop, {started(1), decided(1)});
    run_for(100 * week);
    EXPECT_EQ(forget(), 0U);
    EXPECT_EQ(unfinished_in(*log).transactions.size(), 1U);
}

TEST_F(ForgetTest, GoesInSmallBatches) {
    for (std::uint64_t number = 0; number < 25; ++number) run_and_finish(number);
    run_for(2 * week);
    EXPECT_EQ(forget(10), 10U);
    EXPECT_EQ(log->walk({}, 100).size(), 15U);
    EXPECT_EQ(log->walk({}, 1)[0].gid, gid_of(10)) << "the oldest first";
    EXPECT_EQ(forget(10), 10U);
    EXPECT_EQ(forget(10), 5U);
    EXPECT_EQ(forget(10), 0U);
    log->verify([](const std::string& finding) { ADD_FAILURE() << finding; }, {});
}

TEST_F(ForgetTest, TheDamagedStayAndHoldUpNobody) {
    for (std::uint64_t number = 1; number <= 4; ++number) run_and_finish(number);
    log.reset();
    flip_bit(options.store.directory, "records", record_key(gid_of(1), 1), 300);
    flip_bit(options.store.directory, "business_keys", business_key(started(2).starts->key), 40);
    tamper(options.store.directory, "business_keys", [](Batch& batch, Table table) {
        batch.erase(table, business_key(started(3).starts->key));
    });
    log.emplace(options, loop.post());
    run_for(week);
    EXPECT_EQ(forget(1), 1U);
    EXPECT_TRUE(log->read(gid_of(1)));
    EXPECT_TRUE(log->read(gid_of(2)));
    EXPECT_TRUE(log->read(gid_of(3)));
    EXPECT_FALSE(log->read(gid_of(4)));
}

// A crash may lose the clock's last seconds, so that Finished lies in the future: it is not old.
TEST_F(ForgetTest, AClockThatFellBackForgetsNothingEarly) {
    run_for(10 * week);
    run_and_finish(1);
    log.reset();
    tamper(options.store.directory, store_table_name, [](Batch& batch, Table table) {
        write_named_number(batch, table, running_seconds_name, week);
    });
    log.emplace(options, loop.post());
    EXPECT_EQ(forget(), 0U);
}

}  // namespace
}  // namespace twophase::wal
