// The metrics that all three programs have: of their HTTP server, their store, their process and
// their alerts.
#pragma once

#include "http/router.hpp"
#include "http/server.hpp"
#include "recovery/alerts.hpp"
#include "recovery/metrics.hpp"
#include "wal/store.hpp"

#include <functional>
#include <map>
#include <string>
#include <unordered_map>

namespace twophase::recovery {

/// Counts answers by route and status. What no route fits is counted as `other`, so that nobody can
/// make a label by asking. Belongs to the loop.
class HttpMetrics {
public:
    /// `metrics` outlives it.
    explicit HttpMetrics(Metrics& metrics) : metrics_(metrics) {}
    HttpMetrics(const HttpMetrics&) = delete;
    HttpMetrics& operator=(const HttpMetrics&) = delete;

    void note(const http::Answered& answered);

private:
    struct Route {
        std::string method;
        std::string pattern;
        prometheus::Histogram* durations = nullptr;
        std::unordered_map<unsigned, prometheus::Counter*> by_status;
    };
    Route& route_of(const http::RouteName* name);

    Metrics& metrics_;
    std::unordered_map<const http::RouteName*, Route> routes_;
};

/// What a store's writer tells of each batch: for StoreOptions::committed.
std::function<void(const wal::Committed&)> store_metrics(Metrics& metrics);

/// What a store knows of itself.
void read_store(Readings& readings, const wal::Store& store);
void read_server(Readings& readings, const http::Server& server);
void read_alerts(Readings& readings, const Alerts& alerts);
/// What became of the lines of log_to_stderr().
void read_log(Readings& readings);
/// The standard process_* metrics, out of /proc.
void read_process(Readings& readings);

/// GET /metrics. `metrics` outlives the router.
void add_metrics_route(http::Router& router, const Metrics& metrics);

}  // namespace twophase::recovery
