// The checks, as tables: what each claims, what the contract says, and why it matters.
#pragma once

#include "tests/conformance/session.hpp"

#include <vector>

namespace twophase::conformance {

/// What a check needs beyond the five members that are always given.
enum Needs : unsigned {
    nothing = 0,
    refused_payload = 1,
    batch = 2,
    restart = 4,
    saga = 8,
    listen = 16,
    observe = 32,
    fill = 64,
};

struct Check {
    const char* group;
    const char* name;
    const char* claim;
    const char* contract;      // what ARCHITECTURE section 7 says
    const char* why;           // what goes wrong where it doesn't hold
    unsigned needs = nothing;  // of Needs
    void (*run)(Session& session) = nullptr;
};

std::vector<Check> vote_checks();
std::vector<Check> end_checks();
std::vector<Check> identity_checks();
std::vector<Check> epoch_checks();
std::vector<Check> in_doubt_checks();
std::vector<Check> batch_checks();
std::vector<Check> hostile_checks();
std::vector<Check> concurrency_checks();
std::vector<Check> effects_checks();
std::vector<Check> restart_checks();
std::vector<Check> full_checks();
std::vector<Check> saga_checks();
std::vector<Check> inquiry_checks();
std::vector<Check> log_checks();

/// All of them, in the order in which they run.
const std::vector<Check>& all_checks();

}  // namespace twophase::conformance
