// How fast a coordinator is back: start-up against the size of its history, and a backlog in doubt
// beside live traffic.
#pragma once

#include "tests/bench/report.hpp"
#include "tests/bench/rounds.hpp"

#include <cstddef>

namespace twophase::bench {

/// Seconds from the start of the coordinator's process until /readyz says ready; the least of
/// some. It is stopped before and runs afterwards.
double startup_seconds(Place& place);

/// Kills the coordinator, leaves `backlog` transactions in doubt, starts it again, and measures how
/// long it takes until all are resolved, with 16 clients who go on meanwhile. Throws unless every
/// one ended as it had to.
void recover(Report& report, Place& place, std::size_t backlog, std::chrono::milliseconds round);

/// 64 clients for that long: memory and descriptors of all three, as they began and as they end.
void soak(Report& report, Place& place, std::chrono::minutes length);

}  // namespace twophase::bench
