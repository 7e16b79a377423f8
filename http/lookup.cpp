#include "http/lookup.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstring>
#include <mutex>
#include <netdb.h>
#include <system_error>
#include <thread>
#include <utility>

namespace twophase::http {

namespace asio = boost::asio;

namespace {

// More names than anybody configures: only address files that name new hosts all the time get here.
constexpr std::size_t max_threads = 256;

// Blocks, for minutes if need be: the resolver asks what nsswitch.conf says, and waits as told.
Lookup::Addresses look_up(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &first) != 0) return {};
    Lookup::Addresses found;
    for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
        asio::ip::tcp::endpoint endpoint;
        if (each->ai_addrlen > endpoint.capacity()) continue;
        std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
        endpoint.resize(each->ai_addrlen);
        found.push_back(endpoint.address());
    }
    ::freeaddrinfo(first);
    return found;
}

}  // namespace

// Where the threads leave what they found. It outlives the loop for as long as one is stuck.
struct Lookup::Mailbox {
    std::mutex mutex;
    Lookup* lookup = nullptr;  // null once the loop ends

    void deliver(const std::string& host, Addresses found) {
        const std::scoped_lock lock(mutex);
        if (lookup == nullptr) return;
        asio::post(lookup->io_, [to = lookup, host, found = std::move(found)]() mutable {
            to->answered(host, std::move(found));
        });
    }
};

asio::execution_context::id Lookup::id;

Lookup::Lookup(asio::io_context& io)
    : asio::execution_context::service(io), io_(io), mailbox_(std::make_shared<Mailbox>()) {
    mailbox_->lookup = this;
}

Lookup::~Lookup() = default;

void Lookup::shutdown() {
    const std::scoped_lock lock(mailbox_->mutex);
    mailbox_->lookup = nullptr;
}

asio::awaitable<Result<Lookup::Addresses>> Lookup::find(std::string host,
                                                        LookupOptions options,
                                                        std::shared_ptr<asio::steady_timer> wait) {
    boost::system::error_code is_name;
    const auto literal = asio::ip::make_address(host, is_name);
    if (!is_name) co_return Addresses{literal};
    Name& name = names_[host];
    const auto now = Clock::now();
    const bool is_fresh =
        !name.addresses.empty() && !name.is_doubted && now < name.asked_at + options.fresh_for;
    if (!is_fresh && !name.is_asked) ask(host, name);
    const auto until =
        name.addresses.empty() ? Clock::time_point::max() : name.asked_at + options.patience;
    if (name.is_asked && now < until) {
        std::erase_if(name.waiting, [](const auto& waiting) { return waiting.expired(); });
        name.waiting.push_back(wait);
        wait->expires_at(until);
        co_await wait->async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (name.addresses.empty()) co_return Errc::unresolved;
    co_return name.addresses;
}

void Lookup::doubt(const std::string& host) {
    const auto found = names_.find(host);
    if (found != names_.end()) found->second.is_doubted = true;
}

void Lookup::ask(const std::string& host, Name& name) {
    if (threads_ == max_threads) return;
    try {
        std::thread([mailbox = mailbox_, host] { mailbox->deliver(host, look_up(host)); }).detach();
    } catch (const std::system_error&) {
        return;  // no thread to be had: as a lookup that failed
    }
    ++threads_;
    name.is_asked = true;
    name.is_doubted = false;
    name.asked_at = Clock::now();
}

void Lookup::answered(const std::string& host, Addresses found) {
    --threads_;
    Name& name = names_[host];
    name.is_asked = false;
    if (!found.empty()) name.addresses = std::move(found);
    for (const auto& waiting : std::exchange(name.waiting, {}))
        if (const auto wait = waiting.lock()) wait->cancel();
}

}  // namespace twophase::http
