#include "tests/faults/proxy.hpp"

#include "http/endpoint.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string_view>
#include <thread>
#include <utility>

namespace twophase::faults {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto quiet = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t most_bytes = 64 << 20;

struct Message {
    std::string head;  // with the empty line at its end
    std::string body;
};

/// One side of a link, and what was read of it beyond the last message.
struct Side {
    tcp::socket socket;
    std::string buffer;
};

std::size_t body_bytes(std::string head) {
    std::ranges::transform(head, head.begin(), [](unsigned char c) { return std::tolower(c); });
    constexpr std::string_view name = "\r\ncontent-length:";
    const auto at = head.find(name);
    if (at == std::string::npos) return 0;
    const auto first = head.find_first_of("0123456789", at + name.size());
    std::size_t bytes = 0;
    std::from_chars(head.data() + first, head.data() + head.size(), bytes);
    return bytes;
}

std::string target_of(const Message& request) {
    const auto from = std::min(request.head.find(' '), request.head.size() - 1) + 1;
    return request.head.substr(from, request.head.find(' ', from) - from);
}

/// The last part of the path: "commit", "decision".
std::string verb_of(const std::string& target) {
    const std::string path = target.substr(0, target.find('?'));
    return path.substr(path.rfind('/') + 1);
}

Message reply_of(unsigned status, std::string body) {
    return {"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n",
            std::move(body)};
}

/// The next message; nothing when the connection ends first.
asio::awaitable<std::optional<Message>> read_message(Side& side) {
    const auto [failed, head] = co_await asio::async_read_until(
        side.socket, asio::dynamic_buffer(side.buffer, most_bytes), "\r\n\r\n", quiet);
    if (failed) co_return std::nullopt;
    Message message{side.buffer.substr(0, head), {}};
    const std::size_t whole = head + body_bytes(message.head);
    if (side.buffer.size() < whole) {
        const auto [cut, more] =
            co_await asio::async_read(side.socket,
                                      asio::dynamic_buffer(side.buffer, most_bytes),
                                      asio::transfer_exactly(whole - side.buffer.size()),
                                      quiet);
        if (cut) co_return std::nullopt;
    }
    message.body = side.buffer.substr(head, whole - head);
    side.buffer.erase(0, whole);
    co_return message;
}

asio::awaitable<bool> write(Side& side, std::string bytes) {
    const auto [failed, written] =
        co_await asio::async_write(side.socket, asio::buffer(bytes), quiet);
    co_return !failed;
}

/// Until the other side gives up.
asio::awaitable<void> keep_silent(Side& side) {
    char byte = 0;
    co_await side.socket.async_read_some(asio::buffer(&byte, 1), quiet);
}

void reset(Side& side) {
    boost::system::error_code ignored;
    side.socket.set_option(tcp::socket::linger(true, 0), ignored);
    side.socket.close(ignored);
}

asio::awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(quiet);
}

/// A gid in it, each time it stands there, becomes one that nobody minted.
std::string with_another_gid(std::string body) {
    constexpr std::string_view name = R"("gid":")";
    constexpr std::size_t last_of_gid = 35;
    for (auto at = body.find(name); at != std::string::npos; at = body.find(name, at + 1)) {
        const auto last = at + name.size() + last_of_gid;
        if (last < body.size()) body[last] = body[last] == 'e' ? 'f' : 'e';
    }
    return body;
}

struct Planned {
    Fault fault;
    std::string target;
    std::size_t times;
};

}  // namespace

struct Proxy::State {
    State(std::filesystem::path peer_file, const std::filesystem::path& own, ProxyOptions with)
        : options(with),
          peer(std::move(peer_file)),
          acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
          random(with.seed) {
        http::write_address_file(own, "127.0.0.1", acceptor.local_endpoint().port());
        asio::co_spawn(io, accept(), asio::detached);
        thread = std::thread([this] { io.run(); });
    }
    ~State() {
        io.stop();
        thread.join();
    }

    asio::awaitable<void> accept();
    asio::awaitable<void> serve(tcp::socket socket);
    asio::awaitable<std::optional<Side>> connect();
    asio::awaitable<std::optional<Message>> forward(Message request);
    asio::awaitable<bool> exchange(Side& caller, Message request);
    asio::awaitable<bool> disturb(Side& caller, Message request, Fault fault);
    asio::awaitable<void> cut_request(Side& caller, Message request, bool in_head);
    asio::awaitable<bool> answer(Side& caller, Message reply, Fault fault);
    asio::awaitable<void> forward_later(Message request);

    Fault choose(const std::string& target);
    std::chrono::milliseconds some_time();

    ProxyOptions options;
    std::filesystem::path peer;
    asio::io_context io{1};
    tcp::acceptor acceptor;
    std::map<std::string, std::string> earlier_replies;  // last 200 by verb; the loop's alone
    std::thread thread;

    mutable std::mutex mutex;  // for what is below
    std::mt19937_64 random;
    double probability = 0;
    std::vector<Planned> planned;
    std::map<Fault, std::size_t> counts;
};

asio::awaitable<void> Proxy::State::accept() {
    for (;;) {
        auto [failed, socket] = co_await acceptor.async_accept(quiet);
        if (failed) co_return;
        asio::co_spawn(io, serve(std::move(socket)), asio::detached);
    }
}

asio::awaitable<void> Proxy::State::serve(tcp::socket socket) {
    Side caller{std::move(socket), {}};
    bool goes_on = true;
    while (goes_on) {
        std::optional<Message> request = co_await read_message(caller);
        goes_on = request.has_value();
        if (goes_on) goes_on = co_await exchange(caller, std::move(*request));
    }
}

asio::awaitable<std::optional<Side>> Proxy::State::connect() {
    const auto at = http::Endpoint::parse("file:" + peer.string() + "#").value().resolve();
    if (!at) co_return std::nullopt;
    Side side{tcp::socket(io), {}};
    const tcp::endpoint to(asio::ip::make_address(at->host), at->port);
    const auto [failed] = co_await side.socket.async_connect(to, quiet);
    if (failed) co_return std::nullopt;
    co_return side;
}

/// The peer's reply, on a connection of its own.
asio::awaitable<std::optional<Message>> Proxy::State::forward(Message request) {
    std::optional<Side> side = co_await connect();
    if (!side) co_return std::nullopt;
    const bool is_written = co_await write(*side, request.head + request.body);
    if (!is_written) co_return std::nullopt;
    co_return co_await read_message(*side);
}

asio::awaitable<void> Proxy::State::forward_later(Message request) {
    co_await pause(some_time());
    co_await forward(std::move(request));
}

/// False: the caller's connection is to be closed.
asio::awaitable<bool> Proxy::State::exchange(Side& caller, Message request) {
    const Fault fault = choose(target_of(request));
    switch (fault) {
        case Fault::refuse: co_return false;
        case Fault::lose_request: co_await keep_silent(caller); co_return false;
        case Fault::cut_request_head:
        case Fault::cut_request_body:
            co_await cut_request(caller, std::move(request), fault == Fault::cut_request_head);
            co_return false;
        case Fault::other_service: {
            const Message reply = reply_of(200, R"({"status":"ok","items":"none"})");
            co_return co_await write(caller, reply.head + reply.body);
        }
        case Fault::another_reply: {
            const Message reply = reply_of(200, earlier_replies[verb_of(target_of(request))]);
            co_return co_await write(caller, reply.head + reply.body);
        }
        default: co_return co_await disturb(caller, std::move(request), fault);
    }
}

asio::awaitable<void> Proxy::State::cut_request(Side& caller, Message request, bool in_head) {
    std::optional<Side> side = co_await connect();
    // Without a body there is nothing to cut but the head.
    in_head = in_head || request.body.empty();
    const std::string part = in_head
                                 ? request.head.substr(0, request.head.size() / 2)
                                 : request.head + request.body.substr(0, request.body.size() / 2);
    if (side) {
        co_await write(*side, part);
        reset(*side);
    }
    reset(caller);
}

/// The faults of requests that are carried out.
asio::awaitable<bool> Proxy::State::disturb(Side& caller, Message request, Fault fault) {
    if (fault == Fault::delay_request) co_await pause(some_time());
    if (fault == Fault::repeat) co_await forward(request);
    if (fault == Fault::repeat_later) asio::co_spawn(io, forward_later(request), asio::detached);
    const std::string verb = verb_of(target_of(request));
    std::optional<Message> reply = co_await forward(std::move(request));
    if (!reply) co_return false;
    if (reply->head.starts_with("HTTP/1.1 200")) earlier_replies[verb] = reply->body;
    if (fault == Fault::delay_reply) co_await pause(some_time());
    co_return co_await answer(caller, std::move(*reply), fault);
}

asio::awaitable<bool> Proxy::State::answer(Side& caller, Message reply, Fault fault) {
    const std::string whole = reply.head + reply.body;
    const std::size_t half_a_body = reply.head.size() + reply.body.size() / 2;
    switch (fault) {
        case Fault::lose_reply: co_await keep_silent(caller); co_return false;
        case Fault::cut_reply_head:
            co_await write(caller, whole.substr(0, reply.head.size() / 2));
            reset(caller);
            co_return false;
        case Fault::cut_reply_body:
            co_await write(caller, whole.substr(0, half_a_body));
            co_return false;
        case Fault::drip_reply:
            for (std::size_t at = 0; at < whole.size(); at += 16) {
                const bool is_read = co_await write(caller, whole.substr(at, 16));
                if (!is_read) co_return false;
                co_await pause(1ms);
            }
            co_return true;
        case Fault::truncated_json:
            reply = reply_of(200, reply.body.substr(0, reply.body.size() / 2));
            break;
        case Fault::wrong_gid: reply.body = with_another_gid(std::move(reply.body)); break;
        case Fault::error_after:
            reply = reply_of(500, R"({"status":500,"code":"internal-error"})");
            break;
        case Fault::reply_too_large:
            reply = reply_of(200, "[" + std::string(9 << 20, ' ') + "]");
            break;
        case Fault::not_http: reply = {"220 mail.example ESMTP\r\n\r\n", {}}; break;
        default: break;
    }
    const bool is_written = co_await write(caller, reply.head + reply.body);
    co_return is_written&& fault != Fault::not_http;
}

Fault Proxy::State::choose(const std::string& target) {
    const std::lock_guard lock(mutex);
    Fault fault = Fault::none;
    for (Planned& plan : planned) {
        if (plan.times == 0 || target.find(plan.target) == std::string::npos) continue;
        // There has to be another one.
        if (plan.fault == Fault::another_reply && !earlier_replies.contains(verb_of(target)))
            continue;
        --plan.times;
        fault = plan.fault;
        break;
    }
    if (fault == Fault::none && std::bernoulli_distribution(probability)(random)) {
        std::uniform_int_distribution<std::size_t> any(0, all_faults().size() - 1);
        fault = all_faults()[any(random)];
    }
    ++counts[fault];
    return fault;
}

std::chrono::milliseconds Proxy::State::some_time() {
    const std::lock_guard lock(mutex);
    std::uniform_int_distribution<std::int64_t> any(1, options.longest_delay.count());
    return std::chrono::milliseconds(any(random));
}

Proxy::Proxy(std::filesystem::path peer, const std::filesystem::path& own, ProxyOptions options)
    : state_(std::make_unique<State>(std::move(peer), own, options)) {}

Proxy::~Proxy() = default;

void Proxy::next(Fault fault, std::string target, std::size_t times) {
    const std::lock_guard lock(state_->mutex);
    state_->planned.push_back({fault, std::move(target), times});
}

void Proxy::at_random(double probability) {
    const std::lock_guard lock(state_->mutex);
    state_->probability = probability;
}

void Proxy::heal() {
    const std::lock_guard lock(state_->mutex);
    state_->planned.clear();
    state_->probability = 0;
}

std::size_t Proxy::count(Fault fault) const {
    const std::lock_guard lock(state_->mutex);
    return state_->counts[fault];
}

std::size_t Proxy::count_all() const {
    std::size_t sum = 0;
    for (const Fault fault : all_faults()) sum += count(fault);
    return sum;
}

const std::vector<Fault>& all_faults() {
    static const std::vector<Fault> all = [] {
        std::vector<Fault> faults;
        for (int i = 1; i <= static_cast<int>(Fault::not_http); ++i)
            faults.push_back(static_cast<Fault>(i));
        return faults;
    }();
    return all;
}

const char* to_text(Fault fault) {
    constexpr const char* names[] = {
        "none",        "refuse",           "lose_request",     "lose_reply",      "delay_request",
        "delay_reply", "cut_request_head", "cut_request_body", "cut_reply_head",  "cut_reply_body",
        "drip_reply",  "repeat",           "repeat_later",     "other_service",   "truncated_json",
        "wrong_gid",   "another_reply",    "error_after",      "reply_too_large", "not_http"};
    static_assert(std::size(names) == static_cast<std::size_t>(Fault::not_http) + 1);
    return names[static_cast<std::size_t>(fault)];
}

}  // namespace twophase::faults
