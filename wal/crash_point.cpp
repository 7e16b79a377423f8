#include "wal/crash_point.hpp"

#ifdef TWOPHASE_CRASH_POINTS
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace twophase::wal {
namespace {

struct Target {
    std::string name;
    std::atomic<long> passes_left{1};

    Target() {
        const char* wanted = std::getenv("TWOPHASE_CRASH_AT");  // NOLINT(concurrency-mt-unsafe)
        if (wanted == nullptr) return;
        name = wanted;
        const auto colon = name.rfind(':');
        if (colon == std::string::npos) return;
        passes_left = std::strtol(name.c_str() + colon + 1, nullptr, 10);
        name.resize(colon);
    }
};

Target& target() {
    static Target the_target;
    return the_target;
}

}  // namespace

void crash_point(std::string_view name) {
    Target& at = target();
    if (at.name.empty() || name != at.name) return;
    if (at.passes_left.fetch_sub(1) == 1) std::raise(SIGKILL);
}

void crash_point(std::string_view before_or_after, std::string_view label) {
    if (target().name.empty() || label.empty()) return;
    crash_point(std::string(before_or_after) + "-" + std::string(label));
}

}  // namespace twophase::wal
#endif
