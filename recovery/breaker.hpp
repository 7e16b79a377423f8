// Whether a peer is worth calling now: opens after failures in a row, then lets single probes
// through.
#pragma once

#include "recovery/backoff.hpp"

#include <algorithm>
#include <utility>

namespace twophase::recovery {

struct BreakerOptions {
    unsigned failures_to_open = 3;  // in a row
    Time most_between_probes{5'000};
};

/// One peer's breaker. Closed: everything may leave. Open: one probe at a time, at most
/// most_between_probes apart.
class Breaker {
public:
    explicit Breaker(BreakerOptions options = {}, BackoffOptions backoff_options = {})
        : options_(options), backoff_(backoff_options) {}

    bool is_open() const { return is_open_; }
    /// When the next probe may leave; only while open.
    Time probe_at() const { return probe_at_; }
    unsigned failures() const { return failures_; }

    /// A clear answer of any kind. True when this closed the breaker.
    bool succeeded() {
        failures_ = 0;
        not_before_ = Time::min();
        return std::exchange(is_open_, false);
    }

    /// No clear answer. `may_be_item`: the items have failed before while the peer was there, so
    /// that they may be at fault: poisoned items open nothing. `at_least`: how long the peer asked
    /// to be left alone; while the breaker is open, no probe leaves before that.
    template <class Random>
    void failed(bool may_be_item, Time now, Random& random, Time at_least = Time{0}) {
        if (!may_be_item || is_open_) ++failures_;
        is_open_ = is_open_ || failures_ >= options_.failures_to_open;
        not_before_ = std::max(not_before_, now + at_least);
        if (!is_open_) return;
        const Time wait = backoff(backoff_, failures_, random);
        probe_at_ = std::max(not_before_, now + std::min(wait, options_.most_between_probes));
    }

private:
    BreakerOptions options_;
    BackoffOptions backoff_;
    bool is_open_ = false;
    unsigned failures_ = 0;
    Time probe_at_{};
    Time not_before_ = Time::min();  // the peer asked for it
};

}  // namespace twophase::recovery
