// The standard process_* metrics.
#include "recovery/program_metrics.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace twophase::recovery {
namespace {

/// Of proc(5), /proc/PID/stat: counted from the field behind the name, which may hold blanks.
constexpr std::size_t user_ticks = 11;
constexpr std::size_t system_ticks = 12;
constexpr std::size_t start_ticks = 19;
constexpr std::size_t virtual_bytes = 20;
constexpr std::size_t resident_pages = 21;

using Fields = std::array<double, resident_pages + 1>;

bool read_fields(Fields& fields) {
    std::ifstream file("/proc/self/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t end_of_name = text.rfind(')');
    if (end_of_name == std::string::npos) return false;
    std::istringstream rest(text.substr(end_of_name + 1));
    char state = 0;
    rest >> state;
    for (std::size_t i = 1; i < fields.size(); ++i)
        if (!(rest >> fields[i])) return false;
    return true;
}

/// Seconds since 1970 at which the machine started; 0 where nobody tells.
double boot_seconds() {
    std::ifstream file("/proc/stat");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("btime ")) return std::stod(line.substr(6));
    return 0;
}

std::size_t open_descriptors() {
    std::error_code ignored;
    std::size_t open = 0;
    for (std::filesystem::directory_iterator entry("/proc/self/fd", ignored), end; entry != end;
         entry.increment(ignored))
        ++open;
    return open > 0 ? open - 1 : 0;  // the one that looked
}

}  // namespace

void read_process(Readings& to) {
    Fields fields{};
    if (!read_fields(fields)) return;
    static const double boot = boot_seconds();
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    to.counter("process_cpu_seconds_total",
               "Processor time used, user's and system's, in seconds.",
               (fields[user_ticks] + fields[system_ticks]) / ticks);
    to.gauge("process_start_time_seconds",
             "Start of the process, in seconds since 1970.",
             boot + fields[start_ticks] / ticks);
    to.gauge("process_resident_memory_bytes",
             "Memory of the process in RAM; pages of the store's map that are there count.",
             fields[resident_pages] * page);
    to.gauge("process_virtual_memory_bytes",
             "Address space of the process; the store's whole map counts.",
             fields[virtual_bytes]);
    to.gauge("process_open_fds", "Open file descriptors.", static_cast<double>(open_descriptors()));
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
        to.gauge("process_max_fds",
                 "Most file descriptors that may be open.",
                 static_cast<double>(limit.rlim_cur));
}

}  // namespace twophase::recovery
