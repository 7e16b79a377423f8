// Processes that die: by kill -9 anywhere, at a named point, by a disk that fails.
#include "tests/wal/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <random>

namespace twophase::wal {
namespace {

struct CrashTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    LogOptions options = log_options(directory / "log");
    std::string place = options.store.directory.string();

    // Checks that the log holds exactly transactions 0 to n - 1, whole; gives n.
    std::uint64_t durable() {
        const Log log(options, loop.post());
        const auto all = unfinished_in(log);
        EXPECT_EQ(all.bad_keys, 0U);
        for (std::size_t number = 0; number < all.transactions.size(); ++number) {
            EXPECT_EQ(all.transactions[number].gid, gid_of(number)) << "not a prefix";
            EXPECT_EQ(all.transactions[number].damage, "");
        }
        log.verify([](const std::string& finding) { ADD_FAILURE() << finding; }, {});
        return all.transactions.size();
    }
};

// The number after the last one said; what was said before the end counts.
std::uint64_t drain(Child& child, std::uint64_t said) {
    while (const auto line = child.read_line()) said = std::stoull(*line) + 1;
    return said;
}

TEST_F(CrashTest, KillAtAnyMomentKeepsWhatWasToldAndAPrefix) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::uint64_t count = 0;
    for (int round = 0; round < 25; ++round) {
        Child child({"append", place, std::to_string(count)});
        ASSERT_EQ(child.read_line(), "ready");
        std::uint64_t said = count;
        for (auto lines = random() % 400; lines > 0; --lines)
            said = std::stoull(child.read_line().value()) + 1;
        // Wherever the child is by now, mostly in a commit: nothing ties the two processes.
        child.kill();
        said = drain(child, said);
        EXPECT_EQ(child.wait(), -SIGKILL);
        count = durable();
        ASSERT_GE(count, said);
    }
    EXPECT_GT(count, 0U);
}

#ifdef TWOPHASE_CRASH_POINTS
struct CrashPoint {
    const char* name;
    std::size_t records;  // durable afterwards
    bool is_finished;
};

struct CrashPointTest : CrashTest, testing::WithParamInterface<CrashPoint> {};

TEST_P(CrashPointTest, LeavesWhatItsNameSays) {
    const CrashPoint& at = GetParam();
    Child child({"one", place}, {std::string("TWOPHASE_CRASH_AT=") + at.name});
    std::size_t said = 0;
    while (child.read_line()) ++said;
    EXPECT_EQ(child.wait(), -SIGKILL);
    EXPECT_LE(said, at.records);
    const Log log(options, loop.post());
    const auto transaction = log.read(gid_of(1));
    EXPECT_EQ(transaction ? transaction->records.size() : 0, at.records);
    EXPECT_EQ(unfinished_in(log).transactions.size(), at.records > 0 && !at.is_finished ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Points,
                         CrashPointTest,
                         testing::Values(CrashPoint{"before-started", 0, false},
                                         CrashPoint{"after-started", 1, false},
                                         CrashPoint{"before-decided", 1, false},
                                         CrashPoint{"after-decided:1", 2, false},
                                         CrashPoint{"before-finished", 2, false},
                                         CrashPoint{"after-finished", 3, true}));

TEST_F(CrashTest, ACrashPointThatIsNotPassedOftenEnoughDoesNothing) {
    Child child({"one", place}, {"TWOPHASE_CRASH_AT=before-decided:2"});
    std::size_t said = 0;
    while (child.read_line()) ++said;
    EXPECT_EQ(child.wait(), 0);
    EXPECT_EQ(said, 3U);
}
#endif

// After a failed sync or write nobody knows what is on disk: the process ends and tells no more.
struct DiskFailureTest : CrashTest,
                         testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(DiskFailureTest, EndsTheProcess) {
    Child child({"fail", place, GetParam().first, GetParam().second});
    const std::uint64_t said = drain(child, 0);
    EXPECT_EQ(child.wait(), store_failed_exit_code);
    EXPECT_GE(said, 10U);
    EXPECT_GE(durable(), said);
}

INSTANTIATE_TEST_SUITE_P(Calls,
                         DiskFailureTest,
                         testing::Values(std::pair{"sync", "0"},
                                         std::pair{"sync", "3"},
                                         std::pair{"write", "0"},
                                         std::pair{"write", "1"},
                                         std::pair{"write", "2"},
                                         std::pair{"write", "3"},
                                         std::pair{"limit", "0"}));

}  // namespace
}  // namespace twophase::wal
