// Measures what a coordinator costs: the same exchange with and without it, in turn, in one run.
#include "tests/bench/beside.hpp"
#include "tests/bench/history.hpp"
#include "tests/bench/limits.hpp"
#include "tests/bench/recovery.hpp"
#include "tests/bench/rounds.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace twophase::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t most_clients = 256;

struct Options {
    fs::path folder = "build/bench";
    bool is_quick = false;
    std::size_t history = 10'000'000;
    std::size_t backlog = 100'000;
    int soak_minutes = 0;
    std::vector<std::string> only;  // parts of the run; none: all
    fs::path guard;
    Length length;
};

/// A folder for what this run alone needs, removed at its end.
class Scratch {
public:
    explicit Scratch(const fs::path& parent) {
        fs::create_directories(parent);
        std::string name = (fs::absolute(parent) / "run-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("no folder can be made in " + parent.string());
        path_ = name;
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

std::vector<Side> all_sides(Place& place, Shape shape) {
    Shape decided = shape;
    decided.wait_for = "decision";
    return {{"direct", place, place.exchanges.direct(shape)},
            {"decision", place, place.exchanges.coordinated(decided)},
            {"completion", place, place.exchanges.coordinated(shape)}};
}

/// Ours relative to the direct clients: rates, and how fast one of them gets its answer.
void add_ratios(Report& report, const std::string& row, const std::string& name) {
    Row* direct = report.find(row, "direct");
    for (const std::string side : {"decision", "completion"}) {
        Row* ours = report.find(row, side);
        if (direct == nullptr || ours == nullptr) continue;
        report.add_ratio("rate_" + name + "_" + side,
                         ours->measured.rate() / direct->measured.rate());
        report.add_ratio("speed_" + name + "_" + side,
                         direct->measured.quantile(0.5) / ours->measured.quantile(0.5));
    }
}

void measure_limits(Report& report,
                    boost::asio::io_context& io,
                    const fs::path& folder,
                    std::chrono::milliseconds length) {
    say("the limits: server, log, disk");
    report.add("limit: empty POSTs, 64 clients (/s)", empty_posts(io, 64, length).rate());
    for (const std::size_t batch : {1, 64, 512})
        report.add("limit: log alone, batch " + std::to_string(batch) + " (records/s)",
                   log_records(folder, batch, length / 2));
    report.add("limit: disk syncs (/s)", disk_syncs(folder, length / 2));
}

void measure_exchanges(Report& report, Place& place, const Length& length) {
    for (const std::size_t clients : {1, 16, 64, 256}) {
        const std::string name = std::to_string(clients) + (clients == 1 ? " client" : " clients");
        compare(report, name, clients, all_sides(place, {}), length);
        add_ratios(report, name, std::to_string(clients));
    }
    compare(report, "64, one hot user", 64, all_sides(place, {.users = 1, .templates = 1}), length);
    add_ratios(report, "64, one hot user", "hot");
    compare(report, "64, 1 % refused", 64, all_sides(place, {.refused_in_100 = 1}), length);
    add_ratios(report, "64, 1 % refused", "refused");
}

void measure_modes_and_locks(Report& report, Place& place, const Length& length) {
    Exchanges& exchanges = place.exchanges;
    compare(
        report,
        "64 clients, modes",
        64,
        {{"saga", place, exchanges.coordinated({.mode = "saga"})},
         {"eventual", place, exchanges.coordinated({.mode = "eventual", .wait_for = "decision"})}},
        length);
    compare(report,
            "16, one account",
            16,
            {{"optimistic", place, exchanges.optimistic()},
             {"pessimistic", place, exchanges.pessimistic()}},
            length);
}

/// Two fleets in turn, one of which has a long history.
void measure_history(Report& report,
                     boost::asio::io_context& io,
                     const Options& options,
                     Place& empty) {
    const fs::path kept = options.folder / ("history-" + std::to_string(options.history));
    const bool is_there = fs::exists(kept / "filled");
    if (!is_there && !options.is_quick && fs::space(options.folder).available < bytes_for_history) {
        report.note("history of " + std::to_string(options.history) +
                    ": less than 20 GB of the disk are free");
        return;
    }
    const fs::path data = kept / "coordinator";
    say("history: filling up to " + std::to_string(options.history) + " finished transactions");
    fill(data, options.history, [&](std::size_t done) {
        if (done % 1'000'000 == 0 && done > 0) say("  " + std::to_string(done));
    });
    std::ofstream(kept / "filled") << options.history << "\n";
    // The participants of the long history are new ones: it is the log that is long.
    Place place(io, kept, most_clients);
    const std::string count = std::to_string(options.history);
    report.add("start-up, empty log (s)", startup_seconds(empty));
    report.add("start-up, history of " + count + " (s)", startup_seconds(place));
    const std::string name = "64, history of " + count;
    compare(report,
            name,
            64,
            {{"empty", empty, empty.exchanges.coordinated({})},
             {"history", place, place.exchanges.coordinated({})}},
            options.length);
    report.add_ratio("rate_with_history",
                     report.find(name, "history")->measured.rate() /
                         report.find(name, "empty")->measured.rate());
    place.servers.stop();
}

int run(const Options& options) {
    boost::asio::io_context io(1);
    ::sync();  // what a build left to be written would stall the first rounds
    const Scratch scratch(options.folder);
    Report report;
    Place place(io, scratch.path() / "fleet", most_clients);
    if (options.soak_minutes > 0) {
        soak(report, place, std::chrono::minutes(options.soak_minutes));
    } else {
        const auto is_asked_for = [&](const char* part) {
            return options.only.empty() ||
                   std::ranges::find(options.only, part) != options.only.end();
        };
        if (is_asked_for("limits"))
            measure_limits(report, io, scratch.path(), options.length.round);
        if (is_asked_for("exchanges")) measure_exchanges(report, place, options.length);
        if (is_asked_for("modes")) measure_modes_and_locks(report, place, options.length);
        if (is_asked_for("beside")) measure_beside(report, place, options.length);
        if (is_asked_for("history")) measure_history(report, io, options, place);
        if (is_asked_for("recovery")) recover(report, place, options.backlog, options.length.round);
    }
    place.servers.stop();
    std::cerr << '\n' << report.table() << std::flush;
    int exit_code = 0;
    if (!options.guard.empty()) {
        std::ifstream file(options.guard);
        for (const std::string& sentence : report.fallen(http::Json::parse(file).at("ratios"))) {
            std::cerr << "slower: " << sentence << "\n";
            exit_code = 1;
        }
    }
    std::cout << report.json().dump() << std::endl;
    return exit_code;
}

int main_of(int argc, char** argv) {
    // The fleet comes from the fault tests: what fails there is an exception here.
    testing::GTEST_FLAG(throw_on_failure) = true;
    testing::InitGoogleTest();
    Options options;
    CLI::App app(
        "What a coordinator costs: the same exchange with it and without, in turn. A table "
        "on stderr, one JSON object on stdout.");
    app.add_flag("--quick", options.is_quick, "Short rounds, a small history: within 40 s");
    app.add_option("--folder", options.folder, "For stores and for the history that is kept")
        ->capture_default_str();
    auto* history = app.add_option("--history", options.history, "Finished transactions in a log")
                        ->capture_default_str();
    auto* backlog =
        app.add_option("--backlog", options.backlog, "Transactions in doubt, for recovery")
            ->capture_default_str();
    auto* only = app.add_option("--only", options.only, "These parts alone, by their names")
                     ->check(CLI::IsMember(
                         {"limits", "exchanges", "modes", "beside", "history", "recovery"}));
    app.add_option("--soak", options.soak_minutes, "Only 64 clients, for that many minutes")
        ->check(CLI::Range(1, 24 * 60));
    auto* guard =
        app.add_option("--guard", options.guard, "Ratios kept in a file: fail below half of one")
            ->check(CLI::ExistingFile);
    guard->excludes(only);
    CLI::App* filling = app.add_subcommand("fill", "Only fill the history, up to its number");
    CLI11_PARSE(app, argc, argv);
    if (options.is_quick) {
        options.length = {.rounds = 2, .round = 450ms};
        if (history->count() == 0) options.history = 20'000;
        if (backlog->count() == 0) options.backlog = 4'000;
    }
    if (filling->parsed()) {
        const fs::path data =
            options.folder / ("history-" + std::to_string(options.history)) / "coordinator";
        const std::size_t added = fill(data, options.history, [](std::size_t done) {
            if (done % 100'000 == 0) say("  " + std::to_string(done));
        });
        std::cout << added << " added in " << data.string() << "\n";
        return 0;
    }
    return run(options);
}

}  // namespace
}  // namespace twophase::bench

int main(int argc, char** argv) {
    try {
        return twophase::bench::main_of(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "bench: " << error.what() << "\n";
        return 1;
    }
}
