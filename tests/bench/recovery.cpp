#include "tests/bench/recovery.hpp"

#include "http/json.hpp"
#include "tests/bench/history.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <thread>

namespace twophase::bench {
namespace {

using namespace std::chrono_literals;
using Instant = std::chrono::steady_clock::time_point;

constexpr std::size_t live_clients = 16;

double seconds_since(Instant start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The least that is unfinished within a moment: what a client was told of ends a little later, as
/// nobody waits for the last record.
std::size_t unfinished_in(Place& place) {
    std::size_t least = std::numeric_limits<std::size_t>::max();
    const Instant start = std::chrono::steady_clock::now();
    for (; least > 0 && seconds_since(start) < 0.2; std::this_thread::sleep_for(10ms)) {
        const auto answer =
            place.exchanges.ask(place.exchanges.coordinator(), {.target = "/v1/status"});
        least = std::min(least, http::Json::parse(answer.body).at("live").get<std::size_t>());
    }
    return least;
}

}  // namespace

double startup_seconds(Place& place) {
    faults::Program& coordinator = place.servers.by_name("coordinator");
    double least = std::numeric_limits<double>::max();
    for (int i = 0; i < 3; ++i) {
        if (coordinator.is_running()) coordinator.terminate();
        const Instant start = std::chrono::steady_clock::now();
        place.servers.start();
        least = std::min(least, seconds_since(start));
    }
    return least;
}

void recover(Report& report, Place& place, std::size_t backlog, std::chrono::milliseconds round) {
    Exchanges& exchanges = place.exchanges;
    // New work has to wait while a participant has too much to hear first.
    const Task task = exchanges.coordinated({.is_patient = true});
    const double before = run_clients(place.io, live_clients, round, task).rate();
    const Books books = read_books(place.io, exchanges);
    std::size_t committed = exchanges.committed();

    place.servers.by_name("coordinator").kill();
    say("leaving " + std::to_string(backlog) + " transactions in doubt");
    const std::size_t decided =
        plant_backlog(place.servers, exchanges, backlog, [&](std::size_t done) {
            if (done % 20'000 == 0) say("  " + std::to_string(done) + " prepared");
        });
    const Instant start = std::chrono::steady_clock::now();
    place.servers.start();
    const double ready = seconds_since(start);
    // Between two slices nothing of the live traffic is under way: what the coordinator counts then
    // is the backlog.
    Measured live;
    double resolved = 0;
    const auto live_rate = [&] { return double(live.carried_out) / (resolved - ready); };
    for (std::size_t left = backlog; left > 0;) {
        live.add(run_clients(place.io, live_clients, 250ms, task));
        if (live.failed > 0) throw std::runtime_error("live traffic failed during the recovery");
        resolved = seconds_since(start);
        left = unfinished_in(place);
        say("  after " + std::to_string(resolved) + " s " + std::to_string(left) + " left, live " +
            std::to_string(static_cast<long>(live_rate())) + "/s");
        if (resolved > 600) throw std::runtime_error("the backlog isn't resolved in ten minutes");
    }
    committed = exchanges.committed() - committed + decided;
    const std::string fault = disagreement(books, read_books(place.io, exchanges), committed, 0);
    if (!fault.empty()) throw std::runtime_error("recovery: the books disagree: " + fault);
    report.add("recovery: transactions in doubt", double(backlog));
    report.add("recovery: ready after (s)", ready);
    report.add("recovery: all resolved after (s)", resolved);
    report.add("recovery: live traffic before (/s)", before);
    report.add("recovery: live traffic meanwhile (/s)", live_rate());
    report.add_ratio("live_during_recovery", before > 0 ? live_rate() / before : 0);
    report.add_ratio("recovered_of_backlog_in_15_s", 15 / std::max(resolved, 0.001));
}

void soak(Report& report, Place& place, std::chrono::minutes length) {
    struct Look {
        double mebibytes;
        double descriptors;
    };
    const auto look = [&] {
        std::map<std::string, Look> looks;
        for (const std::string name : Servers::names)
            looks[name] = {double(place.servers.memory(name)) / (1 << 20),
                           double(place.servers.descriptors(name))};
        return looks;
    };
    constexpr int parts = 20;
    const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(length) / parts;
    const Length once{.rounds = 1, .round = part};
    std::map<std::string, Look> first;
    for (int i = 1; i <= parts; ++i) {
        compare(report,
                "soak, part " + std::to_string(i),
                64,
                {{"completion", place, place.exchanges.coordinated({})}},
                once);
        const auto now = look();
        for (const auto& [name, seen] : now)
            say("  " + name + ": " + std::to_string(seen.mebibytes) + " MiB, " +
                std::to_string(static_cast<long>(seen.descriptors)) + " descriptors");
        // What is kept for a while has come to its size by then.
        if (i == parts / 4) first = now;
    }
    for (const auto& [name, seen] : look()) {
        report.add("soak: " + name + " MiB, after a quarter", first[name].mebibytes);
        report.add("soak: " + name + " MiB, at the end", seen.mebibytes);
        report.add("soak: " + name + " descriptors, after a quarter", first[name].descriptors);
        report.add("soak: " + name + " descriptors, at the end", seen.descriptors);
    }
}

}  // namespace twophase::bench
