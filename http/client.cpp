#include "http/client.hpp"

#include "http/body.hpp"
#include "http/head.hpp"
#include "http/json.hpp"
#include "http/lookup.hpp"
#include "http/target.hpp"
#include "http/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <exception>
#include <list>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <unordered_set>
#include <utility>

namespace twophase::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto quiet = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t read_bytes = 16 * 1024;
constexpr std::size_t max_head_bytes = 16 * 1024;
constexpr std::size_t max_headers = 128;
constexpr int max_interim_responses = 8;
constexpr std::chrono::milliseconds longest_timeout = std::chrono::hours(24);

std::string authority_of(const Address& address) {
    const bool is_ipv6 = address.host.find(':') != std::string::npos;
    const std::string host = is_ipv6 ? "[" + address.host + "]" : address.host;
    return host + ":" + std::to_string(address.port);
}

// One connection to the peer: not connected yet, in use by one call, or idle.
struct Connection {
    explicit Connection(asio::io_context& io) : socket(io), connect_timer(io) {}

    void close() {
        error_code ignored;
        socket.close(ignored);
        if (lookup_wait) lookup_wait->cancel();
        connect_timer.cancel();
        buffer.clear();
        is_given_up = true;
    }

    // Whether the peer closed it, or sent what nobody asked for, while it was idle.
    bool is_stale() {
        char byte = 0;
        const ssize_t got =
            ::recv(socket.native_handle(), &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
        return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }

    tcp::socket socket;
    asio::steady_timer connect_timer;
    std::shared_ptr<asio::steady_timer> lookup_wait;  // while its host is looked up
    boost::beast::flat_buffer buffer;
    Address address;  // where it is connected to
    Clock::time_point idle_since;
    bool is_reusable = false;
    bool is_given_up = false;  // closed since it began to connect
};

using ConnectionPtr = std::shared_ptr<Connection>;

// One send() from its call to its `done`.
struct Exchange {
    Exchange(asio::io_context& io, Call what, std::function<void(Result<Response>)> tell)
        : call(std::move(what)), done(std::move(tell)), deadline(io) {}

    Call call;
    std::function<void(Result<Response>)> done;
    asio::steady_timer deadline;
    ConnectionPtr connection;  // none while it waits for one
    bool is_over = false;
};

using ExchangePtr = std::shared_ptr<Exchange>;

// Why there is no answer; nothing more is read from the connection. `state` isn't whole.
Errc errc_of(BodyReader<false>::State state) {
    using State = BodyReader<false>::State;
    if (state == State::too_long) return Errc::too_large;
    if (state == State::trailers_too_long) return Errc::trailers_too_long;
    return state == State::reading ? Errc::cut : Errc::bad_chunks;
}

Errc errc_of(HeadScanner::State state) {
    using State = HeadScanner::State;
    if (state == State::too_long) return Errc::head_too_long;
    return state == State::too_many ? Errc::too_many_headers : Errc::bad_head_bytes;
}

asio::awaitable<error_code> read_some(ConnectionPtr connection) {
    const auto [error, read] =
        co_await connection->socket.async_read_some(connection->buffer.prepare(read_bytes), quiet);
    connection->buffer.commit(read);
    co_return error;
}

asio::awaitable<bool> read_more(ConnectionPtr connection) {
    co_return !co_await read_some(std::move(connection));
}

std::string_view bytes_of(const Connection& connection) {
    const auto data = connection.buffer.data();
    return {static_cast<const char*>(data.data()), data.size()};
}

struct RawHead {
    ResponseHead head;
    std::size_t bytes = 0;
};

// The next head in the connection's buffer, which keeps its bytes.
asio::awaitable<Result<RawHead>> read_head(ConnectionPtr connection, std::string_view method) {
    HeadScanner scanner(max_head_bytes, max_headers);
    while (true) {
        const HeadScanner::State state = scanner.scan(bytes_of(*connection));
        if (state == HeadScanner::State::complete) break;
        if (state != HeadScanner::State::incomplete) co_return errc_of(state);
        if (!co_await read_more(connection)) co_return Errc::cut;
    }
    const std::size_t length = scanner.length();
    auto head = parse_response_head(bytes_of(*connection).substr(0, length), method);
    if (!head) co_return head.error();
    co_return RawHead{std::move(*head), length};
}

bool is_whole_json(std::string_view body) {
    const std::size_t first = body.find_first_not_of(" \t\r\n");
    const bool has_end = first != body.npos && (body[first] == '{' || body[first] == '[');
    return has_end && Json::accept(body);
}

// A body that ends with the connection (RFC 9112, section 6.3, last rule), its head still in the
// buffer. Only an orderly end counts, and only what shows by itself that nothing is missing.
asio::awaitable<Result<Response>> read_to_end(ConnectionPtr connection,
                                              RawHead raw,
                                              std::size_t max_body_bytes) {
    connection->buffer.consume(raw.bytes);
    error_code end;
    while (!end) {
        if (connection->buffer.size() > max_body_bytes) co_return Errc::too_large;
        end = co_await read_some(connection);
    }
    if (end != asio::error::eof) co_return Errc::cut;
    Response response = std::move(raw.head.response);
    response.body = bytes_of(*connection);
    if (!is_whole_json(response.body)) co_return Errc::not_whole_json;
    co_return response;
}

asio::awaitable<Result<Response>> read_response(ConnectionPtr connection,
                                                std::string method,
                                                bool needs_body,
                                                std::size_t max_body_bytes) {
    boost::beast::flat_buffer& buffer = connection->buffer;
    auto raw = co_await read_head(connection, method);
    for (int i = 0; raw && raw->head.is_interim; ++i) {
        if (i == max_interim_responses) co_return Errc::too_many_interim;
        buffer.consume(raw->bytes);
        raw = co_await read_head(connection, method);
    }
    if (!raw) co_return raw.error();
    const Framing framing = raw->head.framing;
    if (framing.length > max_body_bytes) co_return Errc::too_large;
    if (framing.ends_with_connection && !needs_body) co_return std::move(raw->head.response);
    if (framing.ends_with_connection)
        co_return co_await read_to_end(connection, std::move(*raw), max_body_bytes);
    BodyReader<false> reader(max_body_bytes, max_head_bytes);
    if (!framing.has_body()) reader.skip_body();
    BodyReader<false>::State state = reader.take_head(buffer, raw->bytes);
    if (state == BodyReader<false>::State::malformed) co_return Errc::bad_head;
    while (state == BodyReader<false>::State::reading) {
        if (buffer.size() > 0) state = reader.take_body(buffer);
        if (state != BodyReader<false>::State::reading) break;
        if (!co_await read_more(connection)) break;
    }
    if (state != BodyReader<false>::State::whole) co_return errc_of(state);
    Response response = std::move(raw->head.response);
    response.body = reader.take();
    // Bytes beyond the answer belong to nothing we asked.
    connection->is_reusable = framing.keep_alive && buffer.size() == 0;
    co_return response;
}

}  // namespace

struct Client::State : std::enable_shared_from_this<State> {
    State(asio::io_context& loop, Endpoint endpoint, ClientOptions limits)
        : io(loop), peer(std::move(endpoint)), options(limits), reaper(loop) {}

    void send(Call call, std::chrono::milliseconds timeout, std::function<void(Result<Response>)>);
    void dispatch(ExchangePtr exchange);
    void start(ConnectionPtr connection, ExchangePtr exchange);
    void finish(const ExchangePtr& exchange, Result<Response> result);
    void expire(const ExchangePtr& exchange);
    ExchangePtr next_for(const ConnectionPtr& connection);
    void park(ConnectionPtr connection);
    void reap();
    void move_to(const Address& address);
    void close();

    asio::awaitable<void> work(ConnectionPtr connection, ExchangePtr exchange);
    asio::awaitable<Result<Response>> exchange_on(ConnectionPtr connection, ExchangePtr exchange);
    asio::awaitable<error_code> connect(ConnectionPtr connection);
    asio::awaitable<error_code> connect_socket(ConnectionPtr connection, Address to);

    asio::io_context& io;
    Endpoint peer;
    ClientOptions options;
    Address address;  // of the newest connection
    std::size_t open = 0;
    std::list<ExchangePtr> waiting;
    std::unordered_set<ExchangePtr> running;
    std::vector<ConnectionPtr> idle;  // the longest idle first
    asio::steady_timer reaper;
    bool is_reaping = false;
    bool is_closed = false;
};

void Client::State::send(Call call,
                         std::chrono::milliseconds timeout,
                         std::function<void(Result<Response>)> done) {
    auto exchange = std::make_shared<Exchange>(io, std::move(call), std::move(done));
    const bool can_be_sent = is_token(exchange->call.method) && is_target(exchange->call.target) &&
                             (peer.base_path() + exchange->call.target).starts_with('/');
    if (!can_be_sent) return finish(exchange, Errc::malformed);
    if (is_closed) return finish(exchange, Errc::closing);
    exchange->deadline.expires_after(std::min(timeout, longest_timeout));
    exchange->deadline.async_wait([self = shared_from_this(), exchange](error_code cancelled) {
        if (!cancelled) self->expire(exchange);
    });
    dispatch(std::move(exchange));
}

void Client::State::dispatch(ExchangePtr exchange) {
    if (!idle.empty()) {
        // The one used last is the least likely to have been closed by the peer.
        ConnectionPtr connection = std::move(idle.back());
        idle.pop_back();
        return start(std::move(connection), std::move(exchange));
    }
    if (open == options.max_connections) {
        waiting.push_back(std::move(exchange));
        return;
    }
    ++open;
    start(std::make_shared<Connection>(io), std::move(exchange));
}

void Client::State::start(ConnectionPtr connection, ExchangePtr exchange) {
    // Set before the coroutine runs, so that a deadline or close() finds what to end.
    exchange->connection = connection;
    running.insert(exchange);
    asio::co_spawn(io, work(std::move(connection), std::move(exchange)), [](std::exception_ptr e) {
        // Only what nobody can answer, such as the end of memory, gets here.
        if (e) std::rethrow_exception(e);
    });
}

// Tells the caller, once. Posted: the caller may call us again or destroy us from there.
void Client::State::finish(const ExchangePtr& exchange, Result<Response> result) {
    if (exchange->is_over) return;
    exchange->is_over = true;
    exchange->deadline.cancel();
    running.erase(exchange);
    asio::post(io, [done = std::move(exchange->done), result = std::move(result)]() mutable {
        if (done) done(std::move(result));
    });
}

void Client::State::expire(const ExchangePtr& exchange) {
    if (exchange->is_over) return;
    if (exchange->connection) {
        exchange->connection->close();
    } else {
        waiting.remove(exchange);
    }
    finish(exchange, Errc::timed_out);
}

// Runs calls on one connection until none waits.
asio::awaitable<void> Client::State::work(ConnectionPtr connection, ExchangePtr exchange) {
    while (exchange) {
        connection->is_reusable = false;
        Result<Response> result = Errc::timed_out;
        if (!exchange->is_over) result = co_await exchange_on(connection, exchange);
        if (exchange->is_over) connection->is_reusable = false;
        finish(exchange, std::move(result));
        exchange->connection = nullptr;
        exchange = next_for(connection);
    }
}

// The call that waits longest, to be run on `connection`; none: the connection was put away.
ExchangePtr Client::State::next_for(const ConnectionPtr& connection) {
    const bool is_usable = connection->is_reusable && !is_closed && connection->address == address;
    if (!is_usable) connection->close();
    if (!waiting.empty()) {
        ExchangePtr next = std::move(waiting.front());
        waiting.pop_front();
        next->connection = connection;
        running.insert(next);
        return next;
    }
    if (is_usable) {
        park(connection);
    } else {
        --open;
    }
    return nullptr;
}

void Client::State::park(ConnectionPtr connection) {
    connection->idle_since = Clock::now();
    idle.push_back(std::move(connection));
    if (!is_reaping) reap();
}

void Client::State::reap() {
    const auto oldest = Clock::now() - options.idle_timeout;
    while (!idle.empty() && idle.front()->idle_since <= oldest) {
        idle.front()->close();
        idle.erase(idle.begin());
        --open;
    }
    is_reaping = !idle.empty();
    if (!is_reaping) return;
    reaper.expires_at(idle.front()->idle_since + options.idle_timeout);
    reaper.async_wait([weak = weak_from_this()](error_code cancelled) {
        const auto self = weak.lock();
        if (self && !cancelled) self->reap();
    });
}

// The peer was found at `now`: connections to where it was before are of no use.
void Client::State::move_to(const Address& now) {
    if (now == address) return;
    address = now;
    for (const ConnectionPtr& connection : idle) connection->close();
    open -= idle.size();
    idle.clear();
}

void Client::State::close() {
    is_closed = true;
    reaper.cancel();
    for (const ConnectionPtr& connection : idle) connection->close();
    open -= idle.size();
    idle.clear();
    for (const ExchangePtr& exchange : std::exchange(waiting, {})) {
        finish(exchange, Errc::closing);
    }
    for (const ExchangePtr& exchange : std::exchange(running, {})) {
        if (exchange->connection) exchange->connection->close();
        finish(exchange, Errc::closing);
    }
}

asio::awaitable<Result<Response>> Client::State::exchange_on(ConnectionPtr connection,
                                                             ExchangePtr exchange) {
    if (connection->socket.is_open() && connection->is_stale()) connection->close();
    if (!connection->socket.is_open()) {
        const error_code error = co_await connect(connection);
        if (exchange->is_over) {
            connection->close();
            co_return Errc::timed_out;
        }
        if (error) co_return error;
    }
    const Call& call = exchange->call;
    const std::string head = request_head(call.method,
                                          connection->address.base_path + call.target,
                                          authority_of(connection->address),
                                          call.body.size(),
                                          call.content_type,
                                          call.headers);
    const std::array<asio::const_buffer, 2> whole = {asio::buffer(head), asio::buffer(call.body)};
    const auto [error, sent] = co_await asio::async_write(connection->socket, whole, quiet);
    // A peer that refuses a request early closes while we still write; its answer may be there.
    auto response = co_await read_response(
        connection, call.method, call.needs_body, options.max_response_bytes);
    if (error) connection->is_reusable = false;
    co_return response;
}

asio::awaitable<error_code> Client::State::connect(ConnectionPtr connection) {
    auto to = peer.resolve();
    if (!to) co_return to.error();
    move_to(*to);
    connection->address = *to;
    connection->is_given_up = false;
    connection->connect_timer.expires_after(options.connect_timeout);
    connection->connect_timer.async_wait([connection](error_code cancelled) {
        // The time may have been moved while this handler was already on its way.
        const bool is_due = connection->connect_timer.expiry() <= Clock::now();
        if (!cancelled && is_due) connection->close();
    });
    const error_code error = co_await connect_socket(connection, *to);
    connection->connect_timer.expires_at(Clock::time_point::max());
    if (error) co_return error;
    if (!connection->socket.is_open()) co_return Errc::unreachable;
    error_code ignored;
    connection->socket.set_option(tcp::no_delay(true), ignored);
    co_return error_code{};
}

asio::awaitable<error_code> Client::State::connect_socket(ConnectionPtr connection, Address to) {
    Lookup& lookup = asio::use_service<Lookup>(io);
    connection->lookup_wait = std::make_shared<asio::steady_timer>(io);
    auto found = co_await lookup.find(to.host, options.lookup, connection->lookup_wait);
    connection->lookup_wait = nullptr;
    if (!found) co_return found.error();
    if (connection->is_given_up) co_return Errc::unreachable;
    std::vector<tcp::endpoint> endpoints;
    for (const asio::ip::address& each : *found) endpoints.emplace_back(each, to.port);
    const auto [error, used] = co_await asio::async_connect(connection->socket, endpoints, quiet);
    if (!error) co_return error;
    lookup.doubt(to.host);
    co_return Errc::unreachable;
}

Client::Client(asio::io_context& io, Endpoint peer, ClientOptions options)
    : state_(std::make_shared<State>(io, std::move(peer), options)) {
    assert(options.max_connections > 0);
}

Client::~Client() { state_->close(); }

void Client::send(Call call,
                  std::chrono::milliseconds timeout,
                  std::function<void(Result<Response>)> done) {
    state_->send(std::move(call), timeout, std::move(done));
}

void Client::close() { state_->close(); }

const Endpoint& Client::peer() const { return state_->peer; }

Result<Response> call_once(const Endpoint& peer, Call call, std::chrono::milliseconds timeout) {
    asio::io_context io(1);
    Client client(io, peer);
    Result<Response> result = Errc::cut;
    client.send(std::move(call), timeout, [&](Result<Response> answer) {
        result = std::move(answer);
        io.stop();
    });
    io.run();
    return result;
}

}  // namespace twophase::http
