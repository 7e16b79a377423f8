// Host names to addresses: getaddrinfo on threads of their own, and what it told last.
#pragma once

#include "http/errc.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace twophase::http {

struct LookupOptions {
    /// How long an answer is used without asking again; getaddrinfo doesn't tell what the name
    /// server says about that. As the time for which many a name server's answers are good; an
    /// address on which nobody listens is doubted at once.
    std::chrono::milliseconds fresh_for{30'000};
    /// How long a caller waits for an answer while there is an older one.
    std::chrono::milliseconds patience{200};
};

/// Looks up the names that the clients of one loop call. A slow lookup holds up those who wait for
/// that name alone: each runs on its own thread, at most one for a name at a time. A thread that
/// is stuck in getaddrinfo is left behind, by the loop's end and by the process'. Get it by
/// asio::use_service<Lookup>(io); everything here runs on the loop's thread.
class Lookup : public boost::asio::execution_context::service {
public:
    using Addresses = std::vector<boost::asio::ip::address>;

    explicit Lookup(boost::asio::io_context& io);
    ~Lookup() override;

    /// All addresses of `host`, the best first (RFC 6724, by getaddrinfo). Where a lookup fails or
    /// takes longer than the patience, those of the last one that didn't (RFC 8767's idea). Without
    /// any: waits for the lookup's end, or until somebody cancels `wait`, which belongs to this
    /// call meanwhile; Errc::unresolved then. A literal address needs no lookup.
    boost::asio::awaitable<Result<Addresses>> find(std::string host,
                                                   LookupOptions options,
                                                   std::shared_ptr<boost::asio::steady_timer> wait);

    /// Nobody answers at the addresses of `host`: the next find() looks again.
    void doubt(const std::string& host);

    static boost::asio::execution_context::id id;

private:
    using Clock = std::chrono::steady_clock;
    struct Name {
        Addresses addresses;  // the last that were found
        Clock::time_point asked_at;
        bool is_asked = false;    // a lookup is under way
        bool is_doubted = false;  // by who found nobody there since asked_at
        std::vector<std::weak_ptr<boost::asio::steady_timer>> waiting;
    };
    struct Mailbox;

    void shutdown() override;
    void ask(const std::string& host, Name& name);
    void answered(const std::string& host, Addresses found);

    boost::asio::io_context& io_;
    std::map<std::string, Name> names_;
    std::size_t threads_ = 0;
    std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace twophase::http
