// A client's request to start a transaction: from HTTP to a checked Submission.
#pragma once

#include "coordinator/config.hpp"
#include "coordinator/service.hpp"
#include "http/message.hpp"

#include <boost/system/result.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace twophase::coordinator {

/// How long the client wants to wait, and for what.
struct Waiting {
    Milestone milestone = Milestone::completed;
    std::chrono::milliseconds limit{};
    /// What of the client's preferences (RFC 7240) is followed; `wait` is the limit then.
    bool responds_async = false;
    std::optional<std::chrono::seconds> wait;
};

/// The value of Preference-Applied for an answer with `status`; empty: none was applied.
std::string preference_applied(const Waiting& waiting, unsigned status);

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
