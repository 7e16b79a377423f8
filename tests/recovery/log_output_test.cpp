// The log before readers that are slow, stand still, come back or are gone.
#include "recovery/log_output.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cassert>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

namespace twophase::recovery {
namespace {

using namespace std::chrono_literals;

// Waiting ends as soon as the claim is true.
constexpr auto patience = 60s;

struct Pipe {
    explicit Pipe(int flags = 0) { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | flags), 0); }
    ~Pipe() {
        close_reader();
        ::close(ends[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    int to() const { return ends[1]; }
    int bytes() const { return ::fcntl(ends[1], F_GETPIPE_SZ); }
    /// Of a descriptor made anew, so that no flag of `to` is changed.
    void fill() const {
        const int other =
            ::open(("/proc/self/fd/" + std::to_string(to())).c_str(), O_WRONLY | O_NONBLOCK);
        const std::string block(4096, '.');
        while (::write(other, block.data(), block.size()) > 0) {
        }
        ::close(other);
    }
    /// The next `count` bytes.
    std::string read(std::size_t count) const {
        std::string text(count, 0);
        std::size_t done = 0;
        while (done < count) {
            const ssize_t got = ::read(ends[0], text.data() + done, count - done);
            if (got <= 0) break;
            done += static_cast<std::size_t>(got);
        }
        return text.substr(0, done);
    }
    void close_reader() {
        if (ends[0] >= 0) ::close(ends[0]);
        ends[0] = -1;
    }

    std::array<int, 2> ends{-1, -1};
};

class LogOutputTest : public testing::Test {
protected:
    LogOutputTest() { std::signal(SIGPIPE, SIG_IGN); }
    ~LogOutputTest() override { std::signal(SIGPIPE, SIG_DFL); }
};

TEST_F(LogOutputTest, LinesArriveInOrder) {
    const Pipe pipe;
    LogOutput output(pipe.to());
    output.write("one\n");
    output.write("two\n", true);
    EXPECT_EQ(pipe.read(8), "one\ntwo\n");
    EXPECT_TRUE(output.drain(patience));
    EXPECT_EQ(output.dropped(), 0U);
}

TEST_F(LogOutputTest, AFullPipeHoldsUpNobodyAndWhatIsDroppedIsCountedAndTold) {
    const Pipe pipe;
    pipe.fill();
    const int flags = ::fcntl(pipe.to(), F_GETFL);
    LogOutput output(pipe.to(), 8);
    output.write("one\n");
    output.write("two\n");
    for (int i = 0; i < 1000; ++i) output.write("lost\n");
    EXPECT_EQ(output.dropped(), 1000U);
    EXPECT_FALSE(output.drain(1ms)) << "nobody reads, and yet it comes to an end";
    EXPECT_EQ(::fcntl(pipe.to(), F_GETFL), flags);
    pipe.read(static_cast<std::size_t>(pipe.bytes()));
    EXPECT_EQ(pipe.read(8), "one\ntwo\n");
    EXPECT_TRUE(output.drain(patience));
    output.write("three\n");
    const std::string told = "[log] 1000 lines are missing here: nobody took them\nthree\n";
    EXPECT_EQ(pipe.read(told.size()), told);
}

TEST_F(LogOutputTest, ThereIsRoomForTheLastWord) {
    const Pipe pipe;
    pipe.fill();
    LogOutput output(pipe.to(), 8);
    for (int i = 0; i < 1000; ++i) output.write("another\n");
    const std::uint64_t before = output.dropped();
    output.write("why it ends\n", true);
    EXPECT_EQ(output.dropped(), before);
    const std::string huge(1 << 20, 'x');
    output.write(huge, true);
    EXPECT_EQ(output.dropped(), before + 1) << "that room has an end too";
    pipe.read(static_cast<std::size_t>(pipe.bytes()));
    EXPECT_TRUE(output.drain(patience));
}

TEST_F(LogOutputTest, AReaderThatIsGoneCostsLinesOnly) {
    Pipe pipe;
    LogOutput output(pipe.to());
    pipe.close_reader();
    output.write("nobody\n");
    output.write("hears\n");
    EXPECT_TRUE(output.drain(patience));
    EXPECT_EQ(output.dropped(), 2U);
}

TEST_F(LogOutputTest, AnotherReaderHearsHowManyAreMissing) {
    Pipe pipe;
    LogOutput output(pipe.to());
    const std::string name = "/proc/self/fd/" + std::to_string(pipe.to());
    pipe.close_reader();
    output.write("nobody hears\n");
    EXPECT_TRUE(output.drain(patience));
    pipe.ends[0] = ::open(name.c_str(), O_RDONLY);
    output.write("here again\n");
    const std::string told = "[log] 1 lines are missing here: nobody took them\nhere again\n";
    EXPECT_EQ(pipe.read(told.size()), told);
}

TEST_F(LogOutputTest, LinesAreWholeWhereSomebodyMadeThePipeNonBlocking) {
    const Pipe pipe(O_NONBLOCK);
    ::fcntl(pipe.ends[0], F_SETFL, 0);
    LogOutput output(pipe.to());
    const std::string longer_than_the_pipe(static_cast<std::size_t>(pipe.bytes()) * 3, 'x');
    output.write(longer_than_the_pipe + "\n");
    output.write("next\n");
    EXPECT_EQ(pipe.read(longer_than_the_pipe.size() + 6), longer_than_the_pipe + "\nnext\n");
    EXPECT_EQ(output.dropped(), 0U);
}

TEST_F(LogOutputTest, ADiskWithoutRoomCostsLinesOnly) {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(full, 0);
    {
        LogOutput output(full);
        output.write("no room\n");
        EXPECT_TRUE(output.drain(patience));
        EXPECT_EQ(output.dropped(), 1U);
    }
    ::close(full);
}

std::string text_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
}

class LogFileTest : public LogOutputTest {
protected:
    LogFileTest() {
        std::string name = (std::filesystem::temp_directory_path() / "log-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = std::filesystem::canonical(name);
        descriptor_ = ::open(file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    }
    ~LogFileTest() override {
        ::close(descriptor_);
        std::filesystem::remove_all(folder_);
    }
    std::filesystem::path file() const { return folder_ / "log"; }
    std::filesystem::path old() const { return folder_ / "log.1"; }

    std::filesystem::path folder_;
    int descriptor_ = -1;
};

TEST_F(LogFileTest, AFileThatWasRenamedIsMadeAnew) {
    LogOutput output(descriptor_);
    output.write("before\n");
    EXPECT_TRUE(output.drain(patience));
    std::filesystem::rename(file(), old());
    output.write("between\n");
    EXPECT_TRUE(output.drain(patience));
    EXPECT_NE(output.reopen().find("is reopened"), std::string::npos);
    output.write("after\n");
    EXPECT_TRUE(output.drain(patience));
    EXPECT_EQ(text_of(old()), "before\nbetween\n");
    EXPECT_EQ(text_of(file()), "after\n");
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(file()).permissions() & perms::others_all, perms::none);
    EXPECT_NE(output.reopen().find("is still"), std::string::npos);
}

TEST_F(LogFileTest, AFileThatCanNotBeMadeAnewStays) {
    LogOutput output(descriptor_);
    std::filesystem::rename(file(), old());
    std::filesystem::create_directory(file());
    EXPECT_NE(output.reopen().find("so the log stays"), std::string::npos);
    output.write("after\n");
    EXPECT_TRUE(output.drain(patience));
    EXPECT_EQ(text_of(old()), "after\n");
}

TEST_F(LogOutputTest, APipeIsNothingToReopen) {
    const Pipe pipe;
    LogOutput output(pipe.to());
    EXPECT_NE(output.reopen().find("no file"), std::string::npos);
}

using BrokenProgramDeathTest = LogOutputTest;

TEST_F(BrokenProgramDeathTest, LogsWhyItEnds) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    const auto fail = [] {
        log_to_stderr("program", "info");
        const bool holds = false;
        assert(holds);
    };
    EXPECT_EXIT(fail(), testing::KilledBySignal(SIGABRT), "broken invariant: .*: holds");
    const auto leave = [] {
        log_to_stderr("program", "info");
        std::thread([] { throw std::runtime_error("nobody catches"); }).join();
    };
    EXPECT_EXIT(leave(), testing::KilledBySignal(SIGABRT), "uncaught: nobody catches");
}

TEST_F(BrokenProgramDeathTest, EndsWhereNobodyReads) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    const auto fail = [] {
        const Pipe pipe;
        pipe.fill();
        ::dup2(pipe.to(), STDERR_FILENO);
        log_to_stderr("program", "info");
        const bool holds = false;
        assert(holds);
    };
    EXPECT_EXIT(fail(), testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace twophase::recovery
