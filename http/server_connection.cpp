#include "http/server_connection.hpp"

#include "http/body.hpp"
#include "http/policy.hpp"
#include "http/problem.hpp"
#include "http/refusals.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace twophase::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto quiet = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t read_bytes = 8 * 1024;
constexpr std::size_t body_read_bytes = 64 * 1024;
constexpr std::size_t max_idle_buffer_bytes = 2 * read_bytes;
// An answer reaches a client only if we go on reading for a while what it still sends.
constexpr std::chrono::milliseconds linger_timeout{1'000};
constexpr std::size_t max_lingering_bytes = 1024 * 1024;

// Bytes of request bodies in memory, counted while a request is read and answered.
class Reservation {
public:
    explicit Reservation(ServerShared& shared) : shared_(shared) {}
    ~Reservation() { shared_.body_bytes -= bytes_; }
    Reservation(const Reservation&) = delete;
    Reservation& operator=(const Reservation&) = delete;

    /// Whether there is room for a body of `bytes`.
    bool grow_to(std::size_t bytes) {
        const ServerOptions& options = shared_.options;
        const std::size_t counted = bytes - std::min(bytes, options.free_body_bytes);
        if (counted <= bytes_) return true;
        const std::size_t more = counted - bytes_;
        if (more > options.max_total_body_bytes - shared_.body_bytes) return false;
        shared_.body_bytes += more;
        bytes_ = counted;
        return true;
    }

private:
    ServerShared& shared_;
    std::size_t bytes_ = 0;
};

}  // namespace

struct ServerConnection::State {
    using Reader = BodyReader<true>;

    State(tcp::socket peer, std::shared_ptr<ServerShared> server)
        : socket(std::move(peer)), shared(std::move(server)), answered(socket.get_executor()) {
        answered.expires_at(Clock::time_point::max());
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        const auto endpoint = socket.remote_endpoint(ignored);
        if (!ignored) remote_address = endpoint.address().to_string();
        const auto local = socket.local_endpoint(ignored);
        if (!ignored) local_address = local.address().to_string();
    }

    // --- the coroutines; each is started by one of the two spawns below ---

    asio::awaitable<void> serve();
    asio::awaitable<void> serve_reserved();
    asio::awaitable<bool> serve_one();
    asio::awaitable<std::optional<Refusal>> read_head(std::optional<RequestHead>& head);
    asio::awaitable<std::optional<Refusal>> read_body(RequestHead& head, Reservation& reserved);
    asio::awaitable<std::optional<Response>> answer(RequestHead head);
    asio::awaitable<bool> write(Response response, bool keep_alive, bool is_head_only);
    asio::awaitable<bool> read_more(std::size_t bytes);
    asio::awaitable<void> linger();

    // --- what they share ---

    void expire_after(std::chrono::milliseconds timeout) { deadline = Clock::now() + timeout; }
    // A reserved place has one deadline for its head, set once.
    void expire_head_after(std::chrono::milliseconds timeout) {
        if (!is_reserved) expire_after(timeout);
    }
    void never_expire() { deadline = Clock::time_point::max(); }
    std::list<ServerConnection*>& awaited() const {
        return is_reserved ? shared->reserved_awaited : shared->awaited;
    }
    void begin_waiting();
    void end_waiting();
    void take_answer(std::uint64_t number, Response response);
    void report(const Answered& what) const {
        if (!is_closed && shared->options.answered) shared->options.answered(what);
    }
    void close();
    std::string_view bytes() const {
        return {static_cast<const char*>(buffer.data().data()), buffer.size()};
    }

    tcp::socket socket;
    std::shared_ptr<ServerShared> shared;
    asio::steady_timer answered;  // never runs out: cancelled when the answer is there
    std::weak_ptr<ServerConnection> self;
    boost::beast::flat_buffer buffer;
    std::string remote_address;
    std::string local_address;
    Clock::time_point deadline = Clock::time_point::max();
    std::size_t head_bytes = 0;  // of the request under way
    std::uint64_t request_number = 0;
    std::optional<Response> response;
    bool is_idle = false;     // waiting for the first byte of a request
    bool is_expired = false;  // the deadline has passed
    bool is_gone = false;     // the peer closed or the connection broke
    bool is_closed = false;
    bool is_awaited = false;
    bool is_reserved = false;                      // beyond the cap
    std::list<ServerConnection*>::iterator place;  // among those awaited
};

asio::awaitable<void> ServerConnection::State::serve() {
    // Spelled out: g++ 12 with its checks on traps at a loop whose condition awaits.
    bool has_more = true;
    while (has_more) has_more = co_await serve_one();
    co_await linger();
}

// A balancer that hears nothing at the cap would take us for dead, and make it worse for the rest.
asio::awaitable<void> ServerConnection::State::serve_reserved() {
    expire_after(shared->options.reserved_timeout);
    std::optional<RequestHead> head;
    const std::optional<Refusal> refusal = co_await read_head(head);
    end_waiting();
    if (is_closed || is_gone) co_return;
    const bool is_head_only = head ? head->request.method == "HEAD" : bytes().starts_with("HEAD ");
    const bool is_answered =
        head && !refusal && is_probe(head->request) && !head->framing.has_body();
    std::optional<Response> reply = to_response(overloaded("There are too many connections."));
    if (is_answered)
        reply = co_await answer(std::move(*head));
    else
        report({.status = reply->status});
    if (!reply) co_return;
    co_await write(std::move(*reply), false, is_head_only);
    begin_waiting();
    co_await linger();
}

// Reads and answers one request. False: the connection is to be closed.
asio::awaitable<bool> ServerConnection::State::serve_one() {
    Reservation reserved(*shared);
    std::optional<RequestHead> head;
    std::optional<Refusal> refusal = co_await read_head(head);
    if (head && !refusal) refusal = co_await read_body(*head, reserved);
    end_waiting();
    if (is_closed || (!head && !refusal) || (is_gone && !refusal)) co_return false;
    const bool is_head_only = head ? head->request.method == "HEAD" : bytes().starts_with("HEAD ");
    // What follows a refused request can't be trusted to begin where we think.
    if (refusal) {
        Response reply = to_response(*refusal);
        report({.status = reply.status});
        co_return co_await write(std::move(reply), false, is_head_only);
    }
    const bool keep_alive = head->framing.keep_alive;
    std::optional<Response> reply = co_await answer(std::move(*head));
    if (!reply) co_return false;
    co_return co_await write(std::move(*reply), keep_alive && !shared->is_stopping, is_head_only);
}

// Neither a head nor a refusal: the connection ended between two requests.
asio::awaitable<std::optional<Refusal>> ServerConnection::State::read_head(
    std::optional<RequestHead>& head) {
    const ServerOptions& options = shared->options;
    if (buffer.size() == 0) {
        if (shared->is_stopping) co_return std::nullopt;
        // A large body's room isn't kept by a connection that only waits.
        if (buffer.capacity() > max_idle_buffer_bytes) buffer.shrink_to_fit();
        is_idle = true;
        begin_waiting();
        expire_head_after(options.idle_timeout);
        const bool has_begun = co_await read_more(read_bytes);
        is_idle = false;
        if (!has_begun) co_return std::nullopt;
    }
    begin_waiting();
    // Set once: a peer that sends a byte now and then doesn't get more time.
    expire_head_after(options.head_timeout);
    HeadScanner scanner(options.max_head_bytes, options.max_headers);
    while (true) {
        const HeadScanner::State state = scanner.scan(bytes());
        if (state == HeadScanner::State::complete) break;
        if (state != HeadScanner::State::incomplete) co_return bad_head(state, options);
        if (co_await read_more(read_bytes)) continue;
        if (is_expired) co_return too_slow();
        co_return std::nullopt;
    }
    head_bytes = scanner.length();
    auto parsed = parse_request_head(bytes().substr(0, head_bytes));
    if (!parsed) co_return parsed.error();
    head = std::move(*parsed);
    head->request.remote_address = remote_address;
    head->local_address = local_address;
    co_return refuse(*head, options);
}

asio::awaitable<std::optional<Refusal>> ServerConnection::State::read_body(RequestHead& head,
                                                                           Reservation& reserved) {
    const ServerOptions& options = shared->options;
    const std::size_t limit = body_limit(options, head.request.path);
    if (head.framing.length > limit) co_return too_large(limit);
    if (!reserved.grow_to(head.framing.length)) co_return overloaded("Too much is under way.");
    expire_after(options.body_timeout);
    Reader reader(limit, options.max_head_bytes);
    Reader::State state = reader.take_head(buffer, head_bytes);
    // The two parsers must agree on how the body ends, too.
    if (state != Reader::State::malformed && reader.is_chunked() != head.framing.is_chunked) {
        state = Reader::State::malformed;
    }
    if (state == Reader::State::reading && head.expects_continue && buffer.size() == 0) {
        constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(socket, asio::buffer(go_on), quiet);
    }
    while (state == Reader::State::reading) {
        if (buffer.size() > 0) state = reader.take_body(buffer);
        if (!reserved.grow_to(reader.bytes())) co_return overloaded("Too much is under way.");
        if (state != Reader::State::reading) break;
        if (co_await read_more(body_read_bytes)) continue;
        if (is_expired) co_return too_slow();
        co_return std::nullopt;
    }
    if (state == Reader::State::too_long) co_return too_large(limit);
    if (state == Reader::State::malformed) {
        co_return Refusal{.status = 400,
                          .code = "malformed-request",
                          .detail = "The body isn't properly framed."};
    }
    head.request.body = reader.take();
    co_return std::nullopt;
}

// Hands the request over and waits for its answer; nullopt when the connection was closed.
asio::awaitable<std::optional<Response>> ServerConnection::State::answer(RequestHead head) {
    if (is_closed) co_return std::nullopt;
    const bool is_of_another = !is_for_us(head, shared->options);
    Request request = std::move(head.request);
    never_expire();
    const std::uint64_t number = ++request_number;
    response.reset();
    const Clock::time_point begin = Clock::now();
    const RouteName* route = nullptr;
    request.route = &route;
    Respond respond = [connection = self, number](Response ready) {
        if (auto alive = connection.lock()) alive->state_->take_answer(number, std::move(ready));
    };
    try {
        shared->handler(std::move(request), std::move(respond));
    } catch (const std::exception&) {
        Response failure = problem(500, "internal-error", "The request could not be handled.");
        take_answer(number, std::move(failure));
    }
    while (!response && !is_closed) {
        co_await answered.async_wait(quiet);
    }
    if (is_closed) co_return std::nullopt;
    // A second answer to this request is ignored from here on.
    ++request_number;
    report({.route = route, .status = response->status, .duration = Clock::now() - begin});
    if (is_of_another) response = one_word(*response);
    co_return std::exchange(response, std::nullopt);
}

// False: the connection is to be closed.
asio::awaitable<bool> ServerConnection::State::write(Response reply,
                                                     bool keep_alive,
                                                     bool is_head_only) {
    if (is_closed) co_return false;
    expire_after(shared->options.write_timeout);
    is_expired = false;
    const bool has_body = !is_head_only && reply.status != 204 && reply.status != 304;
    const std::string head =
        response_head(reply, keep_alive, is_head_only, std::chrono::system_clock::now());
    const std::array<asio::const_buffer, 2> whole = {
        asio::buffer(head), has_body ? asio::buffer(reply.body) : asio::const_buffer()};
    const auto [error, written] = co_await asio::async_write(socket, whole, quiet);
    if (error) is_gone = true;
    co_return keep_alive && !error && !is_closed && !is_expired;
}

// False: the peer is gone, the deadline has passed, or the connection was closed.
asio::awaitable<bool> ServerConnection::State::read_more(std::size_t count) {
    if (is_closed || is_expired || is_gone) co_return false;
    const auto [error, read] = co_await socket.async_read_some(buffer.prepare(count), quiet);
    buffer.commit(read);
    if (is_expired || is_closed) co_return false;
    if (error) is_gone = true;
    co_return !error;
}

// Closing while unread bytes wait would reset the connection and could destroy the answer on its
// way, so the peer gets a moment to read it and to close.
asio::awaitable<void> ServerConnection::State::linger() {
    if (is_closed || is_gone || is_expired) co_return;
    boost::system::error_code ignored;
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    expire_after(linger_timeout);
    for (std::size_t dropped = 0; dropped < max_lingering_bytes;) {
        buffer.clear();
        if (!co_await read_more(read_bytes)) break;
        dropped += buffer.size();
    }
}

void ServerConnection::State::take_answer(std::uint64_t number, Response ready) {
    if (number != request_number || response || is_closed) return;
    response = std::move(ready);
    answered.cancel();
}

// For a request, or for the rest of one, since now.
void ServerConnection::State::begin_waiting() {
    auto& all = awaited();
    if (is_awaited) return all.splice(all.end(), all, place);
    const auto connection = self.lock();
    if (!connection || is_closed) return;
    place = all.insert(all.end(), connection.get());
    is_awaited = true;
}

void ServerConnection::State::end_waiting() {
    if (std::exchange(is_awaited, false)) awaited().erase(place);
}

void ServerConnection::State::close() {
    end_waiting();
    is_closed = true;
    boost::system::error_code ignored;
    socket.close(ignored);
    answered.cancel();
}

ServerConnection::ServerConnection(tcp::socket socket, std::shared_ptr<ServerShared> shared)
    : state_(std::make_unique<State>(std::move(socket), std::move(shared))) {}

ServerConnection::~ServerConnection() = default;

void ServerConnection::start() {
    state_->self = weak_from_this();
    state_->shared->connections.insert(this);
    auto finished = [self = shared_from_this()](const std::exception_ptr&) { self->finish(); };
    asio::co_spawn(state_->socket.get_executor(), state_->serve(), std::move(finished));
}

void ServerConnection::start_reserved() {
    state_->self = weak_from_this();
    state_->is_reserved = true;
    ++state_->shared->reserved;
    state_->shared->connections.insert(this);
    auto finished = [self = shared_from_this()](const std::exception_ptr&) { self->finish(); };
    asio::co_spawn(state_->socket.get_executor(), state_->serve_reserved(), std::move(finished));
}

void ServerConnection::check_deadline(Clock::time_point now) {
    if (now < state_->deadline) return;
    state_->never_expire();
    state_->is_expired = true;
    boost::system::error_code ignored;
    state_->socket.cancel(ignored);
}

void ServerConnection::close_when_idle() {
    if (state_->is_idle) close();
}

void ServerConnection::close() { state_->close(); }

void ServerConnection::finish() {
    close();
    ServerShared& shared = *state_->shared;
    shared.connections.erase(this);
    if (state_->is_reserved) --shared.reserved;
    if (shared.on_closed) shared.on_closed();
}

}  // namespace twophase::http
