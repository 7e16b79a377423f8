// simulation: runs seeds until they are through, time is up, or one finds a violation.
#include "tests/simulation/coverage.hpp"
#include "tests/simulation/run.hpp"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

namespace twophase::simulation {
namespace {

struct Options {
    std::uint64_t first = 1;
    std::uint64_t seeds = 300;
    double minutes = 0;
    std::uint64_t replay = 0;
    std::uint64_t least = 0;  // how often each fault and crash point must have struck
};

struct Totals {
    std::uint64_t seeds = 0;
    Report sum;

    void add(const Report& report) {
        ++seeds;
        sum.transactions += report.transactions;
        sum.commits += report.commits;
        sum.rollbacks += report.rollbacks;
        sum.events += report.events;
        for (std::size_t i = 0; i < fault_kinds; ++i) sum.faults[i] += report.faults[i];
        for (const auto& [point, times] : report.crash_points) sum.crash_points[point] += times;
        for (const auto& [pair, times] : report.pairs) sum.pairs[pair] += times;
    }
    std::uint64_t all_faults() const {
        std::uint64_t all = 0;
        for (const std::uint64_t times : sum.faults) all += times;
        return all;
    }
};

// Ctrl-C ends a long run after the seed under way, with its totals.
volatile std::sig_atomic_t is_interrupted = 0;

/// A folder of our own in memory, gone with this.
class Folder {
public:
    Folder() {
        std::string name = "/dev/shm/simulation-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder in /dev/shm");
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

template <class Times>
void print_table(const char* title, const Times& rows) {
    std::printf("%s\n", title);
    for (const auto& [name, times] : rows)
        std::printf("  %-44s %12llu\n", name.c_str(), static_cast<unsigned long long>(times));
}

std::map<std::string, std::uint64_t> faults_by_name(const Report& report) {
    std::map<std::string, std::uint64_t> named;
    for (std::size_t i = 0; i < fault_kinds; ++i)
        named[std::string(fault_name(static_cast<Fault>(i)))] = report.faults[i];
    return named;
}

void print(const Totals& totals, double seconds) {
    print_table("faults", faults_by_name(totals.sum));
    print_table("crash points that struck", totals.sum.crash_points);
    print_table("events by the state that they met", totals.sum.pairs);
    std::printf(
        "%llu seeds: %llu transactions (%llu commits, %llu rollbacks), %llu faults, "
        "%llu events, %.0f s, %.0f transactions/s\n",
        static_cast<unsigned long long>(totals.seeds),
        static_cast<unsigned long long>(totals.sum.transactions),
        static_cast<unsigned long long>(totals.sum.commits),
        static_cast<unsigned long long>(totals.sum.rollbacks),
        static_cast<unsigned long long>(totals.all_faults()),
        static_cast<unsigned long long>(totals.sum.events),
        seconds,
        static_cast<double>(totals.sum.transactions) / seconds);
}

int replay(std::uint64_t seed, const std::string& folder) {
    const Report report = run_seed(seed, folder, true);
    for (const std::string& line : report.trace) std::printf("%s\n", line.c_str());
    std::printf("seed %llu: %s\n",
                static_cast<unsigned long long>(seed),
                report.violation.empty() ? "no violation" : report.violation.c_str());
    return report.violation.empty() ? 0 : 1;
}

void explain(std::uint64_t seed, const Report& report, const std::string& folder) {
    constexpr std::size_t lines = 60;
    const Report traced = run_seed(seed, folder, true);
    const std::size_t from = traced.trace.size() > lines ? traced.trace.size() - lines : 0;
    for (std::size_t i = from; i < traced.trace.size(); ++i)
        std::printf("%s\n", traced.trace[i].c_str());
    std::printf("\nVIOLATION at seed %llu: %s\nreplay it: simulation --replay %llu\n",
                static_cast<unsigned long long>(seed),
                report.violation.c_str(),
                static_cast<unsigned long long>(seed));
}

/// Names what struck too seldom; the checks of a run that is free of faults prove little.
bool is_covered(const Totals& totals, std::uint64_t least) {
    bool is_enough = true;
    const auto want = [&](const std::string& name, std::uint64_t times) {
        if (times >= least) return;
        std::printf(
            "too seldom: %s, %llu times\n", name.c_str(), static_cast<unsigned long long>(times));
        is_enough = false;
    };
    for (std::size_t i = 0; i < fault_kinds; ++i)
        want(std::string(fault_name(static_cast<Fault>(i))), totals.sum.faults[i]);
    for (const char* point : expected_points)
        want(point,
             totals.sum.crash_points.contains(point) ? totals.sum.crash_points.at(point) : 0);
    for (const char* pair : expected_pairs)
        want(pair, totals.sum.pairs.contains(pair) ? totals.sum.pairs.at(pair) : 0);
    return is_enough;
}

int run(const Options& options) {
    spdlog::set_level(spdlog::level::off);
    std::signal(SIGINT, [](int) { is_interrupted = 1; });
    const Folder folder;
    if (options.replay != 0) return replay(options.replay, folder.path());
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    Totals totals;
    double shown = 0;
    for (std::uint64_t seed = options.first; seed < options.first + options.seeds; ++seed) {
        if (options.minutes > 0 && seconds() > options.minutes * 60) break;
        if (is_interrupted != 0) break;
        const Report report = run_seed(seed, folder.path());
        totals.add(report);
        if (!report.violation.empty()) {
            explain(seed, report, folder.path());
            return 1;
        }
        if (seconds() - shown < 10) continue;
        shown = seconds();
        std::fprintf(stderr,
                     "%.0f s: %llu seeds, %llu transactions, %llu faults\n",
                     shown,
                     static_cast<unsigned long long>(totals.seeds),
                     static_cast<unsigned long long>(totals.sum.transactions),
                     static_cast<unsigned long long>(totals.all_faults()));
    }
    print(totals, seconds());
    return is_covered(totals, options.least) ? 0 : 1;
}

}  // namespace
}  // namespace twophase::simulation

int main(int argc, char** argv) {
    twophase::simulation::Options options;
    CLI::App app{
        "Runs the coordinator and two participants in virtual time under faults, a run a seed."};
    app.add_option("--first", options.first, "The first seed.");
    app.add_option("--seeds", options.seeds, "How many seeds.");
    app.add_option(
        "--minutes", options.minutes, "Stops after so long; 0: when the seeds are through.");
    app.add_option("--replay", options.replay, "Runs this seed alone and prints its whole trace.");
    app.add_option(
        "--least", options.least, "Fails unless each fault, crash point and pair struck so often.");
    CLI11_PARSE(app, argc, argv);
    return twophase::simulation::run(options);
}
