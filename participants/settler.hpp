// Settles a damaged branch by an operator's word: its coordinator's log tells what became of it.
#pragma once

#include "http/endpoint.hpp"
#include "http/router.hpp"
#include "participants/branches.hpp"
#include "participants/request_queue.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace twophase::participants {

struct SettlerOptions {
    std::map<std::string, http::Endpoint> coordinators;  // by id
    std::chrono::milliseconds timeout{10'000};           // of the question to the coordinator
};

/// Belongs to the loop.
class Settler {
public:
    /// All arguments but `options` must outlive this.
    Settler(recovery::Surroundings& around,
            SettlerOptions options,
            const Branches& branches,
            RequestQueue& queue,
            Clock clock);
    ~Settler();
    Settler(const Settler&) = delete;
    Settler& operator=(const Settler&) = delete;

    /// POST /v1/branches/{gid}/{branch_id}/settle with a `reason`, and the `coordinator` where more
    /// than one is configured. 200 once it is durable; 409 where the branch is not damaged, or the
    /// log doesn't tell its outcome; 404 where the log doesn't know it.
    void add_route(http::Router& router);
    /// Asks nothing more; who waits is not answered.
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::participants
