#include "http/server.hpp"

#include "http/server_connection.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <sys/resource.h>
#include <utility>

namespace twophase::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds accept_pause{100};
// Connections beyond the cap: probes, and who is told that there are too many.
constexpr std::size_t max_reserved = 256;

// How often deadlines are looked at: fine enough for the shortest of them.
std::chrono::milliseconds sweep_interval(const ServerOptions& options) {
    using std::chrono::milliseconds;
    const milliseconds shortest = std::min({options.head_timeout,
                                            options.body_timeout,
                                            options.idle_timeout,
                                            options.write_timeout,
                                            options.reserved_timeout});
    return std::clamp(shortest / 10, milliseconds(5), milliseconds(250));
}

// The cap, or less where the process may not open that many files. Some are left for the log, for
// calls to others and for reserved places.
std::size_t connection_cap(std::size_t wanted) {
    constexpr std::size_t others = max_reserved + 256;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
    if (limit.rlim_cur < wanted + others) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted + others);
        ::setrlimit(RLIMIT_NOFILE, &limit);
        ::getrlimit(RLIMIT_NOFILE, &limit);
    }
    const std::size_t files = limit.rlim_cur;
    return std::min(wanted, files > 2 * others ? files - others : files / 2);
}

}  // namespace

struct Server::State : std::enable_shared_from_this<State> {
    State(asio::io_context& io, ServerOptions options, Handler handler)
        : executor(io.get_executor()),
          acceptor(io),
          retry(io),
          sweep(io),
          grace(io),
          shared(std::make_shared<ServerShared>()) {
        shared->options = std::move(options);
        shared->handler = std::move(handler);
        shared->options.max_connections = connection_cap(shared->options.max_connections);
    }

    void listen();
    void accept();
    void admit(tcp::socket socket);
    void sweep_deadlines();
    void stop(std::chrono::milliseconds timeout, std::function<void()> done);
    void finish_if_empty();
    void close();
    std::size_t open() const { return shared->connections.size() - shared->reserved; }

    asio::io_context::executor_type executor;
    tcp::acceptor acceptor;
    asio::steady_timer retry;
    asio::steady_timer sweep;
    asio::steady_timer grace;
    std::shared_ptr<ServerShared> shared;
    std::vector<std::function<void()>> stopped;
    bool is_sweeping = false;
    std::uint16_t port = 0;
};

void Server::State::listen() {
    const ServerOptions& options = shared->options;
    const std::string where = options.address + ":" + std::to_string(options.port);
    try {
        const tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
        acceptor.open(endpoint.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(endpoint);
        acceptor.listen();
        port = acceptor.local_endpoint().port();
    } catch (const boost::system::system_error& e) {
        throw boost::system::system_error(e.code(), "cannot listen on " + where);
    }
}

void Server::State::accept() {
    acceptor.async_accept(
        [self = shared_from_this()](boost::system::error_code error, tcp::socket socket) {
            if (self->shared->is_stopping) return;
            if (!error) {
                self->admit(std::move(socket));
                return self->accept();
            }
            // Mostly out of descriptors: without a pause this would spin.
            self->retry.expires_after(accept_pause);
            self->retry.async_wait([self](boost::system::error_code cancelled) {
                if (!cancelled && !self->shared->is_stopping) self->accept();
            });
        });
}

void Server::State::admit(tcp::socket socket) {
    // Who lets us wait for a request makes room: a crowd that asks for nothing keeps nobody out.
    const auto has_room_among = [](std::list<ServerConnection*>& awaited, bool is_full) {
        if (is_full && awaited.empty()) return false;
        if (is_full) awaited.front()->close();
        return true;
    };
    const bool has_room =
        has_room_among(shared->awaited, open() >= shared->options.max_connections);
    if (!has_room && !has_room_among(shared->reserved_awaited, shared->reserved >= max_reserved))
        return;
    auto connection = std::make_shared<ServerConnection>(std::move(socket), shared);
    has_room ? connection->start() : connection->start_reserved();
    if (!is_sweeping) sweep_deadlines();
}

void Server::State::sweep_deadlines() {
    is_sweeping = !shared->connections.empty();
    if (!is_sweeping) return;
    const auto now = ServerConnection::Clock::now();
    for (ServerConnection* connection : shared->connections) connection->check_deadline(now);
    sweep.expires_after(sweep_interval(shared->options));
    sweep.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
        if (!cancelled) self->sweep_deadlines();
    });
}

void Server::State::stop(std::chrono::milliseconds timeout, std::function<void()> done) {
    stopped.push_back(std::move(done));
    shared->is_stopping = true;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    retry.cancel();
    shared->on_closed = [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->finish_if_empty();
    };
    for (ServerConnection* connection : shared->connections) connection->close_when_idle();
    grace.expires_after(timeout);
    grace.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
        if (cancelled) return;
        for (ServerConnection* connection : self->shared->connections) connection->close();
    });
    finish_if_empty();
}

void Server::State::finish_if_empty() {
    if (!shared->connections.empty()) return;
    grace.cancel();
    sweep.cancel();
    for (auto& done : std::exchange(stopped, {})) {
        if (done) asio::post(executor, std::move(done));
    }
}

void Server::State::close() {
    shared->is_stopping = true;
    shared->on_closed = nullptr;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    retry.cancel();
    sweep.cancel();
    grace.cancel();
    for (ServerConnection* connection : shared->connections) connection->close();
}

Server::Server(asio::io_context& io, ServerOptions options, Handler handler)
    : state_(std::make_shared<State>(io, std::move(options), std::move(handler))) {
    state_->listen();
}

Server::~Server() { state_->close(); }

void Server::start() { state_->accept(); }

std::uint16_t Server::port() const { return state_->port; }

void Server::stop(std::chrono::milliseconds grace, std::function<void()> done) {
    state_->stop(grace, std::move(done));
}

std::size_t Server::connections() const { return state_->open(); }

}  // namespace twophase::http
