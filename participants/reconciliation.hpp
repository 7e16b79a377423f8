// A participant holds its books against each other, and its branches against the coordinators'
// logs: on a schedule and when asked.
#pragma once

#include "http/endpoint.hpp"
#include "http/message.hpp"
#include "participants/books.hpp"
#include "participants/branches.hpp"
#include "participants/reconciliation_report.hpp"
#include "participants/request_queue.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace twophase::participants {

struct ReconciliationOptions {
    std::string participant;                                  // our name
    std::set<std::string> former_names = {};                  // those that this store had before
    std::map<std::string, http::Endpoint> coordinators;       // by id
    std::chrono::milliseconds every = std::chrono::hours(1);  // 0: only when asked
    std::int64_t correct_below = 100;
    std::chrono::milliseconds timeout{30'000};  // of one comparison
    std::chrono::milliseconds pause{10};        // between two comparisons: others use that loop too
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
    /// A person acknowledges a finding of the last report, with its numbers: it stays in the
    /// report, and is neither alerted nor audited again until they change. A restored store isn't
    /// opened by it. `respond` gets 200 once that is durable and in the audit; 404 where the last
    /// report has no such finding.
    void acknowledge(const std::string& kind,
                     const std::string& subject,
                     const std::string& reason,
                     const Origin& who,
                     http::Respond respond);
    /// The last run's; nothing before the first one ended.
    const std::optional<ReconciliationReport>& last() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::participants
