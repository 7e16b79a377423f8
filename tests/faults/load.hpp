// Many clients that exchange points for coupons at once, ask again after every failure, and write
// down everything that they were ever told.
#pragma once

#include "tests/faults/fleet.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace twophase::faults {

/// What the clients know of one exchange.
struct Exchange {
    std::string business_id;
    std::string user;
    std::int64_t price = 0;
    std::string mode = "two_phase";
    std::string template_id = "spring";
    std::set<std::string> told;  // decisions told: "commit", "rollback"
    std::set<std::string> gids;
    bool is_over = false;  // an outcome was told
};

struct LoadOptions {
    std::size_t clients = 128;
    std::size_t most_exchanges = 100'000;
    std::string prefix = "x";
    std::string mode = "two_phase";        // of a saga every fifth is refused by its second step
    std::chrono::milliseconds pause{100};  // after a failure
    std::vector<Exchange> repeat;          // when given: these once more, instead of new ones
    /// Hears of every answer that names a transaction, before anything else is done about it.
    std::function<void(const Exchange& exchange, const std::string& gid)> told = {};
};

/// Runs on a thread of its own between start() and stop().
class Load {
public:
    Load(const Program& coordinator, LoadOptions options);
    ~Load();

    void start();
    /// No new exchanges from now on.
    void begin_no_more();
    /// Every exchange that began was told its outcome, and none will begin.
    bool is_over() const { return all_over_; }
    /// No new exchanges; each that began is asked for until its outcome is told, up to `limit`.
    /// True when all are told.
    bool finish(std::chrono::milliseconds limit);

    std::size_t answered() const { return answered_; }
    /// Requests sent and not answered yet.
    std::size_t in_flight() const { return in_flight_; }
    /// After finish().
    const std::map<std::string, Exchange>& exchanges() const { return exchanges_; }

    static Json request_of(const Exchange& exchange);
    /// Users "u0" … have points; "poor" has none, so that its exchanges are refused.
    static constexpr int users = 4;

private:
    std::size_t most() const;
    void begin_next();
    void send(const std::string& business_id);
    void note(const std::string& business_id, const http::Response& response);
    void send_later(const std::string& business_id);

    LoadOptions options_;
    std::string endpoint_;
    boost::asio::io_context io_{1};
    struct Wire;
    std::unique_ptr<Wire> wire_;
    std::thread thread_;
    std::map<std::string, Exchange> exchanges_;
    std::size_t begun_ = 0;
    std::size_t over_ = 0;
    bool is_ending_ = false;
    std::atomic<std::size_t> answered_{0};
    std::atomic<std::size_t> in_flight_{0};
    std::atomic<bool> all_over_{false};
};

}  // namespace twophase::faults
