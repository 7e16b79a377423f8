// Asks the coordinator about branches that have been in doubt for too long: a participant that
// voted yes never gives up by itself.
#pragma once

#include "http/endpoint.hpp"
#include "participants/branches.hpp"
#include "participants/request_queue.hpp"
#include "recovery/backoff.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace twophase::participants {

struct InquirerOptions {
    std::string participant;                             // our name
    std::map<std::string, http::Endpoint> coordinators;  // by id
    std::chrono::milliseconds inquire_after{5'000};      // in doubt for this long
    std::chrono::milliseconds look_every{1'000};
    std::chrono::milliseconds timeout{5'000};  // of one inquiry
    std::size_t most_in_flight = 16;
    recovery::BackoffOptions backoff;
};

/// Looks through the branches in doubt on a schedule, asks about the old ones, and carries out what
/// the coordinator decided as if it had said so itself. Belongs to the loop's thread.
class Inquirer {
public:
    /// `around`, `branches` and `queue` must outlive this.
    Inquirer(recovery::Surroundings& around,
             InquirerOptions options,
             const Branches& branches,
             RequestQueue& queue,
             Clock clock);
    ~Inquirer();
    Inquirer(const Inquirer&) = delete;
    Inquirer& operator=(const Inquirer&) = delete;

    void start();
    /// Asks nothing more and closes its connections.
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::participants
