#include "wal/crash_point.hpp"

#ifdef TWOPHASE_CRASH_POINTS
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace twophase::wal {
namespace {

// NOLINTBEGIN(concurrency-mt-unsafe): nobody changes the environment
CrashPage* shared_page() {
    const char* file = std::getenv("TWOPHASE_CRASH_PAGE");
    const int opened = file == nullptr ? -1 : ::open(file, O_RDWR | O_CLOEXEC);
    if (opened < 0) return nullptr;
    void* at = ::mmap(nullptr, sizeof(CrashPage), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    ::close(opened);
    return at == MAP_FAILED ? nullptr : static_cast<CrashPage*>(at);
}

void arm_as_told(CrashPage& page) {
    const char* wanted = std::getenv("TWOPHASE_CRASH_AT");
    if (wanted == nullptr) return;
    const std::string_view text = wanted;
    const auto colon = std::min(text.rfind(':'), text.size());
    text.substr(0, colon).copy(page.name, sizeof page.name - 1);
    page.passes_left = colon < text.size() ? std::strtol(wanted + colon + 1, nullptr, 10) : 1;
}
// NOLINTEND(concurrency-mt-unsafe)

CrashPage& armed() {
    static CrashPage own;
    static CrashPage* const page = [] {
        CrashPage* shared = shared_page();
        if (shared == nullptr) arm_as_told(own);
        return shared != nullptr ? shared : &own;
    }();
    return *page;
}

}  // namespace

void crash_point(std::string_view name) {
    CrashPage& page = armed();
    if (page.passes_left < 1 || name != page.name) return;
    if (page.passes_left.fetch_sub(1) == 1) std::raise(SIGKILL);
}

void crash_point(std::string_view before_or_after, std::string_view label) {
    if (armed().passes_left < 1 || label.empty()) return;
    crash_point(std::string(before_or_after) + "-" + std::string(label));
}

}  // namespace twophase::wal
#endif
