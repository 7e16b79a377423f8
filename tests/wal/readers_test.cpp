// Readers of other processes: seen while they live, cleared once they are dead.
#include "tests/wal/support.hpp"
#include "wal/headroom.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace twophase::wal {
namespace {

constexpr std::size_t slots = 126;  // LMDB's default

/// Another process that holds snapshots of a store and goes no further, until it is killed.
class OtherProcess {
public:
    OtherProcess(const std::filesystem::path& store, std::size_t snapshots) {
        int ready[2];
        if (::pipe(ready) != 0) throw std::runtime_error("no pipe");
        process_ = ::fork();
        if (process_ == 0) hold(store, snapshots, ready[1]);
        ::close(ready[1]);
        char byte = 0;
        if (::read(ready[0], &byte, 1) != 1) throw std::runtime_error("it could not read");
        ::close(ready[0]);
    }
    ~OtherProcess() { kill(); }
    OtherProcess(const OtherProcess&) = delete;
    OtherProcess& operator=(const OtherProcess&) = delete;

    void kill() {
        if (process_ <= 0) return;
        ::kill(process_, SIGKILL);
        ::waitpid(std::exchange(process_, 0), nullptr, 0);
    }
    int id() const { return process_; }

private:
    [[noreturn]] static void hold(const std::filesystem::path& store,
                                  std::size_t snapshots,
                                  int ready) {
        try {
            const Environment environment({.directory = store, .read_only = true});
            std::vector<Snapshot> held;
            while (held.size() < snapshots) held.push_back(environment.snapshot());
            if (::write(ready, "r", 1) == 1)
                while (true) ::pause();
        } catch (const StoreError&) {
        }
        ::_exit(1);
    }
    pid_t process_ = 0;
};

struct ReadersTest : testing::Test {
    ReadersTest() { write(directory.path()); }
    static void write(const std::filesystem::path& path) {
        Environment environment({.directory = path, .map_bytes = std::size_t{1} << 24});
        write(environment);
    }
    static void write(Environment& environment) {
        Batch batch = environment.batch();
        batch.put(environment.open_table(batch, "rows"), "key", std::string(1'000, 'v'));
        batch.commit();
    }
    TempDirectory directory;
};

TEST_F(ReadersTest, OneOfAnotherProcessIsSeenAndClearedOnceItIsDead) {
    OtherProcess other(directory.path(), 1);
    Environment environment({.directory = directory.path(), .map_bytes = std::size_t{1} << 24});
    const auto readers = environment.readers();
    ASSERT_EQ(readers.size(), 1U);
    EXPECT_EQ(readers[0].process, other.id());
    write(environment);
    EXPECT_EQ(environment.readers(), readers) << "it stands where it stood";
    EXPECT_EQ(environment.clear_dead_readers(), 0);
    other.kill();
    EXPECT_EQ(environment.clear_dead_readers(), 1);
    EXPECT_TRUE(environment.readers().empty());
}

TEST_F(ReadersTest, ADeadOneIsClearedWheneverTheRoomIsMeasured) {
    OtherProcess other(directory.path(), 1);
    Environment environment({.directory = directory.path(), .map_bytes = std::size_t{1} << 24});
    HeadroomGauge gauge(
        environment, directory.path(), [] { return std::chrono::steady_clock::time_point(); });
    EXPECT_EQ(environment.readers().size(), 1U);
    other.kill();
    EXPECT_EQ(environment.readers().size(), 1U) << "nobody notices by itself";
    gauge.measure();
    EXPECT_TRUE(environment.readers().empty());
}

TEST_F(ReadersTest, SlotsOfTheDeadAreTakenWhenNoneIsFree) {
    OtherProcess other(directory.path(), slots);
    const Environment environment(
        {.directory = directory.path(), .map_bytes = std::size_t{1} << 24});
    EXPECT_THROW(environment.snapshot(), StoreError) << "all are alive";
    other.kill();
    EXPECT_NO_THROW(environment.snapshot());
    OtherProcess another(directory.path(), slots);
    another.kill();
    TempDirectory copy;
    EXPECT_NO_THROW(environment.copy_to(copy.path()));
}

}  // namespace
}  // namespace twophase::wal
