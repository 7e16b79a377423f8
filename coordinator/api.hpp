// The coordinator's HTTP API: which route does what. Rules live in the service and the core.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"
#include "http/router.hpp"
#include "recovery/backups.hpp"
#include "recovery/page_thread.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <set>

namespace twophase::coordinator {

class Wait;
/// The requests that wait for a transaction now.
using Waits = std::set<Wait*>;

/// Answers every route; until the service is ready all but /livez and /metrics get 503. One loop
/// thread.
class Api {
public:
    Api(boost::asio::io_context& io,
        recovery::Surroundings& around,
        Service& service,
        const Config& config);
    void operator()(http::Request request, http::Respond respond) const;
    /// Before the program ends: makes what was started durable, answers those who wait for more
    /// with 202, and starts nothing more.
    void end_waiting();
    /// Answers those with 503 who wait even so.
    void refuse_waiting();
    /// Waits for a backup and a page that are being written; before the service stops.
    void stop();

private:
    void add_client_routes();
    void add_operator_routes();

    boost::asio::io_context& io_;
    Service& service_;
    const Config& config_;
    std::shared_ptr<Waits> waits_ = std::make_shared<Waits>();
    http::Router router_;
    recovery::Backups backups_;
    recovery::PageThread pages_;
    bool is_ending_ = false;
};

}  // namespace twophase::coordinator
