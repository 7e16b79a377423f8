// A participant holds its books against each other, and its branches against the coordinators'
// logs: on a schedule and when asked.
#pragma once

#include "http/endpoint.hpp"
#include "participants/books.hpp"
#include "participants/branches.hpp"
#include "participants/finding.hpp"
#include "participants/request_queue.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace twophase::participants {

struct ReconciliationOptions {
    std::string participant;                                  // our name
    std::map<std::string, http::Endpoint> coordinators;       // by id
    std::chrono::milliseconds every = std::chrono::hours(1);  // 0: only when asked
    std::int64_t correct_below = 100;
    std::chrono::milliseconds timeout{30'000};  // of one comparison
    std::chrono::milliseconds pause{10};        // between two comparisons: others use that loop too
};

/// What came of one run.
struct ReconciliationReport {
    std::int64_t started_at = 0;  // microseconds since 1970
    std::int64_t finished_at = 0;
    std::map<std::string, std::size_t> checked;  // how many accounts, branches, ...
    struct Compared {
        std::string coordinator;
        std::size_t branches = 0;
        std::size_t of_replaced_logs = 0;
        bool is_whole = false;
        std::string fault;                      // why it isn't
        bool has_forgotten_later_ones = false;  // see Compared
        bool is_damaged = false;  // nor will be: what is known of this coordinator is damaged here
    };
    std::vector<Compared> compared;
    std::vector<Finding> findings;  // the first ones
    std::size_t found = 0;          // all of them
    std::size_t corrected = 0;
    std::string fault;  // why something couldn't be checked or written down

    /// Everything was looked at, and every coordinator answered.
    bool is_whole() const;
    /// Another run will not see more: it is whole, but for what is damaged.
    bool is_final() const;
};

/// The look around runs on a thread of its own, over short snapshots; second looks go through the
/// queue like any request; coordinators are asked from the loop, to which all else belongs.
class Reconciliation {
public:
    struct Parts {
        recovery::Surroundings& around;
        const TableOf& table_of;
        const Branches& branches;
        const Books* kind;  // may be none
        RequestQueue& queue;
        Clock clock;
    };
    using Done = std::function<void(const ReconciliationReport&)>;
    using Alert = std::function<void(const Finding&)>;

    /// What `parts` names must outlive this. `alert` gets every finding that was left alone,
    /// `ended` the report of every run, before those who asked for it.
    Reconciliation(Parts parts, ReconciliationOptions options, Alert alert, Done ended);
    ~Reconciliation();
    Reconciliation(const Reconciliation&) = delete;
    Reconciliation& operator=(const Reconciliation&) = delete;

    /// Begins to run on a schedule.
    void start();
    /// Ends a run that is under way; who waits for it is not answered. Waits for its thread.
    void stop();

    /// Runs now, or joins the run that is under way; `done` is called once at its end.
    void run(Done done);
    bool is_running() const;
    /// The last run's; nothing before the first one ended.
    const std::optional<ReconciliationReport>& last() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::participants
