// What the tests of recoveryctl share: runs of programs, and a log with something of each kind.
#pragma once

#include "coordinator/protocol/protocol.hpp"
#include "http/json.hpp"
#include "http/message.hpp"
#include "wal/log.hpp"

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace twophase::recoveryctl::testing {

using coordinator::Gid;
using http::Json;

class TempDirectory {
public:
    TempDirectory();
    ~TempDirectory();
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    std::string operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// How a run of recoveryctl ended, and what it wrote.
struct Ended {
    int exit_code = -1;
    std::string out;
    std::string errors;
    /// `out` as JSON; discarded when it is none.
    Json json() const { return Json::parse(out, nullptr, false); }
};

/// Runs recoveryctl to its end, without a terminal.
Ended run(const std::vector<std::string>& arguments);

/// A coordinator that runs, and whose participants can't be reached; killed at the end.
class RunningCoordinator {
public:
    explicit RunningCoordinator(const TempDirectory& directory);
    ~RunningCoordinator();
    RunningCoordinator(const RunningCoordinator&) = delete;
    RunningCoordinator& operator=(const RunningCoordinator&) = delete;
    /// "file:/…", for --coordinator.
    const std::string& url() const { return url_; }
    /// Starts a transaction that rolls back, and can't tell the participants; its gid.
    std::string start_transaction(const std::string& business_id);

private:
    std::string url_;
    pid_t process_ = -1;
};

/// Answers every request with `response`, on a thread of its own.
class FakeServer {
public:
    explicit FakeServer(http::Response response);
    ~FakeServer();
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;
    const std::string& url() const { return url_; }

private:
    struct State;
    std::unique_ptr<State> state_;
    std::string url_;
};

/// A coordinator's log, open.
class OpenLog {
public:
    explicit OpenLog(const std::string& directory);
    ~OpenLog();
    OpenLog(const OpenLog&) = delete;
    OpenLog& operator=(const OpenLog&) = delete;
    /// Appends the transaction's next records and waits until they are durable.
    void append(const std::vector<coordinator::Record>& records, std::uint32_t first_n = 0);
    void append_payload(const Gid& gid, std::uint32_t n, const std::string& payload);
    coordinator::Folded fold(const Gid& gid) const;
    wal::Log& log() { return *log_; }

private:
    void append_entries(std::vector<wal::Entry> entries);
    boost::asio::io_context io_{1};
    std::unique_ptr<wal::Log> log_;
};

Gid gid_number(std::uint64_t number);
std::string text(std::uint64_t number);
/// A two-phase transaction over credit (branch 1) and coupon (branch 2).
coordinator::Started started(std::uint64_t number, const std::string& business_id);
coordinator::Decided committed(std::uint64_t number);

/// Transaction 1 is finished, 2 is committed with branch 2 open, 3 is undecided.
void make_log(const std::string& directory);

/// Flips a bit of the stored record (gid, n) of a stopped log, behind its back.
void damage(const std::string& directory, const Gid& gid, std::uint32_t n);

}  // namespace twophase::recoveryctl::testing
