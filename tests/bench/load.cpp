#include "tests/bench/load.hpp"

#include <algorithm>
#include <optional>

namespace twophase::bench {
namespace {

using Instant = std::chrono::steady_clock::time_point;

/// Clients that go on for as long as `goes_on` says so when one is free.
class Clients {
public:
    Clients(const Task& task,
            std::function<bool()> goes_on,
            std::function<void(Instant, bool)> note)
        : task_(task), goes_on_(std::move(goes_on)), note_(std::move(note)) {}

    void run(boost::asio::io_context& io, std::size_t clients) {
        for (std::size_t i = 0; i < clients; ++i) next(i);
        io.restart();
        while (under_way_ > 0) io.run_one();
    }

private:
    void next(std::size_t client) {
        if (!goes_on_()) return;
        ++under_way_;
        task_(client, [this, client, begun = std::chrono::steady_clock::now()](bool is_done) {
            --under_way_;
            note_(begun, is_done);
            next(client);
        });
    }

    const Task& task_;
    std::function<bool()> goes_on_;
    std::function<void(Instant, bool)> note_;
    std::size_t under_way_ = 0;
};

}  // namespace

double Measured::quantile(double part) {
    if (microseconds.empty()) return 0;
    const auto at = std::min(static_cast<std::size_t>(part * double(microseconds.size())),
                             microseconds.size() - 1);
    std::ranges::nth_element(microseconds, microseconds.begin() + std::ptrdiff_t(at));
    return microseconds[at] / 1e3;
}

void Measured::add(const Measured& more) {
    seconds += more.seconds;
    microseconds.insert(microseconds.end(), more.microseconds.begin(), more.microseconds.end());
    carried_out += more.carried_out;
    failed += more.failed;
}

Measured run_clients(boost::asio::io_context& io,
                     std::size_t clients,
                     std::chrono::milliseconds length,
                     const Task& task) {
    const Instant end = std::chrono::steady_clock::now() + length;
    return run_clients_while(
        io, clients, [end] { return std::chrono::steady_clock::now() < end; }, task);
}

Measured run_clients_while(boost::asio::io_context& io,
                           std::size_t clients,
                           const std::function<bool()>& goes_on,
                           const Task& task) {
    Measured measured;
    const Instant start = std::chrono::steady_clock::now();
    std::optional<Instant> end;
    Clients(
        task,
        [&] {
            if (!end && (measured.failed > 0 || !goes_on())) end = std::chrono::steady_clock::now();
            return !end;
        },
        [&](Instant begun, bool is_done) {
            ++(is_done ? measured.carried_out : measured.failed);
            if (!is_done || end) return;
            const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
                std::chrono::steady_clock::now() - begun);
            measured.microseconds.push_back(static_cast<std::uint32_t>(took.count()));
        })
        .run(io, clients);
    measured.seconds = std::chrono::duration<double>(end.value_or(start) - start).count();
    return measured;
}

std::size_t run_times(boost::asio::io_context& io,
                      std::size_t clients,
                      std::size_t times,
                      const Task& task) {
    std::size_t begun = 0;
    std::size_t failed = 0;
    Clients([&](std::size_t, Done done) { task(begun++, std::move(done)); },
            [&] { return begun < times; },
            [&](Instant, bool is_done) { failed += is_done ? 0 : 1; })
        .run(io, clients);
    return failed;
}

}  // namespace twophase::bench
