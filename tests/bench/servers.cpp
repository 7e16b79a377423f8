#include "tests/bench/servers.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace twophase::bench {
namespace {

namespace fs = std::filesystem;
using faults::Json;

std::string endpoint_of(const fs::path& folder, const char* name, const char* base) {
    return "file:" + (folder / (std::string(name) + ".address")).string() + "#" + base;
}

std::vector<std::string> coordinator_arguments(const fs::path& folder) {
    const auto participant = [&](const char* name) {
        return Json{{"endpoint", endpoint_of(folder, name, "/v1/branches")}, {"batch", true}};
    };
    const Json participants{{"credit", participant("credit-participant")},
                            {"coupon", participant("coupon-participant")}};
    // Room for the history of ten million; the file grows as it is used.
    return {"--participants",
            participants.dump(),
            "--store-max-bytes",
            std::to_string(std::size_t{64} << 30),
            "--log-level",
            "warning"};
}

std::vector<std::string> participant_arguments(const fs::path& folder) {
    const std::string coordinator = endpoint_of(folder, "coordinator", "");
    const Json coordinators{{"main", coordinator}, {direct_coordinator, coordinator}};
    return {"--coordinators", coordinators.dump(), "--log-level", "warning"};
}

fs::path made(fs::path folder) {
    fs::create_directories(folder);
    return folder;
}

std::string text_of(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// The number after `name` in the kernel's "name: number" lines.
double number_after(const std::string& text, const std::string& name) {
    const auto at = text.find(name);
    return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size()));
}

double seconds(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; }

}  // namespace

Used& Used::operator-=(const Used& before) {
    processor_seconds -= before.processor_seconds;
    written_bytes -= before.written_bytes;
    commits -= before.commits;
    requests -= before.requests;
    return *this;
}

Used& Used::operator+=(const Used& more) {
    processor_seconds += more.processor_seconds;
    written_bytes += more.written_bytes;
    commits += more.commits;
    requests += more.requests;
    return *this;
}

Servers::Servers(fs::path folder)
    : folder_(made(std::move(folder))),
      coordinator_("coordinator", folder_, coordinator_arguments(folder_)),
      credit_("credit-participant", folder_, participant_arguments(folder_)),
      coupon_("coupon-participant", folder_, participant_arguments(folder_)) {}

void Servers::start() {
    for (faults::Program* program : {&credit_, &coupon_, &coordinator_})
        if (!program->is_running()) program->start();
    for (faults::Program* program : {&credit_, &coupon_, &coordinator_})
        if (!program->wait_ready()) throw std::runtime_error(program->log_tail());
}

void Servers::stop() {
    for (faults::Program* program : {&coordinator_, &credit_, &coupon_})
        if (program->is_running()) program->terminate();
}

faults::Program& Servers::by_name(const std::string& name) {
    return name == "coordinator" ? coordinator_ : name == "credit" ? credit_ : coupon_;
}

const faults::Program& Servers::by_name(const std::string& name) const {
    return name == "coordinator" ? coordinator_ : name == "credit" ? credit_ : coupon_;
}

Used Servers::used(const std::string& name) const {
    const faults::Program& program = by_name(name);
    const fs::path process = "/proc/" + std::to_string(program.pid());
    Used used;
    const std::string stat = text_of(process / "stat");
    // proc(5): the 14th and 15th fields are user and system ticks; the name before may hold blanks.
    std::istringstream fields(stat.substr(stat.rfind(')') + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    used.processor_seconds = (user + system) / double(::sysconf(_SC_CLK_TCK));
    used.written_bytes = number_after(text_of(process / "io"), "\nwrite_bytes:");
    const std::string metrics = faults::ask(program, "GET", "/metrics").body;
    used.commits = sum_of(metrics, "twophase_store_commits_total");
    used.requests = sum_of(metrics, "twophase_http_requests_total");
    return used;
}

std::size_t Servers::memory(const std::string& name) const {
    const fs::path status = "/proc/" + std::to_string(by_name(name).pid()) + "/status";
    return static_cast<std::size_t>(number_after(text_of(status), "RssAnon:")) * 1024;
}

std::size_t Servers::descriptors(const std::string& name) const {
    const fs::path folder = "/proc/" + std::to_string(by_name(name).pid()) + "/fd";
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

double own_processor_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double sum_of(const std::string& text, const std::string& metric) {
    double sum = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(metric)) continue;
        const char after = line.size() > metric.size() ? line[metric.size()] : ' ';
        if (after == '{' || after == ' ') sum += std::stod(line.substr(line.rfind(' ')));
    }
    return sum;
}

}  // namespace twophase::bench
