// The three real programs on ports that the kernel chose, with their stores in a folder of their
// own.
#pragma once

#include "http/json.hpp"
#include "http/message.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <unistd.h>
#include <vector>

namespace twophase::faults {

using http::Json;

/// How a program ended.
struct Ending {
    bool was_killed = false;  // by SIGKILL, as a crash point does
    int exit_code = 0;        // otherwise
    int signal = 0;
};

/// One of the three programs: "coordinator", "credit-participant" or "coupon-participant".
class Program {
public:
    Program(std::string name, std::filesystem::path folder, std::vector<std::string> arguments);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Starts it; with `crash_at` it ends itself at that crash point. Does not wait.
    void start(const std::string& crash_at = {});
    /// Until /readyz answers 200; false when it ended before.
    bool wait_ready();
    /// kill -9 and wait for the end.
    void kill();
    /// SIGTERM and wait for the end.
    Ending terminate();
    /// Waits up to `limit` for it to end by itself.
    std::optional<Ending> wait_end(std::chrono::milliseconds limit);
    bool is_running() const { return pid_ > 0; }
    /// Sends a signal, such as SIGSTOP.
    void signal(int number) const;
    /// A variable of the environment, for every start from now on.
    void set_environment(const std::string& name, const std::string& value);
    /// Where it logs from the next start on in place of log_file(): a descriptor of the caller's,
    /// or none, so that it starts with standard error closed.
    void log_to(std::optional<int> descriptor);
    /// More flags, from the next start on.
    void add_arguments(const std::vector<std::string>& more);
    pid_t pid() const { return pid_; }

    std::filesystem::path address_file() const;
    /// "file:…#" + base, to be read anew for every connection.
    std::string endpoint(const std::string& base = {}) const;
    std::filesystem::path data() const { return folder_ / name_; }
    std::filesystem::path log_file() const { return folder_ / (name_ + ".log"); }
    std::string log_tail() const;

private:
    std::optional<Ending> reap(bool wait);

    std::string name_;
    std::filesystem::path folder_;
    std::vector<std::string> arguments_;
    std::map<std::string, std::string> environment_;
    std::optional<int> log_to_;
    bool has_log_file_ = true;
    pid_t pid_ = -1;
};

struct FleetOptions {
    std::vector<std::string> coordinator;  // more flags
    std::vector<std::string> participants;
    bool is_proxied = false;  // they look for each other at NAME.proxy, where a Proxy listens
};

/// Short waits, so that a fault is over in tenths of a second; the rules are the defaults'.
FleetOptions quick(std::chrono::milliseconds vote_timeout = std::chrono::seconds(1),
                   std::chrono::milliseconds call_timeout = std::chrono::milliseconds(300));

class Fleet {
public:
    explicit Fleet(const FleetOptions& options = {});
    ~Fleet();

    Program coordinator;
    Program credit;
    Program coupon;

    Program& by_name(const std::string& name);
    /// Starts whatever is not running and waits until all three are ready.
    void start_all();

    const std::filesystem::path& folder() const { return folder_; }

    static std::filesystem::path make_folder();

private:
    Fleet(const FleetOptions& options, std::filesystem::path folder);
    std::filesystem::path folder_;
};

/// One request to a program, on a connection of its own. A test failure when there is no answer.
http::Response ask(const Program& program,
                   const std::string& method,
                   const std::string& target,
                   const Json& body = nullptr);
/// As ask(), and the answer as JSON.
Json ask_json(const Program& program,
              const std::string& method,
              const std::string& target,
              const Json& body = nullptr);
/// As ask(), but nothing when there is no answer.
std::optional<http::Response> try_ask(const Program& program,
                                      const std::string& method,
                                      const std::string& target,
                                      const Json& body = nullptr);

/// Looks at `claim` until it is true; false after `limit`.
template <class Claim>
bool eventually(std::chrono::milliseconds limit, const Claim& claim) {
    const auto end = std::chrono::steady_clock::now() + limit;
    for (unsigned pause = 1'000; !claim(); pause = std::min(2 * pause, 20'000U)) {
        if (std::chrono::steady_clock::now() > end) return false;
        ::usleep(pause);
    }
    return true;
}

}  // namespace twophase::faults
