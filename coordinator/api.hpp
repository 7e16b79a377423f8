// The coordinator's HTTP API: which route does what. Rules live in the service and the core.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"
#include "http/router.hpp"
#include "recovery/backups.hpp"

#include <boost/asio/io_context.hpp>

namespace twophase::coordinator {

/// Answers every route; until the service is ready all but /livez and /metrics get 503. One loop
/// thread.
class Api {
public:
    Api(boost::asio::io_context& io,
        recovery::Surroundings& around,
        Service& service,
        const Config& config);
    void operator()(http::Request request, http::Respond respond) const;
    /// Waits for a backup that is being written; before the service stops.
    void stop() { backups_.stop(); }

private:
    void add_client_routes();
    void add_operator_routes();

    boost::asio::io_context& io_;
    Service& service_;
    const Config& config_;
    http::Router router_;
    recovery::Backups backups_;
};

}  // namespace twophase::coordinator
