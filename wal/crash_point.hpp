// Named places where a fault test may end the process. Absent from every build but the tests'.
#pragma once

#include <string_view>

namespace twophase::wal {

#ifdef TWOPHASE_CRASH_POINTS
/// Ends the process as kill -9 would, at the Nth passing of the point that the environment variable
/// TWOPHASE_CRASH_AT names ("name" or "name:N"). Any thread.
void crash_point(std::string_view name);
void crash_point(std::string_view before_or_after, std::string_view label);  // "before-decided"
#else
inline void crash_point(std::string_view) {}
inline void crash_point(std::string_view, std::string_view) {}
#endif

}  // namespace twophase::wal
