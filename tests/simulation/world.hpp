// Virtual time, chance, the network and its faults: everything around the simulated programs.
#pragma once

#include "http/message.hpp"
#include "recovery/surroundings.hpp"
#include "tests/simulation/chance.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::simulation {

using Microseconds = std::int64_t;

/// What can be done to a run. A delay is not among them.
enum class Fault {
    request_lost,
    request_repeated,
    reply_lost,
    reply_garbled,
    request_late,  // so late that its sender has given up
    partition,
    crash,           // kill -9 at some moment
    crash_at_point,  // kill -9 at a named crash point
    power_loss,
    commit_failed,  // EIO, at the programs' commits
    log_full,
    clock_jump,
    slow_disk,
    operator_acts,
    duplicate_submission,
    client_gone,
    log_lost,        // the coordinator's folder is empty at its next start
    log_set_back,    // a copy taken some time before is started in its place
    log_snapshot,    // as that, in place: the same file beside the same note
    log_moved,       // the folder is copied while stopped: nothing is lost
    log_restored,    // a backup taken some time before is restored
    log_doubled,     // a second coordinator works on a copy under the same id
    store_set_back,  // a participant's store is an older copy
    store_emptied,
    operator_errs,  // the wrong folder is put back first
    count,
};
std::string_view fault_name(Fault fault);
constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::count);

/// A run's plan, drawn from its seed: which faults, how often, and all sizes and times.
struct Plan {
    explicit Plan(std::uint64_t seed);
    /// Of one crash at a time: no other fault, all times short.
    static Plan scripted();
    /// One in so many occasions; 0: this run is free of it.
    std::array<std::uint64_t, fault_kinds> one_in{};
    Microseconds latency = 0;    // of a message, at most
    Microseconds sync_time = 0;  // of a commit, at most
    std::size_t batch = 0;       // jobs in a commit, at most
    int transactions = 0;
    int users = 0;
    int clients = 0;  // submissions at once
    std::int64_t first_balance = 0;
    std::int64_t stock = 0;
    bool takes_arrays = false;
    recovery::Time vote_timeout{};
    recovery::Time call_timeout{};
    recovery::Time retry_first{};
    recovery::Time sweep{};
    recovery::Time inquire_after{};
    bool is_scripted = false;  // clients: one exchange that commits, one that is refused
    bool has_mishaps = false;  // logs and stores are lost, copied, doubled
    int hours_between = 0;     // of nothing, now and then, so that retention runs
};

/// Instead of chance: each program dies once, at its point, and they come back in this order.
struct Targets {
    std::map<std::string, std::string> points;  // by node
    std::vector<std::string> restart_order;
};

/// Thrown by a crash point that strikes; no std::exception, so that nothing on the way takes it.
struct Crashed {};

/// A claim about the system that turned out false.
struct Violation {
    std::string claim;
};

class Node;

class World {
public:
    World(std::uint64_t seed, bool keeps_trace, std::optional<Targets> targets);

    Chance chance;
    Plan plan;
    std::array<std::uint64_t, fault_kinds> faults{};
    std::map<std::string, std::uint64_t> crash_points;  // struck, by node kind and name
    std::optional<Targets> targets;
    bool is_faulty = true;  // off in the last phase: then everything must end

    Microseconds now() const { return now_; }
    /// Runs at `when` unless `node` has crashed since; a null node never does.
    void at(Microseconds when, Node* node, std::function<void()> function);
    /// One event; false when none is left.
    bool step();
    Microseconds next_at() const { return queue_.empty() ? now_ : queue_.top().when; }
    std::uint64_t events() const { return events_; }

    /// True when this fault strikes now; counted.
    bool strikes(Fault fault);
    /// Counts what strikes() did not draw.
    void count(Fault fault) { ++faults[static_cast<std::size_t>(fault)]; }

    void note(const std::string& line);
    bool keeps_trace() const { return keeps_trace_; }
    const std::vector<std::string>& trace() const { return trace_; }
    [[noreturn]] void fail(std::string claim);

    void add(Node& node) { nodes_.push_back(&node); }
    Node* find(const std::string& host) const;
    /// Whom a request to this host reaches, where it is not the node of that name.
    std::function<Node*(const std::string& host)> redirect;
    /// What this node has sent, and answered, arrives no more.
    void silence(const Node& node) { silenced_at_[&node] = now_; }
    /// Before each request leaves.
    std::function<void()> watch_calls;
    /// A request from `from`'s present life to whoever is called `host`.
    void call(Node& from,
              const std::string& host,
              http::Request request,
              recovery::Time timeout,
              recovery::Peer::Done done);

private:
    struct Event {
        Microseconds when;
        std::uint64_t number;
        Node* node;
        std::uint64_t life;
        std::function<void()> function;
        friend bool operator>(const Event& a, const Event& b) {
            return a.when != b.when ? a.when > b.when : a.number > b.number;
        }
    };
    bool is_silenced(const Node& node, Microseconds sent_at) const {
        const auto found = silenced_at_.find(&node);
        return found != silenced_at_.end() && sent_at <= found->second;
    }
    Microseconds transit();
    void deliver(Node& to, const http::Request& request, const http::Respond& respond);
    http::Result<http::Response> garble(http::Response response);

    bool keeps_trace_;
    Microseconds now_ = 1'000'000;
    std::uint64_t events_ = 0;
    std::uint64_t numbers_ = 0;
    std::vector<std::string> trace_;
    std::vector<Node*> nodes_;
    std::map<const Node*, Microseconds> silenced_at_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> queue_;
    http::Response stray_{.status = 200, .body = "{}"};  // what was once answered to somebody
    Microseconds stray_at_ = 0;
    Microseconds cut_until_ = 0;  // a partition: `cut_` neither hears nor is heard
    const Node* cut_ = nullptr;
};

}  // namespace twophase::simulation
