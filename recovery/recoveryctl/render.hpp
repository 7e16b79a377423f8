// What a coordinator answers, as people read it.
#pragma once

#include "http/json.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace twophase::recoveryctl {

using http::Json;
using WallTime = std::chrono::system_clock::time_point;

/// "42s", "7min", "3h", "12d".
std::string age_text(const Json& item, WallTime now);

/// A table: gid, state, decision, attempt, business key, participants, age.
std::string list_text(const Json& items, WallTime now);
/// One transaction: what it is, its branches, its timeline, and what to do next.
std::string details_text(const Json& details, const std::string& flags, WallTime now);
/// The commands worth trying for a transaction that isn't over; `flags` as Source::flags().
std::vector<std::string> advice(const Json& details, const std::string& flags, WallTime now);
/// What ending this branch so will do, for the person who is about to; `how` as the API's. Empty
/// where nothing is to be said.
std::string consequence_text(const Json& details,
                             const std::string& branch_id,
                             const std::string& how);
/// Dead letters, and what can be done about them.
std::string dead_letters_text(const Json& items, const std::string& flags);
std::string participants_text(const Json& items);
/// Names and values, nested ones as name.name.
std::string members_text(const Json& object);

}  // namespace twophase::recoveryctl
