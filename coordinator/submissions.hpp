// A client's request to start a transaction: from HTTP to a checked Submission.
#pragma once

#include "coordinator/config.hpp"
#include "coordinator/service.hpp"
#include "http/message.hpp"

#include <boost/system/result.hpp>

#include <chrono>

namespace twophase::coordinator {

/// How long the client wants to wait, and for what.
struct Waiting {
    Milestone milestone = Milestone::completed;
    std::chrono::milliseconds limit{};
};

struct ReadSubmission {
    Submission submission;
    Waiting waiting;
};

/// Reads the body and the headers Idempotency-Key, Prefer, X-Request-Id, X-Actor, traceparent.
/// The error is the answer to give: 400 with the field, or 422 where the form is right and the
/// content impossible here.
boost::system::result<ReadSubmission, http::Response> read_submission(const http::Request& request,
                                                                      const Config& config);

}  // namespace twophase::coordinator
