#include "tests/bench/beside.hpp"

#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace twophase::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t beside = 4;
constexpr std::size_t exchanging = 64;

double thread_processor_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// What clients beside the exchange have done until now.
struct Done {
    std::atomic<bool> is_over = false;
    std::atomic<std::size_t> pages = 0;
    std::atomic<std::size_t> failed = 0;
    std::atomic<double> processor_seconds = 0;
};

/// Reads page after page from its begin to its end, and begins anew.
class Reader {
public:
    Reader(boost::asio::io_context& io, const http::Endpoint& from, std::string path)
        : client_(io, from, {.max_connections = 1}), path_(std::move(path)) {}

    void read(Done& done, const std::function<void(bool)>& then) {
        http::Call call{.method = "GET", .target = path_ + (next_.empty() ? "" : next_)};
        client_.send(std::move(call), 30s, [this, &done, then](const auto& answer) {
            const bool is_read = answer && answer->status == 200;
            if (is_read) {
                ++done.pages;
                next_ = next_of(*answer);
            } else {
                ++done.failed;
            }
            then(is_read);
        });
    }

private:
    static std::string next_of(const http::Response& answer) {
        if (const auto after = answer.header("X-Next"); !after.empty())
            return "&after=" + std::string(after);
        const std::size_t at = answer.body.rfind(R"("next":")");
        if (at == std::string::npos) return "";
        const std::size_t begin = at + 8;
        return "&before=" + answer.body.substr(begin, answer.body.find('"', begin) - begin);
    }

    http::Client client_;
    std::string path_;
    std::string next_;
};

void read_pages(const http::Endpoint& from, const std::string& path, Done& done) {
    boost::asio::io_context io(1);
    Reader reader(io, from, path);
    run_clients_while(
        io,
        1,
        [&] { return !done.is_over; },
        [&](std::size_t, const auto& then) { reader.read(done, then); });
    done.processor_seconds += thread_processor_seconds();
}

/// Uses this part of a processor.
void burn(double part, Done& done) {
    const auto begin = std::chrono::steady_clock::now();
    while (!done.is_over) {
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
        if (thread_processor_seconds() > part * elapsed.count()) std::this_thread::sleep_for(1ms);
    }
}

/// One round of exchanges while `work` runs on each of four threads; what was exchanged.
Measured round_beside(Place& place,
                      std::chrono::milliseconds length,
                      Done& done,
                      const std::function<void()>& work) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < beside; ++i) threads.emplace_back(work);
    Measured measured = run_clients(place.io, exchanging, length, place.exchanges.coordinated({}));
    done.is_over = true;
    threads.clear();
    if (measured.failed > 0 || done.failed > 0)
        throw std::runtime_error("beside: " + std::to_string(measured.failed) + " exchanges and " +
                                 std::to_string(done.failed) + " pages failed");
    return measured;
}

void compare_beside(Report& report,
                    Place& place,
                    const Length& length,
                    const std::string& name,
                    const std::string& path) {
    const http::Endpoint from = place.exchanges.coordinator().peer();
    Measured reading;
    Measured burning;
    std::size_t pages = 0;
    double processor_seconds = 0;
    for (std::size_t round = 0; round < length.rounds; ++round) {
        Done read;
        const Measured one =
            round_beside(place, length.round, read, [&] { read_pages(from, path, read); });
        reading.add(one);
        pages += read.pages;
        processor_seconds += read.processor_seconds;
        const double part = read.processor_seconds / one.seconds / double(beside);
        Done burnt;
        burning.add(round_beside(place, length.round, burnt, [&] { burn(part, burnt); }));
        say("64 clients beside four " + name + ", round " + std::to_string(round + 1) + " of " +
            std::to_string(length.rounds) + ": " + std::to_string(int(one.rate())) + "/s");
    }
    report.add("beside " + name + " clients: exchanges (/s)", reading.rate());
    report.add("beside burning clients (" + name + "): exchanges (/s)", burning.rate());
    report.add("pages read by " + name + " clients (/s)", double(pages) / reading.seconds);
    report.add("processors used by " + name + " clients", processor_seconds / reading.seconds);
    report.add_ratio("rate_beside_" + name, reading.rate() / burning.rate());
}

}  // namespace

void measure_beside(Report& report, Place& place, const Length& length) {
    say("something to list");
    run_clients(place.io, exchanging, length.round, place.exchanges.coordinated({}));
    compare_beside(report, place, length, "listing", "/v1/transactions?limit=100");
    compare_beside(report, place, length, "exporting", "/v1/export?limit=500");
}

}  // namespace twophase::bench
