#include "recovery/machine.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <random>
#include <utility>

namespace twophase::recovery {
namespace {

class Timer : public Alarm {
public:
    explicit Timer(boost::asio::io_context& io) : timer_(io) {}

    void set(Time at, std::function<void()> ring) override {
        timer_.expires_at(std::chrono::steady_clock::time_point(at));
        timer_.async_wait([ring = std::move(ring),
                           alive = std::weak_ptr(alive_)](boost::system::error_code cancelled) {
            if (!cancelled && !alive.expired()) ring();
        });
    }
    void cancel() override { timer_.cancel(); }

private:
    boost::asio::steady_timer timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class HttpPeer : public Peer {
public:
    HttpPeer(boost::asio::io_context& io, const http::Endpoint& endpoint, std::size_t connections)
        : client_(io, endpoint, {.max_connections = connections}) {}

    void send(http::Call call, std::chrono::milliseconds timeout, Done done) override {
        client_.send(std::move(call), timeout, std::move(done));
    }
    void close() override { client_.close(); }

private:
    http::Client client_;
};

}  // namespace

Time Machine::now() const {
    return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now().time_since_epoch());
}

std::chrono::nanoseconds Machine::fine_now() const {
    return std::chrono::steady_clock::now().time_since_epoch();
}

std::int64_t Machine::wall_microseconds() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::uint64_t Machine::random() {
    thread_local std::mt19937_64 engine{std::random_device{}()};
    return engine();
}

void Machine::post(std::function<void()> function) { boost::asio::post(io_, std::move(function)); }

std::unique_ptr<Alarm> Machine::alarm() { return std::make_unique<Timer>(io_); }

std::unique_ptr<Peer> Machine::peer(const http::Endpoint& endpoint, std::size_t max_connections) {
    return std::make_unique<HttpPeer>(io_, endpoint, max_connections);
}

}  // namespace twophase::recovery
