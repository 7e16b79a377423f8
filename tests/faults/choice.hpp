// What a run of the fault tests covers: a part that changes by day, or with FAULTS_ALL=1 the whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace twophase::faults {

inline bool is_everything_wanted() { return std::getenv("FAULTS_ALL") != nullptr; }

/// Days since 1970, or what FAULTS_DAY says: the seed of what changes by day.
inline std::uint64_t day() {
    if (const char* wanted = std::getenv("FAULTS_DAY")) return std::strtoull(wanted, nullptr, 10);
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::days>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
}

/// A case that FAULTS_ONLY, where it is set, means.
inline bool is_wanted(const std::string& name) {
    const char* only = std::getenv("FAULTS_ONLY");
    return only == nullptr || name.find(only) != std::string::npos;
}

}  // namespace twophase::faults
