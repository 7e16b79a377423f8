#include "tests/recovery/recoveryctl_support.hpp"

#include "coordinator/log_entries.hpp"
#include "coordinator/record_codec.hpp"
#include "http/client.hpp"
#include "http/endpoint.hpp"
#include "http/server.hpp"
#include "wal/environment.hpp"
#include "wal/log_keys.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace twophase::recoveryctl::testing {
namespace {

using namespace twophase::coordinator;
using namespace std::chrono_literals;

std::string content_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Starts a program with its output and errors in files.
pid_t spawn(const char* program,
            std::vector<std::string> arguments,
            const std::string& out,
            const std::string& errors) {
    ::setenv("TWOPHASE_TEST_ANY_FILESYSTEM", "1", 1);
    ::unsetenv("TWOPHASE_COORDINATOR");
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), flags, 0600);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), flags, 0600);
    pid_t process = -1;
    const int failed = ::posix_spawn(&process, program, &actions, nullptr, argv.data(), ::environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error(std::string("can't start ") + program);
    return process;
}

}  // namespace

TempDirectory::TempDirectory() {
    std::string path = std::filesystem::temp_directory_path() / "recoveryctl-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = path;
}

TempDirectory::~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

Ended run(const std::vector<std::string>& arguments) {
    const TempDirectory files;
    const pid_t process = spawn(RECOVERYCTL, arguments, files / "out", files / "errors");
    int status = 0;
    ::waitpid(process, &status, 0);
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .out = content_of(files / "out"),
            .errors = content_of(files / "errors")};
}

RunningCoordinator::RunningCoordinator(const TempDirectory& directory)
    : url_("file:" + (directory / "address")) {
    // An address file that never appears: a participant that can't be reached.
    const std::string nowhere = "file:" + (directory / "nowhere") + "#/v1/branches";
    const Json participants{{"credit", {{"endpoint", nowhere}}},
                            {"coupon", {{"endpoint", nowhere}}}};
    process_ = spawn(COORDINATOR,
                     {"--port",
                      "0",
                      "--any-filesystem",
                      "--address-file",
                      directory / "address",
                      "--data",
                      directory / "data",
                      "--backups",
                      directory / "backups",
                      "--participants",
                      participants.dump()},
                     directory / "coordinator-out",
                     directory / "coordinator-errors");
    const auto endpoint = http::Endpoint::parse(url_).value();
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    for (;;) {
        const auto answer = http::call_once(endpoint, {.target = "/readyz"}, 5s);
        if (answer && answer->status == 200) return;
        const bool has_ended = ::waitpid(process_, nullptr, WNOHANG) != 0;
        if (has_ended || std::chrono::steady_clock::now() > deadline) {
            if (!has_ended) ::kill(process_, SIGKILL);
            throw std::runtime_error(content_of(directory / "coordinator-errors"));
        }
        std::this_thread::yield();
    }
}

RunningCoordinator::~RunningCoordinator() {
    ::kill(process_, SIGKILL);
    int status = 0;
    ::waitpid(process_, &status, 0);
}

std::string RunningCoordinator::start_transaction(const std::string& business_id) {
    const auto branch = [](const char* participant) {
        return Json{
            {"participant", participant}, {"operation", "deduct"}, {"payload", Json::object()}};
    };
    const Json body{{"business_code", "order"},
                    {"business_id", business_id},
                    {"timeout_ms", 20},
                    {"branches", {branch("credit"), branch("coupon")}}};
    const auto answer =
        http::call_once(http::Endpoint::parse(url_).value(),
                        {.method = "POST", .target = "/v1/transactions", .body = body.dump()},
                        30s);
    return Json::parse(answer.value().body).at("gid");
}

struct FakeServer::State {
    explicit State(http::Response answer)
        : server(io,
                 {},
                 [answer = std::move(answer)](const http::Request&, const http::Respond& respond) {
                     respond(answer);
                 }) {
        server.start();
    }
    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        io.get_executor()};
    http::Server server;
    std::thread thread;
};

FakeServer::FakeServer(http::Response response)
    : state_(std::make_unique<State>(std::move(response))),
      url_("http://127.0.0.1:" + std::to_string(state_->server.port())) {
    state_->thread = std::thread([&io = state_->io] { io.run(); });
}

FakeServer::~FakeServer() {
    boost::asio::post(state_->io,
                      [this] { state_->server.stop(0ms, [this] { state_->io.stop(); }); });
    state_->thread.join();
}

OpenLog::OpenLog(const std::string& directory) {
    wal::LogOptions options;
    options.store.directory = directory;
    options.store.id = "main";
    options.store.node = 1;
    options.store.map_bytes = std::size_t{64} << 20;
    options.store.any_filesystem = true;
    log_ = std::make_unique<wal::Log>(
        options, [this](std::function<void()> task) { boost::asio::post(io_, std::move(task)); });
}

OpenLog::~OpenLog() = default;

void OpenLog::append(const std::vector<Record>& records, std::uint32_t first_n) {
    std::vector<wal::Entry> entries;
    for (const Record& record : records)
        entries.push_back(to_entry({record, first_n++, true}, 1'700'000'000'000'000));
    append_entries(std::move(entries));
}

void OpenLog::append_payload(const Gid& gid, std::uint32_t n, const std::string& payload) {
    append_entries({wal::Entry{.gid = gid, .n = n, .payload = payload, .starts = std::nullopt}});
}

void OpenLog::append_entries(std::vector<wal::Entry> entries) {
    bool is_done = false;
    log_->append(std::move(entries), wal::Urgency::forced, [&](wal::Written) { is_done = true; });
    io_.restart();
    const auto work = boost::asio::make_work_guard(io_);
    while (!is_done) io_.run_one();
}

Folded OpenLog::fold(const Gid& gid) const {
    Folded folded;
    const auto stored = log_->read(gid);
    for (const wal::StoredRecord& record : stored.value().records)
        EXPECT_EQ(folded.fold(decode(gid, record.payload)->record), "");
    return folded;
}

Gid gid_number(std::uint64_t number) {
    GidMint mint(
        1, 1'700'000'000'000 + number, [] { return std::uint64_t{7}; }, 1);
    return mint.mint(0, UINT64_MAX).value();
}

std::string text(std::uint64_t number) { return to_text(gid_number(number)); }

Started started(std::uint64_t number, const std::string& business_id) {
    const auto branch = [](const char* id, const char* participant) {
        return BranchRequest{
            .branch_id = id, .participant = participant, .operation = "deduct", .payload = "{}"};
    };
    return {.gid = gid_number(number),
            .key = {.code = "order", .id = business_id},
            .branches = {branch("1", "credit"), branch("2", "coupon")}};
}

Decided committed(std::uint64_t number) {
    return {.gid = gid_number(number),
            .decision = Decision::commit,
            .why = {.code = "all_voted_yes", .message = {}, .branch = {}},
            .votes = {{.vote = Vote::prepared}, {.vote = Vote::prepared}}};
}

void make_log(const std::string& directory) {
    OpenLog log(directory);
    const auto done = [](std::uint64_t number, BranchIndex branch) {
        return BranchDone{gid_number(number), branch, How::committed, {}};
    };
    log.append(
        {started(1, "finished"), committed(1), done(1, 0), done(1, 1), Finished{gid_number(1)}});
    log.append({started(2, "delivering"), committed(2), done(2, 0)});
    log.append({started(3, "\x1b[31mundecided")});
}

void damage(const std::string& directory, const Gid& gid, std::uint32_t n) {
    wal::Environment environment({.directory = directory, .map_bytes = std::size_t{64} << 20});
    const wal::Table records = environment.find_table("records").value();
    wal::Batch batch = environment.batch();
    const std::string key = wal::record_key(gid, n);
    std::string frame(batch.get(records, key).value());
    frame[frame.size() / 2] = static_cast<char>(frame[frame.size() / 2] ^ 1);
    batch.put(records, key, frame);
    batch.commit();
}

}  // namespace twophase::recoveryctl::testing
