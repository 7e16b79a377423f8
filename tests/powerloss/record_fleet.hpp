// A recording of the three real programs under load, with what clients were told.
#pragma once

#include "tests/faults/load.hpp"
#include "tests/powerloss/recording.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace twophase::powerloss {

/// What happens while it is recorded.
struct Loading {
    std::size_t exchanges = 120;
    std::size_t clients = 6;
    std::string killed;            // "coordinator", "credit" or "coupon", and restarted; or nobody
    std::uint64_t kill_after = 0;  // events of that program
};

/// Starts the programs from nothing, opens the books, lets clients exchange, ends the programs; all
/// of it recorded, and last what the clients asked for. Failures are test failures.
void record_fleet(faults::Fleet& fleet, const Recorded& recorded, const Loading& loading);

/// The exchange that a note tells of, as it was before anything was told; or nothing.
std::optional<faults::Exchange> asked_in(const std::string& note);

}  // namespace twophase::powerloss
