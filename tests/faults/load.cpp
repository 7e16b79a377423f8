#include "tests/faults/load.hpp"

#include "http/client.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;
constexpr auto call_limit = 30s;

}  // namespace

struct Load::Wire {
    Wire(boost::asio::io_context& io, const std::string& endpoint, std::size_t clients)
        : client(io, http::Endpoint::parse(endpoint).value(), {.max_connections = clients}),
          work(boost::asio::make_work_guard(io)) {}
    http::Client client;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
};

Load::Load(const Program& coordinator, LoadOptions options)
    : options_(std::move(options)),
      endpoint_(coordinator.endpoint()),
      wire_(std::make_unique<Wire>(io_, endpoint_, options_.clients)) {}

Load::~Load() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
}

void Load::start() {
    boost::asio::post(io_, [this] {
        for (std::size_t i = 0; i < options_.clients; ++i) begin_next();
    });
    thread_ = std::thread([this] { io_.run(); });
}

void Load::begin_no_more() {
    boost::asio::post(io_, [this] {
        is_ending_ = options_.repeat.empty();
        all_over_ = over_ == begun_ && (is_ending_ || begun_ == most());
    });
}

bool Load::finish(std::chrono::milliseconds limit) {
    begin_no_more();
    const bool is_finished = eventually(limit, [&] { return all_over_.load(); });
    io_.stop();
    thread_.join();
    return is_finished;
}

Json Load::request_of(const Exchange& exchange) {
    Json coupon{{"participant", "coupon"},
                {"operation", "create_coupon"},
                {"payload", {{"template_id", exchange.template_id}, {"user_id", exchange.user}}}};
    if (exchange.mode == "eventual") {
        // However long a participant is away, it is no dead letter.
        coupon["max_retries"] = 1'000;
        coupon["retry_delay_ms"] = 100;
    }
    return {
        {"mode", exchange.mode},
        {"business_code", "exchange"},
        {"business_id", exchange.business_id},
        {"branches",
         {{{"participant", "credit"},
           {"operation", "deduct_credits"},
           {"payload",
            {{"user_id", exchange.user}, {"credit_type", "points"}, {"amount", exchange.price}}}},
          coupon}}};
}

std::size_t Load::most() const {
    return options_.repeat.empty() ? options_.most_exchanges : options_.repeat.size();
}

void Load::begin_next() {
    if (is_ending_ || begun_ == most()) return;
    const std::size_t number = begun_++;
    if (!options_.repeat.empty()) {
        const Exchange& again = options_.repeat[number];
        exchanges_.emplace(again.business_id, again).first->second.is_over = false;
        return send(again.business_id);
    }
    Exchange exchange{.business_id = options_.prefix + std::to_string(number),
                      .user = number % 5 == 4 ? "poor" : "u" + std::to_string(number % users),
                      .price = static_cast<std::int64_t>(1 + number % 7),
                      .mode = options_.mode};
    if (options_.mode == "saga" && number % 5 == 3) exchange.template_id = "none";
    const std::string id = exchange.business_id;
    exchanges_.emplace(id, std::move(exchange));
    send(id);
}

void Load::send(const std::string& business_id) {
    http::Call call{.method = "POST",
                    .target = "/v1/transactions",
                    .body = request_of(exchanges_.at(business_id)).dump()};
    ++in_flight_;
    wire_->client.send(
        std::move(call), call_limit, [this, business_id](http::Result<http::Response> response) {
            --in_flight_;
            if (response) note(business_id, *response);
            if (!exchanges_.at(business_id).is_over) return send_later(business_id);
            ++answered_;
            ++over_;
            begin_next();
            all_over_ = (is_ending_ || begun_ == most()) && over_ == begun_;
        });
}

void Load::send_later(const std::string& business_id) {
    auto timer = std::make_shared<boost::asio::steady_timer>(io_, options_.pause);
    timer->async_wait([this, business_id, timer](boost::system::error_code) { send(business_id); });
}

void Load::note(const std::string& business_id, const http::Response& response) {
    Exchange& exchange = exchanges_.at(business_id);
    if (response.status == 503) return;  // starting: nothing was told
    const Json json = Json::parse(response.body, nullptr, false);
    EXPECT_TRUE(json.is_object() && json.contains("gid"))
        << response.status << " " << response.body;
    if (!json.is_object() || !json.contains("gid")) return;
    exchange.gids.insert(json["gid"].get<std::string>());
    if (json["decision"].is_string()) exchange.told.insert(json["decision"].get<std::string>());
    exchange.is_over = response.status == 200 || response.status == 409;
    if (options_.told) options_.told(exchange, json["gid"].get<std::string>());
}

}  // namespace twophase::faults
