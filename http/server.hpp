// The HTTP/1.1 server: connections, limits, deadlines and graceful shutdown around one handler.
#pragma once

#include "http/message.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

/// An answer that is about to be written.
struct Answered {
    const RouteName* route = nullptr;  // null: none fits, or the request was refused at the gate
    unsigned status = 0;
    /// From the whole request to its answer; nothing for what no handler saw.
    std::optional<std::chrono::nanoseconds> duration;
};

struct ServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: the kernel chooses
    /// Beyond it the connection whose next request has been awaited longest is closed. When all
    /// have a whole request under way, the new one gets a reserved place, for one request:
    /// /livez and /readyz are answered there, all else gets 503.
    std::size_t max_connections = 10'000;
    std::size_t max_head_bytes = 8 * 1024;
    std::size_t max_headers = 64;
    std::size_t max_body_bytes = 1024 * 1024;
    /// Overrides max_body_bytes for a path; empty: the same for all.
    std::function<std::size_t(std::string_view path)> body_limit;
    /// Of all requests being read or answered, together; beyond it a body gets 503. The first
    /// free_body_bytes of each don't count, so that large bodies keep no small one out.
    std::size_t max_total_body_bytes = 256 * 1024 * 1024;
    std::size_t free_body_bytes = 16 * 1024;
    std::chrono::milliseconds head_timeout{5'000};   // from the first byte of a request, set once
    std::chrono::milliseconds body_timeout{10'000};  // from the end of the head, set once
    std::chrono::milliseconds idle_timeout{60'000};  // between two requests
    std::chrono::milliseconds write_timeout{10'000};
    std::chrono::milliseconds reserved_timeout{2'000};  // for a request's head in a reserved place
    /// Host names (without port) that a request may name beside loopback names and `address`.
    std::vector<std::string> allowed_hosts;
    /// Hears of every answer, refusals of the gate too; for counting. On the loop.
    std::function<void(const Answered&)> answered;
};

/// Serves `handler` on one listening socket. One loop thread runs everything here.
class Server {
public:
    /// Binds and listens; throws boost::system::system_error with a clear text when it can't.
    Server(boost::asio::io_context& io, ServerOptions options, Handler handler);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Starts accepting.
    void start();

    /// The port in use.
    std::uint16_t port() const;

    /// Stops accepting, lets requests that were read finish, closes idle connections at once and
    /// the rest after `grace`; then calls `done` once.
    void stop(std::chrono::milliseconds grace, std::function<void()> done);

    /// Open connections now.
    std::size_t connections() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::http
