// The exchange that both sides carry out: points are deducted by credit, a coupon is issued by
// coupon, both or none.
#pragma once

#include "http/client.hpp"
#include "tests/bench/load.hpp"
#include "tests/bench/servers.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace twophase::bench {

/// What the exchanges of a round are about.
struct Shape {
    std::size_t users = many_users;
    std::size_t templates = many_templates;
    std::size_t refused_in_100 = 0;  // by credit, for want of points
    std::string mode = "two_phase";
    std::string wait_for = "completion";  // or "decision"
    bool is_patient = false;              // asks again when told to come back later
};

/// Clients of one fleet: the same pooled keep-alive connections, the same parallel calls and the
/// same durable participants, whether a coordinator is asked or not. One thread.
class Exchanges {
public:
    Exchanges(boost::asio::io_context& io, const Servers& servers, std::size_t most_clients);

    /// Without a coordinator and without a log: the client calls prepare on both participants at
    /// once, then commit, or when one refuses rollback, on both at once.
    Task direct(Shape shape);
    /// The coordinator is asked.
    Task coordinated(Shape shape);
    /// Direct writes to one account by all, on top of the version that each has read.
    Task optimistic();
    /// The same behind a lease: lock, deduct, unlock.
    Task pessimistic();

    /// Exchanges carried out by the clients above, ever, as they were told; and what was deducted
    /// without a coupon, by the tasks of the locks.
    std::size_t committed() const { return committed_; }
    std::int64_t deducted_alone() const { return deducted_alone_; }
    static constexpr std::int64_t price = 3;

    /// Adds what the answers say; throws when the answer is none or not 2xx. Blocks.
    http::Response ask(http::Client& client, http::Call call);
    http::Client& credit() { return credit_; }
    http::Client& coupon() { return coupon_; }
    http::Client& coordinator() { return coordinator_; }

private:
    struct Direct;
    struct Names {
        std::string user;
        std::string template_id;
        bool is_refused = false;
    };
    Names names_of(const Shape& shape, std::size_t number) const;
    std::string new_gid();
    void step(const std::shared_ptr<Direct>& direct, const char* verb);
    void answered(const std::shared_ptr<Direct>& direct,
                  const char* verb,
                  const http::Result<http::Response>& response);
    void submit(std::string body, bool is_refused, bool is_patient, Done done);
    void adjust(Done done);

    boost::asio::io_context& io_;
    http::Client coordinator_;
    http::Client credit_;
    http::Client coupon_;
    std::string run_;  // makes the business keys of this run its own
    std::size_t begun_ = 0;
    std::size_t committed_ = 0;
    std::int64_t deducted_alone_ = 0;
    std::string first_gid_;
    std::uint64_t gids_ = 0;
};

}  // namespace twophase::bench
