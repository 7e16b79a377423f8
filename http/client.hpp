// The HTTP/1.1 client: a pool of keep-alive connections to one peer.
#pragma once

#include "http/endpoint.hpp"
#include "http/errc.hpp"
#include "http/lookup.hpp"
#include "http/message.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace twophase::http {

struct ClientOptions {
    std::size_t max_connections = 64;  // to this peer; calls beyond it wait for one, in order
    std::size_t max_response_bytes = 8 * 1024 * 1024;
    std::chrono::milliseconds connect_timeout{2'000};  // with the lookup of the host's name
    LookupOptions lookup;
    std::chrono::milliseconds idle_timeout{30'000};  // below the server's, so that ours ends first
};

/// A request to the peer; `target` is appended to the endpoint's base path, query included.
struct Call {
    std::string method = "GET";
    std::string target;
    std::string body;
    std::string content_type = "application/json";  // sent only with a body
    std::vector<Header> headers;
    /// False: the status is all that is asked for, so that an answer whose body would end with the
    /// connection is whole with its head.
    bool needs_body = true;
};

/// Calls one peer over pooled connections. One loop thread runs everything here.
/// A pooled connection that the peer closed meanwhile is thrown away before use.
class Client {
public:
    Client(boost::asio::io_context& io, Endpoint peer, ClientOptions options = {});
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends once and hands the answer, or what went wrong, to `done`, exactly once and never
    /// before send() returned. `timeout` covers waiting for a connection, connecting, sending and
    /// reading. A timed-out call may have been carried out by the peer.
    void send(Call call,
              std::chrono::milliseconds timeout,
              std::function<void(Result<Response>)> done);

    /// Fails what waits with Errc::closing and closes every connection.
    void close();

    const Endpoint& peer() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Calls once and waits: for command-line tools and tests, on a loop of its own.
Result<Response> call_once(const Endpoint& peer, Call call, std::chrono::milliseconds timeout);

}  // namespace twophase::http
