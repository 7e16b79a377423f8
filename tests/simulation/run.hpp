// One run: the three programs, their clients and operators, from one seed to the end.
#pragma once

#include "tests/simulation/coordinator_node.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/participant_node.hpp"
#include "tests/simulation/world.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace twophase::simulation {

/// What a run amounted to.
struct Report {
    std::uint64_t transactions = 0;
    std::uint64_t commits = 0;
    std::uint64_t rollbacks = 0;
    std::uint64_t events = 0;
    std::array<std::uint64_t, fault_kinds> faults{};
    std::map<std::string, std::uint64_t> crash_points;
    std::map<std::string, std::uint64_t> pairs;
    std::string violation;  // empty: none
    std::vector<std::string> trace;
};

/// Runs two exchanges, one of which is refused, while each program dies once at its point.
Report run_targets(const Targets& targets, const std::string& directory, bool keeps_trace = false);

/// Runs one seed. Stores live below `directory`, which must exist and is left empty.
Report run_seed(std::uint64_t seed, const std::string& directory, bool keeps_trace = false);

}  // namespace twophase::simulation
