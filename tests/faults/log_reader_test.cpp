// The log's reader stands still or goes away, the log is rotated, the terminal is closed: the
// programs go on, or end as they always do.
#include "tests/faults/failing_io.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/shared_page.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

constexpr int exit_store = 3;

class LogReaderTest : public testing::TestWithParam<const char*> {
protected:
    ~LogReaderTest() override {
        if (program_.is_running()) program_.kill();
        std::error_code ignored;
        if (!HasFailure()) std::filesystem::remove_all(folder_, ignored);
        for (int& end : ends_) close(end);
    }

    static void close(int& descriptor) {
        if (descriptor >= 0) ::close(descriptor);
        descriptor = -1;
    }
    void log_to_pipe() {
        ASSERT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
        program_.log_to(ends_[1]);
    }
    /// Through a description of its own: the program's keeps its flags.
    void fill_pipe() {
        int other = ::open(("/proc/self/fd/" + std::to_string(ends_[1])).c_str(),
                           O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        const std::string block(4096, '.');
        while (::write(other, block.data(), block.size()) > 0) {
        }
        close(other);
    }
    void log_to_terminal() {
        ends_[0] = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_EQ(::grantpt(ends_[0]), 0);
        ASSERT_EQ(::unlockpt(ends_[0]), 0);
        std::array<char, 64> name{};
        ASSERT_EQ(::ptsname_r(ends_[0], name.data(), name.size()), 0);
        ends_[1] = ::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
        program_.log_to(ends_[1]);
    }
    /// Reads the terminal until `text` came.
    bool reads(const std::string& text) {
        std::string all;
        return eventually(60s, [&] {
            pollfd ready{.fd = ends_[0], .events = POLLIN, .revents = 0};
            std::array<char, 4096> part{};
            while (::poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0) {
                const ssize_t got = ::read(ends_[0], part.data(), part.size());
                if (got <= 0) break;
                all.append(part.data(), static_cast<std::size_t>(got));
            }
            return all.find(text) != std::string::npos;
        });
    }
    bool logs(const std::string& text) {
        return eventually(60s, [&] { return program_.log_tail().find(text) != std::string::npos; });
    }
    void start() {
        program_.start();
        ASSERT_TRUE(program_.wait_ready());
    }
    void expect_works() {
        EXPECT_EQ(ask(program_, "GET", "/livez").status, 200U);
        EXPECT_EQ(ask_for_a_write(), is_coordinator() ? 409U : 201U);
    }
    bool is_coordinator() const { return GetParam() == std::string("coordinator"); }
    /// Something that the store has to sync.
    unsigned ask_for_a_write() {
        const std::string id = std::to_string(++writes_);
        const auto answer = is_coordinator()
                                ? try_ask(program_,
                                          "POST",
                                          "/v1/transactions",
                                          {{"business_code", "order"},
                                           {"business_id", id},
                                           {"timeout_ms", 100},
                                           {"wait_for", "decision"},
                                           {"branches",
                                            {{{"participant", "nobody"},
                                              {"operation", "op"},
                                              {"payload", Json::object()}}}}})
                                : try_ask(program_,
                                          "POST",
                                          "/v1/accounts",
                                          {{"user_id", "u" + id}, {"credit_type", "points"}});
        return answer ? answer->status : 0;
    }
    double dropped() {
        const std::string text = ask(program_, "GET", "/metrics").body;
        const std::string name = "\ntwophase_log_lines_dropped_total ";
        const std::size_t at = text.find(name);
        EXPECT_NE(at, std::string::npos);
        return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size()));
    }
    void write_config(const Json& config) {
        std::ofstream(folder_ / "config.json") << config.dump();
        if (writes_++ == 0)
            program_.add_arguments({"--config", (folder_ / "config.json").string()});
    }

    std::vector<std::string> arguments() const {
        if (!is_coordinator()) return {};
        return {"--participants", R"({"nobody": {"endpoint": "http://127.0.0.1:9/b"}})"};
    }
    std::filesystem::path folder_ = Fleet::make_folder();
    Program program_{GetParam(), folder_, arguments()};
    std::array<int, 2> ends_{-1, -1};  // of the pipe or the terminal; the program's is the second
    int writes_ = 0;
};

TEST_P(LogReaderTest, OneThatIsGoneCostsLinesOnly) {
    log_to_pipe();
    start();
    close(ends_[0]);
    program_.signal(SIGHUP);  // tells what it does in the log
    EXPECT_TRUE(eventually(60s, [&] { return dropped() > 0; }));
    expect_works();
    EXPECT_EQ(program_.terminate().exit_code, 0);
}

TEST_P(LogReaderTest, OneThatStandsStillHoldsUpNothing) {
    log_to_pipe();
    fill_pipe();
    const int flags = ::fcntl(ends_[1], F_GETFL);
    start();
    expect_works();
    EXPECT_EQ(::fcntl(ends_[1], F_GETFL), flags);
    EXPECT_EQ(program_.terminate().exit_code, 0);
}

TEST_P(LogReaderTest, OneThatStandsStillDoesNotKeepAProgramAliveWhoseStoreFailed) {
    const SharedPage<FailingPage> page(folder_ / "io");
    const char* options = std::getenv("ASAN_OPTIONS");
    program_.set_environment("FAILING_IO", page.file());
    program_.set_environment("LD_PRELOAD", FAILING_IO_LIBRARY);
    program_.set_environment(
        "ASAN_OPTIONS",
        (options == nullptr ? "" : std::string(options) + ":") + "verify_asan_link_order=0");
    log_to_pipe();
    fill_pipe();
    start();
    page->error = EIO;
    page->is_forever = true;
    page->calls_left = 1;
    page->call = Call::store_sync;
    ask_for_a_write();
    const auto ending = program_.wait_end(60s);
    ASSERT_TRUE(ending) << "it runs on";
    EXPECT_EQ(ending->exit_code, exit_store);
}

TEST_P(LogReaderTest, NoneFromTheStartIsNoneOfTheStoresFiles) {
    program_.log_to(std::nullopt);
    start();
    const std::string link = "/proc/" + std::to_string(program_.pid()) + "/fd/2";
    EXPECT_EQ(std::filesystem::read_symlink(link), "/dev/null");
    expect_works();
    EXPECT_EQ(program_.terminate().exit_code, 0);
}

TEST_P(LogReaderTest, AHangUpReopensTheLogAndReloadsItsLevel) {
    write_config({{"log_level", "error"}});
    start();
    std::filesystem::rename(program_.log_file(), folder_ / "log.1");
    write_config({{"log_level", "info"}, {"max_connections", 5'000}});
    program_.signal(SIGHUP);
    EXPECT_TRUE(logs("log_level is info")) << "in the new file";
    EXPECT_TRUE(logs("by a restart only: max_connections"));
    program_.signal(SIGHUP);
    EXPECT_TRUE(logs("is still " + std::filesystem::canonical(program_.log_file()).string()));
    expect_works();
    EXPECT_EQ(program_.terminate().exit_code, 0);
}

TEST_P(LogReaderTest, AHangUpWithSettingsThatCanNotBeUsedChangesNothing) {
    write_config({{"log_level", "info"}});
    start();
    write_config({{"log_level", "error"}, {"max_conections", 5'000}});
    program_.signal(SIGHUP);
    EXPECT_TRUE(logs("the settings stay as they are"));
    EXPECT_TRUE(logs("did you mean max_connections"));
    expect_works();
    EXPECT_EQ(program_.terminate().exit_code, 0);
    EXPECT_TRUE(logs("stopping")) << "at level info still";
}

TEST_P(LogReaderTest, AHangUpOfItsTerminalEndsAProgramInOrder) {
    log_to_terminal();
    start();
    close(ends_[0]);  // the terminal is gone
    program_.signal(SIGHUP);
    const auto ending = program_.wait_end(60s);
    ASSERT_TRUE(ending) << "it runs on";
    EXPECT_EQ(ending->exit_code, 0);
}

TEST_P(LogReaderTest, AHangUpThatWasIgnoredAtTheStartEndsNothing) {
    log_to_terminal();
    std::signal(SIGHUP, SIG_IGN);  // as nohup does
    start();
    std::signal(SIGHUP, SIG_DFL);
    program_.signal(SIGHUP);
    EXPECT_TRUE(reads("SIGHUP: log_level is info"));
    expect_works();
    EXPECT_EQ(program_.terminate().exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Each,
                         LogReaderTest,
                         testing::Values("coordinator", "credit-participant"),
                         [](const auto& test) {
                             return std::string(test.param) == "coordinator" ? "coordinator"
                                                                             : "credit";
                         });

}  // namespace
}  // namespace twophase::faults
