#include "tests/wal/support.hpp"
#include "wal/store_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace twophase::wal {
namespace {

namespace fs = std::filesystem;

struct BackupTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    LogOptions options = log_options(directory / "log");
    fs::path copy = directory / "copy";
    fs::path again = directory / "again";

    // The code that `action` fails with; 0 when it doesn't.
    static int code_of(const std::function<void()>& action) {
        try {
            action();
        } catch (const StoreError& error) {
            return error.code();
        }
        return 0;
    }
    void make_backup() {
        Log log(options, loop.post());
        append_and_wait(log, loop, {started(1), decided(1)});
        log.store().backup(copy);
        append_and_wait(log, loop, {started(2)});
    }
};

TEST_F(BackupTest, IsRefusedUntilRestored) {
    make_backup();
    try {
        const Log log(log_options(copy), loop.post());
        FAIL() << "a backup must not start";
    } catch (const StoreError& error) {
        EXPECT_NE(std::string(error.what()).find("recoveryctl restore"), std::string::npos);
    }
    EXPECT_TRUE(inspect(copy).is_backup);
    auto accepting = log_options(copy);
    accepting.store.accept_backup = true;
    const Log log(accepting, loop.post());
    EXPECT_EQ(unfinished_in(log).transactions.size(), 1U);
}

TEST_F(BackupTest, RestoringRaisesTheEpochAndLeavesANote) {
    make_backup();
    const std::uint64_t before = inspect(options.store.directory).epoch;
    restore(copy, again);
    const Log log(log_options(again), loop.post());
    EXPECT_GT(log.store().epoch(), before + 999'999);
    EXPECT_TRUE(log.store().identity().was_restored);
    EXPECT_FALSE(log.store().identity().is_backup);
    EXPECT_TRUE(log.read(gid_of(1)));
    EXPECT_FALSE(log.read(gid_of(2))) << "what came after the backup is lost, and that is noted";
    EXPECT_FALSE(inspect(options.store.directory).was_restored);
    EXPECT_TRUE(inspect(copy).is_backup) << "the backup can be restored again";
}

TEST_F(BackupTest, NumbersOfARestoredStoreAreAboveAllThatTheLostOneGave) {
    const auto numbers_above = [&](Log& log) {
        std::optional<std::uint64_t> seen;
        std::uint64_t given = 0;
        log.store().submit({.work = [&](Unit& unit) { given = unit.numbers_above(); },
                            .then = [&](Written) { seen = given; }});
        loop.run_until([&] { return seen.has_value(); });
        return *seen;
    };
    make_backup();
    {
        Log never(options, loop.post());
        EXPECT_EQ(numbers_above(never), 0U);
    }
    restore(copy, again);
    const std::uint64_t restored = inspect(again).epoch;
    options.store.directory = again;
    for (int start = 0; start < 2; ++start) {
        Log log(options, loop.post());
        EXPECT_EQ(numbers_above(log), restored) << "of the restore, whatever start it is";
    }
}

// By a build that only raised the epoch by a million, of a store that was restored before.
TEST_F(BackupTest, ARestoreThatIsNotedNowhereIsSeenByItsEpoch) {
    make_backup();
    restore(copy, again);
    options.store.directory = again;
    { const Log first(options, loop.post()); }
    std::uint64_t restored = 0;
    tamper(again, store_table_name, [&](Batch& batch, Table table) {
        StoreIdentity identity = read_identity(batch, table).value();
        restored = identity.epoch += restored_epochs_ahead;
        write_identity(batch, table, identity);
    });
    const Log second(options, loop.post());
    EXPECT_EQ(second.store().number(restored_at_epoch), restored);
}

TEST_F(BackupTest, EachRestoreOfABackupHasAnEpochOfItsOwn) {
    make_backup();
    restore(copy, directory / "first");
    restore(copy, directory / "second");
    EXPECT_LT(inspect(directory / "first").epoch, inspect(directory / "second").epoch);
    const std::uint64_t first = inspect(directory / "first").epoch;
    options.store.directory = directory / "first";
    { const Log started(options, loop.post()); }
    fs::remove_all(copy);
    {
        const Log log(options, loop.post());
        log.store().backup(copy);
    }
    restore(copy, directory / "third");
    EXPECT_GE(inspect(directory / "third").epoch, first + 1'000'000) << "also within a second";
}

TEST_F(BackupTest, NeitherOverwritesAnything) {
    make_backup();
    {
        const Log log(options, loop.post());
        EXPECT_EQ(code_of([&] { log.store().backup(copy); }), EEXIST);
    }
    fs::create_directory(again);
    std::ofstream(again / "file") << "precious";
    EXPECT_EQ(code_of([&] { restore(copy, again); }), ENOTEMPTY);
    fs::remove(again / "file");
    EXPECT_EQ(code_of([&] { restore(copy, again); }), 0) << "an empty directory will do";
    for (const auto& entry : fs::directory_iterator(directory.path()))
        EXPECT_EQ(entry.path().string().find("partial"), std::string::npos) << entry.path();
}

TEST_F(BackupTest, OfTwoAtOnceUnderOneNameOneIsWholeAndTheOtherRefused) {
    Log log(options, loop.post());
    for (int n = 1; n <= 200; ++n) append_and_wait(log, loop, {started(n)});
    for (int round = 0; round < 10; ++round) {
        const fs::path to = directory / ("at-once-" + std::to_string(round));
        std::array<int, 4> codes{};
        {
            std::vector<std::jthread> all;
            for (int& code : codes)
                all.emplace_back([&] { code = code_of([&] { log.store().backup(to); }); });
        }
        EXPECT_EQ(std::ranges::count(codes, 0), 1);
        EXPECT_EQ(std::ranges::count(codes, EEXIST), 3);
        EXPECT_TRUE(inspect(to).is_backup);
        EXPECT_EQ(fs::file_size(to / "data.mdb") > 0, true);
    }
    for (const auto& entry : fs::directory_iterator(directory.path()))
        EXPECT_EQ(entry.path().string().find("partial"), std::string::npos) << entry.path();
}

TEST_F(BackupTest, WhatADeadProcessLeftIsRemovedAndWhatIsBeingWrittenIsNot) {
    make_backup();
    const fs::path left = directory / "again.partial-AAAAAA";
    const fs::path held = directory / "again.partial-BBBBBB";
    const fs::path other = directory / "once.partial-CCCCCC";
    for (const fs::path& each : {left, held, other}) {
        fs::create_directory(each);
        std::ofstream(each / "data.mdb") << "half";
    }
    const int lock = ::open(held.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(::flock(lock, LOCK_EX), 0);
    restore(copy, again);
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(fs::exists(held / "data.mdb")) << "somebody is writing it";
    EXPECT_TRUE(fs::exists(other / "data.mdb")) << "of another name";
    ::close(lock);
}

TEST_F(BackupTest, ARestoreIntoAnEmptyFolderIsNoOverwriting) {
    make_backup();
    fs::create_directory(again);
    restore(copy, again);
    EXPECT_TRUE(fs::exists(again / "data.mdb"));
    EXPECT_EQ(code_of([&] { restore(copy, again); }), ENOTEMPTY);
}

TEST_F(BackupTest, OnlyAWholeBackupIsRestored) {
    make_backup();
    EXPECT_EQ(code_of([&] { restore(directory / "nowhere", again); }), ENOENT);
    EXPECT_NE(code_of([&] { restore(options.store.directory, again); }), 0) << "not a backup";
    fs::resize_file(copy / "data.mdb", fs::file_size(copy / "data.mdb") - 4096);
    EXPECT_NE(code_of([&] { restore(copy, again); }), 0);
    EXPECT_FALSE(fs::exists(again));
}

// The copy holds a prefix of what was appended, and all that was durable before it began.
TEST_F(BackupTest, IsConsistentWhileOthersWrite) {
    std::uint64_t durable = 0;
    {
        Log log(options, loop.post());
        std::atomic<bool> is_over{false};
        std::atomic<std::uint64_t> appended{0};
        std::atomic<std::uint64_t> told{0};
        std::jthread client([&] {
            while (!is_over) {
                if (appended - told > 200)
                    std::this_thread::yield();
                else
                    log.append({started(appended++)}, Urgency::forced, [&](Written) { ++told; });
            }
        });
        loop.run_until([&] { return told > 300; });
        durable = told;
        std::jthread copier([&] {
            log.store().backup(copy);
            loop.post()([&] { is_over = true; });
        });
        loop.run_until([&] { return is_over.load(); });
        client.join();
        loop.run_until([&] { return told == appended; });
    }
    restore(copy, again);
    const Log log(log_options(again), loop.post());
    const auto all = unfinished_in(log).transactions;
    EXPECT_GE(all.size(), durable);
    for (std::size_t number = 0; number < all.size(); ++number)
        ASSERT_EQ(all[number].gid, gid_of(number));
    log.verify([](const std::string& finding) { ADD_FAILURE() << finding; }, {});
}

}  // namespace
}  // namespace twophase::wal
