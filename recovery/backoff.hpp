// How long to wait before the next try.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace twophase::recovery {

using Time = std::chrono::milliseconds;  // on the steady clock, or a simulator's

struct BackoffOptions {
    Time first{1'000};
    Time most{60'000};
};

/// Exponential backoff with full jitter: a wait chosen evenly from [0, min(most, first * 2^(n-1))]
/// for the nth failure in a row, so that peers that failed together don't come back together.
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
template <class Random>
Time backoff(const BackoffOptions& options, unsigned failures, Random& random) {
    const unsigned doublings = std::min(failures > 0 ? failures - 1 : 0U, 20U);
    const std::int64_t ceiling =
        std::min<std::int64_t>(options.most.count(), options.first.count() << doublings);
    return Time(std::uniform_int_distribution<std::int64_t>(0, ceiling)(random));
}

}  // namespace twophase::recovery
