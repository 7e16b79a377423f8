// Group commit: what shares a batch, in which order, and what happens when one can't be written.
#include "tests/wal/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

namespace twophase::wal {
namespace {

using namespace std::chrono_literals;

std::string number(int value) { return std::to_string(1'000'000 + value); }

struct WriterTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    StoreOptions options = store_options(directory / "store");
    std::vector<int> told;
    std::vector<Written> fates;

    Job writing(Store& store, int value, Urgency urgency = Urgency::forced) {
        const Table table = store.table("things");
        return {.work = [=](Unit& unit) { unit.put(table, number(value), "x"); },
                .then =
                    [this, value](Written fate) {
                        told.push_back(value);
                        fates.push_back(fate);
                    },
                .urgency = urgency};
    }
    void wait_for(std::size_t count) {
        loop.run_until([&] { return told.size() == count; });
    }
    static std::size_t count(const Store& store) {
        return store.snapshot().count(store.table("things"));
    }
};

TEST_F(WriterTest, TellsOfEachBatchHowManyJobsItHadAndHowLongItsSyncTook) {
    std::vector<Committed> told_of;  // on the writer's thread, which the store's end waits for
    options.committed = [&](const Committed& batch) { told_of.push_back(batch); };
    {
        Store store(options, loop.post());
        Gate gate;
        store.submit(gate.job());
        gate.wait_until_reached();
        for (int job = 0; job < 5; ++job) store.submit(writing(store, job));
        gate.open();
        wait_for(5);
    }
    ASSERT_GE(told_of.size(), 2U);
    EXPECT_EQ(told_of[0].jobs, 1U);
    EXPECT_EQ(told_of[1].jobs, 5U);
    for (const Committed& batch : told_of) EXPECT_GT(batch.sync.count(), 0);
}

TEST_F(WriterTest, KnowsTheBytesThatItsThreadSentToTheDisk) {
    Store store(options, loop.post());
    store.submit(writing(store, 1));
    wait_for(1);
    const auto before = store.written_bytes();
    if (!before) GTEST_SKIP() << "this kernel counts no bytes by thread";
    const Table table = store.table("things");
    submit_and_wait(store, loop, {.work = [=](Unit& unit) {
                        for (int i = 0; i < 100; ++i)
                            unit.put(table, number(1000 + i), std::string(1000, 'x'));
                    }});
    const std::uint64_t grown = *store.written_bytes() - *before;
    if (grown == 0) GTEST_SKIP() << "a memory file system counts none";
    EXPECT_GE(grown, 100'000U);
}

TEST_F(WriterTest, WhatGathersDuringABatchSharesTheNext) {
    Store store(options, loop.post());
    Gate gate;
    store.submit(gate.job());
    gate.wait_until_reached();
    std::vector<std::jthread> clients;
    for (int client = 0; client < 4; ++client)
        clients.emplace_back([&, client] {
            for (int job = 0; job < 250; ++job) store.submit(writing(store, client * 250 + job));
        });
    clients.clear();
    gate.open();
    wait_for(1000);
    EXPECT_EQ(store.commits(), 2U);
    EXPECT_EQ(store.jobs(), 1001U);
    EXPECT_EQ(loop.posts(), 1U) << "one post for a batch";
    EXPECT_EQ(count(store), 1000U);
}

TEST_F(WriterTest, EachSubmittersOrderIsKept) {
    Store store(options, loop.post());
    std::vector<std::jthread> clients;
    for (int client = 0; client < 3; ++client)
        clients.emplace_back([&, client] {
            for (int job = 0; job < 400; ++job)
                store.submit(writing(
                    store, client * 400 + job, job % 3 == 0 ? Urgency::forced : Urgency::lazy));
        });
    wait_for(1200);
    for (int client = 0; client < 3; ++client) {
        std::vector<int> own;
        std::ranges::copy_if(
            told, std::back_inserter(own), [=](int value) { return value / 400 == client; });
        EXPECT_TRUE(std::ranges::is_sorted(own));
    }
}

// Lazy and forced jobs in one queue: after every commit, what is durable is a prefix of it.
TEST_F(WriterTest, ABatchIsAPrefixOfTheQueue) {
    options.lazy_delay = 1h;
    Store store(options, loop.post());
    std::atomic<bool> is_over{false};
    std::jthread watcher([&] {
        while (!is_over) {
            const Snapshot now = store.snapshot();
            Cursor rows = now.cursor(store.table("things"));
            const std::size_t rows_now = now.count(store.table("things"));
            if (rows_now > 0) {
                ASSERT_TRUE(rows.last());
                ASSERT_EQ(rows.key(), number(static_cast<int>(rows_now) - 1));
            }
        }
    });
    for (int job = 0; job < 2000; ++job)
        store.submit(writing(store, job, job % 7 == 6 ? Urgency::forced : Urgency::lazy));
    store.submit(writing(store, 2000));
    wait_for(2001);
    is_over = true;
    EXPECT_TRUE(std::ranges::is_sorted(told));
}

TEST_F(WriterTest, LazyJobsWaitForTheNextForcedOne) {
    options.lazy_delay = 1h;
    Store store(options, loop.post());
    store.submit(writing(store, 0, Urgency::lazy));
    store.submit(writing(store, 1, Urgency::lazy));
    EXPECT_EQ(store.commits(), 0U);
    store.submit(writing(store, 2));
    wait_for(3);
    EXPECT_EQ(store.commits(), 1U);
}

TEST_F(WriterTest, LazyJobsAreWrittenAloneAfterTheDelay) {
    options.lazy_delay = 1ms;
    Store store(options, loop.post());
    store.submit(writing(store, 0, Urgency::lazy));
    wait_for(1);
    EXPECT_EQ(store.commits(), 1U);
}

TEST_F(WriterTest, TheQueueIsWrittenWhenTheStoreCloses) {
    options.lazy_delay = 1h;
    {
        Store store(options, loop.post());
        for (int job = 0; job < 10; ++job) store.submit(writing(store, job, Urgency::lazy));
    }
    loop.run_posted();
    EXPECT_EQ(told.size(), 10U);
    const Store store(options, loop.post());
    EXPECT_EQ(count(store), 10U);
}

TEST_F(WriterTest, AnEmptyJobIsToldInItsTurn) {
    Store store(options, loop.post());
    store.submit(writing(store, 0, Urgency::lazy));
    EXPECT_EQ(submit_and_wait(store, loop, {}), Written::durable);
    EXPECT_EQ(told, std::vector<int>{0});
}

TEST_F(WriterTest, AJobThatThrowsStopsTheStoreAndLeavesNothing) {
    std::promise<std::string> stopped;
    options.fail_stop = [&](const std::string& why) { stopped.set_value(why); };
    {
        Store store(options, loop.post());
        Gate gate;
        store.submit(gate.job());
        gate.wait_until_reached();
        store.submit(writing(store, 0));
        Job failing = writing(store, 1);
        failing.work = [work = failing.work](Unit& unit) {
            work(unit);
            throw std::logic_error("balance below zero");
        };
        store.submit(std::move(failing));
        store.submit(writing(store, 2));
        gate.open();
        EXPECT_EQ(stopped.get_future().get(), "a job broke an invariant: balance below zero");
    }
    loop.run_posted();
    EXPECT_TRUE(told.empty());
    options.fail_stop = {};
    const Store store(options, loop.post());
    EXPECT_EQ(count(store), 0U) << "the batch is atomic";
}

TEST_F(WriterTest, AJobThatBuildsOnRefusedWorkIsRefusedAlone) {
    Store store(options, loop.post());
    store.submit(writing(store, 0));
    Job building = writing(store, 1);
    building.work = [work = building.work](Unit& unit) {
        work(unit);
        throw BuildsOnRefused{};
    };
    store.submit(std::move(building));
    store.submit(writing(store, 2));
    wait_for(3);
    EXPECT_EQ(fates, (std::vector{Written::durable, Written::refused_no_room, Written::durable}));
    EXPECT_EQ(count(store), 2U);
}

TEST_F(WriterTest, NumbersOnlyGrow) {
    {
        Store store(options, loop.post());
        const auto raise = [&](std::uint64_t value) {
            submit_and_wait(store, loop, {.work = [&store, value](Unit& unit) {
                                Store::raise(unit, store, "ceiling", value);
                                Store::raise(unit, store, "ceiling", value - 1);
                            }});
        };
        EXPECT_EQ(store.number("ceiling"), 0U);
        raise(500);
        raise(400);
        EXPECT_EQ(store.number("ceiling"), 500U);
    }
    const Store store(options, loop.post());
    EXPECT_EQ(store.number("ceiling"), 500U);
}

}  // namespace
}  // namespace twophase::wal
