// Sends requests to the participant under test.
#pragma once

#include "http/endpoint.hpp"
#include "tests/conformance/answer.hpp"

#include <chrono>
#include <vector>

namespace twophase::conformance {

class Caller {
public:
    Caller(http::Endpoint participant, std::chrono::milliseconds timeout)
        : participant_(std::move(participant)), timeout_(timeout) {}

    /// 429 and 503 are no answers: asked again until the timeout is over.
    Answer call(const Request& request) const;
    /// All at the same time, a connection each; the answers in their order.
    std::vector<Answer> call_together(const std::vector<Request>& requests) const;
    /// Once, whatever comes.
    Answer try_once(const Request& request) const;

private:
    std::vector<Answer> send(const std::vector<Request>& requests) const;

    http::Endpoint participant_;
    std::chrono::milliseconds timeout_;
};

}  // namespace twophase::conformance
