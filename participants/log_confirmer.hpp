// Asks a coordinator which log it works on, before a log that is new here is listened to: whoever
// sends a message can claim anything, but only the configured URL is believed.
#pragma once

#include "http/endpoint.hpp"
#include "participants/branches.hpp"
#include "participants/request_queue.hpp"
#include "recovery/backoff.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace twophase::participants {

struct LogConfirmerOptions {
    std::string participant = {};                        // our name
    std::map<std::string, http::Endpoint> coordinators;  // by id
    std::chrono::milliseconds timeout{2'000};            // of one question
    recovery::BackoffOptions backoff;                    // after a question that confirmed nothing
};

/// One question at a time for each coordinator; who asks meanwhile shares its answer. Belongs to
/// the loop's thread.
class LogConfirmer {
public:
    /// `around`, `branches` and `queue` outlive this.
    LogConfirmer(recovery::Surroundings& around,
                 LogConfirmerOptions options,
                 const Branches& branches,
                 RequestQueue& queue,
                 Clock clock);
    ~LogConfirmer();
    LogConfirmer(const LogConfirmer&) = delete;
    LogConfirmer& operator=(const LogConfirmer&) = delete;

    /// Asks `GET {coordinator}/v1/identity`, and listens to the log that it names when it says that
    /// it is open and the one known here, if any, is among those that it replaces. `then` runs
    /// once, on the loop, when that is durable, or known not to be: at once where the coordinator
    /// isn't configured, or was asked in vain a moment ago.
    void confirm(const std::string& coordinator, std::function<void()> then);
    /// A message told a low-water mark that lies ahead of our clock: asks the same question, whose
    /// answer tells the mark too. At most once a second.
    void confirm_mark(const std::string& coordinator);
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::participants
