// combinations: one crash of each program, at every triple of named points, with every order of
// restarts: enumerated, not sampled.
#include "tests/simulation/run.hpp"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace twophase::simulation {
namespace {

// The crash table of the design: C0 to C10 and P0 to P7, by the names in the code. C11, a crash of
// the recovery itself, has its points among all_coordinator; C12 is the runs' commit_failed.
// clang-format off
const std::vector<std::string> coordinator_points = {
    "submitted", "before-started", "after-started", "send-prepare", "sent-prepare", "answered-prepare",
    "before-decided", "after-decided", "sent-commit", "answered-commit", "before-finished",
    "after-finished", "send-rollback"};
const std::vector<std::string> participant_points = {
    "receive-prepare", "before-prepare", "after-prepare", "replied-prepare", "before-commit",
    "after-commit", "before-rollback", "inquired"};
const std::vector<std::string> all_coordinator = {
    "submitted", "before-started", "after-started", "send-prepare", "sent-prepare", "answered-prepare",
    "before-decided", "after-decided", "send-commit", "sent-commit", "answered-commit",
    "before-branch_done", "after-branch_done", "before-finished", "after-finished", "send-rollback",
    "sent-rollback", "answered-rollback", "before-barrier", "after-barrier", "before-resume",
    "after-resume", "asked-decision", "told-decision"};
const std::vector<std::string> all_participant = {
    "receive-prepare", "before-prepare", "after-prepare", "reply-prepare", "replied-prepare",
    "receive-commit", "before-commit", "after-commit", "reply-commit", "replied-commit",
    "receive-rollback", "before-rollback", "after-rollback", "reply-rollback", "replied-rollback",
    "inquire", "inquired", "before-barrier", "after-barrier"};
// clang-format on

struct Totals {
    std::uint64_t runs = 0;
    std::array<std::uint64_t, 4> struck{};  // runs in which so many of the three points were met
    std::uint64_t commits = 0;
    std::uint64_t rollbacks = 0;
};

bool run_one(const Targets& targets, const std::string& folder, Totals& totals) {
    const Report report = run_targets(targets, folder);
    ++totals.runs;
    std::size_t struck = 0;
    for (const auto& [point, times] : report.crash_points) struck += times > 0 ? 1 : 0;
    ++totals.struck.at(std::min<std::size_t>(struck, 3));
    totals.commits += report.commits;
    totals.rollbacks += report.rollbacks;
    if (report.violation.empty()) return true;
    for (const std::string& line : run_targets(targets, folder, true).trace)
        std::printf("%s\n", line.c_str());
    std::string order;
    for (const std::string& name : targets.restart_order) order += " " + name;
    std::printf("VIOLATION: coordinator %s, credit %s, coupon %s, restarts%s: %s\n",
                targets.points.at("coordinator").c_str(),
                targets.points.at("credit").c_str(),
                targets.points.at("coupon").c_str(),
                order.c_str(),
                report.violation.c_str());
    return false;
}

bool run_orders(Targets targets, const std::string& folder, Totals& totals) {
    targets.restart_order = {"coordinator", "coupon", "credit"};
    do {
        if (!run_one(targets, folder, totals)) return false;
    } while (std::ranges::next_permutation(targets.restart_order).found);
    return true;
}

int run(bool all) {
    spdlog::set_level(spdlog::level::off);
    std::string folder = "/dev/shm/combinations-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return 2;
    const auto& of_coordinator = all ? all_coordinator : coordinator_points;
    const auto& of_participants = all ? all_participant : participant_points;
    const auto start = std::chrono::steady_clock::now();
    Totals totals;
    bool is_sound = true;
    for (const std::string& coordinator : of_coordinator) {
        for (const std::string& credit : of_participants)
            for (const std::string& coupon : of_participants)
                is_sound = is_sound && run_orders({.points = {{"coordinator", coordinator},
                                                              {"credit", credit},
                                                              {"coupon", coupon}},
                                                   .restart_order = {}},
                                                  folder,
                                                  totals);
        std::fprintf(stderr,
                     "%s: %llu runs\n",
                     coordinator.c_str(),
                     static_cast<unsigned long long>(totals.runs));
    }
    std::filesystem::remove_all(folder);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf(
        "%llu combinations in %.0f s: all three points met in %llu, two in %llu, one in %llu; "
        "%llu commits, %llu rollbacks\n",
        static_cast<unsigned long long>(totals.runs),
        took.count(),
        static_cast<unsigned long long>(totals.struck[3]),
        static_cast<unsigned long long>(totals.struck[2]),
        static_cast<unsigned long long>(totals.struck[1]),
        static_cast<unsigned long long>(totals.commits),
        static_cast<unsigned long long>(totals.rollbacks));
    // A crash can keep a later point from being met; with most met by all, the rest is no excuse.
    const bool is_met = totals.struck[0] == 0 && totals.struck[3] > totals.runs / 2;
    return is_sound && is_met && totals.commits > 0 && totals.rollbacks > 0 ? 0 : 1;
}

}  // namespace
}  // namespace twophase::simulation

int main(int argc, char** argv) {
    bool all = false;
    CLI::App app{
        "Crashes the coordinator and both participants once each at every triple of points."};
    app.add_flag("--all", all, "Every named point, not only those of the design's crash table.");
    CLI11_PARSE(app, argc, argv);
    return twophase::simulation::run(all);
}
