#include "tests/bench/recovery.hpp"

#include "http/json.hpp"
#include "tests/bench/history.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

namespace twophase::bench {
namespace {

using namespace std::chrono_literals;
using Instant = std::chrono::steady_clock::time_point;

constexpr std::size_t live_clients = 16;
constexpr double most_seconds = 600;
constexpr std::chrono::milliseconds least_round{2'000};  // a shorter round says little

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

/// Looks every now and then how much of a backlog is left, while clients use the same loop. Each of
/// them has one under way at most: beyond their number, what the coordinator counts is backlog.
class Watch : public std::enable_shared_from_this<Watch> {
public:
    Watch(Place& place, std::size_t backlog, Instant start)
        : place_(place), backlog_(backlog), unfinished_(backlog), start_(start) {}

    void look() {
        place_.exchanges.coordinator().send(
            {.target = "/v1/status"},
            10s,
            [self = shared_from_this()](const http::Result<http::Response>& response) {
                self->note(response);
            });
    }
    bool is_backlog_left() const { return unfinished_ > live_clients; }
    /// What a transaction takes while nearly all are live, the rest of the program counted in;
    /// nothing where they went too fast to be seen. The least seen: what reading them in took
    /// beside is given back within a moment.
    std::optional<double> kibibytes_for_each() const { return kibibytes_for_each_; }

private:
    void note(const http::Result<http::Response>& response) {
        if (response && response->status == 200) {
            unfinished_ = http::Json::parse(response->body).at("live").get<std::size_t>();
            note_memory();
        }
        const double now = seconds_since(start_);
        if (now > most_seconds)
            throw std::runtime_error("the backlog isn't resolved in ten minutes");
        if (now > said_ + 1) {
            said_ = now;
            say("  after " + std::to_string(now) + " s " + std::to_string(unfinished_) +
                " unfinished");
        }
        if (!is_backlog_left()) return;
        timer_.expires_after(20ms);
        timer_.async_wait([self = shared_from_this()](boost::system::error_code) { self->look(); });
    }

    void note_memory() {
        if (unfinished_ <= backlog_ / 10 * 9) return;
        const double each =
            double(place_.servers.memory("coordinator")) / 1024 / double(unfinished_);
        kibibytes_for_each_ = std::min(kibibytes_for_each_.value_or(each), each);
    }

    Place& place_;
    boost::asio::steady_timer timer_{place_.io};
    std::size_t backlog_;
    std::size_t unfinished_;
    Instant start_;
    double said_ = 0;
    std::optional<double> kibibytes_for_each_;
};

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
    run_clients(place.io, live_clients, round, task);  // until everything runs warm
    const double before =
        run_clients(place.io, live_clients, std::max(round, least_round), task).rate();
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
    const auto watch = std::make_shared<Watch>(place, backlog, start);
    watch->look();
    const Measured live = run_clients_while(
        place.io, live_clients, [&] { return watch->is_backlog_left(); }, task);
    if (live.failed > 0) throw std::runtime_error("live traffic failed during the recovery");
    while (unfinished_in(place) > 0)
        if (seconds_since(start) > most_seconds)
            throw std::runtime_error("the backlog isn't resolved in ten minutes");
    const double resolved = seconds_since(start);
    committed = exchanges.committed() - committed + decided;
    const std::string fault = disagreement(books, read_books(place.io, exchanges), committed, 0);
    if (!fault.empty()) throw std::runtime_error("recovery: the books disagree: " + fault);
    report.add("recovery: transactions in doubt", double(backlog));
    report.add("recovery: ready after (s)", ready);
    report.add("recovery: all resolved after (s)", resolved);
    if (const auto each = watch->kibibytes_for_each())
        report.add("recovery: coordinator KiB for each", *each);
    report.add("recovery: live traffic before (/s)", before);
    report.add("recovery: live traffic meanwhile (/s)", live.rate());
    // Of a small backlog little is left to go on beside.
    if (live.seconds >= 1)
        report.add_ratio("live_during_recovery", before > 0 ? live.rate() / before : 0);
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
