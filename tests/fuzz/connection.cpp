#include "tests/fuzz/connection.hpp"

#include "http/server_connection.hpp"
#include "tests/fuzz/hits.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <memory>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace twophase::fuzz {
namespace {

using boost::asio::ip::tcp;
using http::ServerConnection;

http::ServerOptions small_limits() {
    http::ServerOptions options;
    options.max_head_bytes = 1024;
    options.max_headers = 16;
    options.max_body_bytes = most_body_bytes;
    options.max_total_body_bytes = 2 * most_body_bytes;
    options.allowed_hosts = {"coordinator.example"};
    return options;
}

// The client's end.
class Client {
public:
    Client(int end, const Talk& talk) : end_(end), talk_(talk), rest_(talk.bytes) {}
    ~Client() { hang_up(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends the next piece; false when there is none.
    bool send() {
        if (rest_.empty()) {
            if (!talk_.falls_silent && !std::exchange(has_ended_, true)) ::shutdown(end_, SHUT_WR);
            return false;
        }
        const std::size_t most = talk_.piece == 0 ? rest_.size() : talk_.piece;
        const ssize_t sent = ::send(end_, rest_.data(), std::min(most, rest_.size()), MSG_NOSIGNAL);
        // What the server no longer takes is lost on it.
        rest_.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : rest_.size());
        return true;
    }

    void receive() {
        char buffer[16 * 1024];
        for (ssize_t got = 1; got > 0;) {
            got = ::recv(end_, buffer, sizeof buffer, 0);
            if (got > 0) received_.append(buffer, static_cast<std::size_t>(got));
        }
    }

    void hang_up() {
        if (end_ >= 0) ::close(std::exchange(end_, -1));
    }

    std::string take() { return std::move(received_); }

private:
    int end_;
    Talk talk_;
    std::string_view rest_;
    std::string received_;
    bool has_ended_ = false;
};

void pass_deadlines(http::ServerShared& shared) {
    using Clock = ServerConnection::Clock;
    // Later than any deadline but that of who has none.
    const auto late = Clock::time_point::max() - Clock::duration(1);
    for (ServerConnection* connection : shared.connections) connection->check_deadline(late);
}

}  // namespace

std::string serve(const Talk& talk, const http::Handler& handler) {
    static boost::asio::io_context io(1);
    int ends[2] = {-1, -1};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0, "a socket pair");
    Client client(ends[1], talk);
    auto shared = std::make_shared<http::ServerShared>();
    shared->options = small_limits();
    shared->handler = handler;
    tcp::socket socket(io);
    socket.assign(tcp::v4(), ends[0]);
    std::make_shared<ServerConnection>(std::move(socket), shared)->start();
    while (!shared->connections.empty()) {
        const bool has_sent = client.send();
        io.restart();
        const bool has_run = io.poll() > 0;
        client.receive();
        if (!has_sent && !has_run) pass_deadlines(*shared);
    }
    require(shared->body_bytes == 0, "room for bodies comes back");
    return client.take();
}

}  // namespace twophase::fuzz
