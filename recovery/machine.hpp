// The machine as surroundings: its clocks, a loop's timers, HTTP.
#pragma once

#include "recovery/surroundings.hpp"

#include <boost/asio/io_context.hpp>

namespace twophase::recovery {

class Machine : public Surroundings {
public:
    /// `io` outlives it.
    explicit Machine(boost::asio::io_context& io) : io_(io) {}

    Time now() const override;
    std::chrono::nanoseconds fine_now() const override;
    std::int64_t wall_microseconds() const override;
    std::uint64_t random() override;
    void post(std::function<void()> function) override;
    std::unique_ptr<Alarm> alarm() override;
    std::unique_ptr<Peer> peer(const http::Endpoint& endpoint,
                               std::size_t max_connections) override;

private:
    boost::asio::io_context& io_;
};

}  // namespace twophase::recovery
