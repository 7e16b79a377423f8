// Named places where a fault test may end the process. Absent from every build but the tests'.
#pragma once

#include <atomic>
#include <string_view>

namespace twophase::wal {

/// Which point is armed: of one process, or in a file that a test shares with it while it runs.
struct CrashPage {
    std::atomic<long> passes_left{0};  // the pass that takes it to 0 ends the process; 0: none does
    char name[64] = {};                // written while passes_left is 0
};

#ifdef TWOPHASE_CRASH_POINTS
/// Ends the process as kill -9 would, at the Nth passing of the point that the environment variable
/// TWOPHASE_CRASH_AT names ("name" or "name:N"), or that is armed in the CrashPage in the file that
/// TWOPHASE_CRASH_PAGE names. Any thread.
void crash_point(std::string_view name);
void crash_point(std::string_view before_or_after, std::string_view label);  // "before-decided"
#else
inline void crash_point(std::string_view) {}
inline void crash_point(std::string_view, std::string_view) {}
#endif

}  // namespace twophase::wal
