// One connection to the server: reads requests one after the other, has them answered, writes.
#pragma once

#include "http/head.hpp"
#include "http/message.hpp"
#include "http/server.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <unordered_set>

namespace twophase::http {

class ServerConnection;

/// What all connections of one server share. One loop thread.
struct ServerShared {
    ServerOptions options;
    Handler handler;
    std::unordered_set<ServerConnection*> connections;  // each keeps itself alive
    /// Of those, the ones whose next request is awaited or not whole yet, by since when.
    std::list<ServerConnection*> awaited;
    std::size_t reserved = 0;                       // those beyond the cap, among connections
    std::list<ServerConnection*> reserved_awaited;  // of these, likewise, and who lingers
    std::size_t body_bytes = 0;
    bool is_stopping = false;
    std::function<void()> on_closed;  // after a connection has left `connections`
};

/// Keeps itself alive until its peer or the server ends it.
class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
public:
    using Clock = std::chrono::steady_clock;

    ServerConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<ServerShared> shared);
    ~ServerConnection();
    ServerConnection(const ServerConnection&) = delete;
    ServerConnection& operator=(const ServerConnection&) = delete;

    /// Serves requests until the connection ends.
    void start();

    /// Serves one request beyond the cap: a probe's is answered, any other gets 503. Closes.
    void start_reserved();

    /// Ends what waits when its deadline is over. Deadlines are looked at by the server in one
    /// sweep, so that a request costs no timer.
    void check_deadline(Clock::time_point now);

    /// Closes when no request is under way, else after the answer.
    void close_when_idle();

    /// Closes now; a request under way stays without an answer.
    void close();

private:
    void finish();

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace twophase::http
