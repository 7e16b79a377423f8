// What lists and exports leave of the rate: the exchange beside clients that list, and beside
// clients that burn as much processor time without asking anybody.
#pragma once

#include "tests/bench/report.hpp"
#include "tests/bench/rounds.hpp"

namespace twophase::bench {

/// Rounds in turn with four clients beside 64 that exchange: listing, burning what those took,
/// exporting, burning. Reports the rates as ratios, listing over burning and exporting over
/// burning, and how many pages were read.
void measure_beside(Report& report, Place& place, const Length& length);

}  // namespace twophase::bench
