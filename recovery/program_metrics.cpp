#include "recovery/program_metrics.hpp"

#include "recovery/alert_titles.hpp"
#include "recovery/log_output.hpp"

#include <chrono>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <string>
#include <utility>

namespace twophase::recovery {
namespace {

double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

void HttpMetrics::note(const http::Answered& answered) {
    Route& route = route_of(answered.route);
    prometheus::Counter*& counter = route.by_status[answered.status];
    if (counter == nullptr)
        counter = &metrics_.counter("twophase_http_requests_total",
                                    "Answers given, by the route that fitted.",
                                    {{"method", route.method},
                                     {"route", route.pattern},
                                     {"status", std::to_string(answered.status)}});
    counter->Increment();
    if (answered.duration) route.durations->Observe(seconds(*answered.duration));
}

HttpMetrics::Route& HttpMetrics::route_of(const http::RouteName* name) {
    const auto [found, is_new] = routes_.try_emplace(name);
    Route& route = found->second;
    if (!is_new) return route;
    route.method = name == nullptr ? "other" : name->method;
    route.pattern = name == nullptr ? "other" : name->pattern;
    route.durations =
        &metrics_.durations("twophase_http_request_duration_seconds",
                            "From a whole request to its answer, what it waited for included.",
                            {{"method", route.method}, {"route", route.pattern}});
    return route;
}

std::function<void(const wal::Committed&)> store_metrics(Metrics& metrics) {
    return [&syncs = metrics.durations("twophase_store_sync_duration_seconds",
                                       "How long a commit took, the disk's sync included."),
            &jobs = metrics.sizes("twophase_store_batch_jobs",
                                  "Jobs that became durable with one commit.")](
               const wal::Committed& committed) {
        syncs.Observe(seconds(committed.sync));
        jobs.Observe(static_cast<double>(committed.jobs));
    };
}

void read_store(Readings& to, const wal::Store& store) {
    const wal::Headroom room = store.headroom();
    to.counter("twophase_store_commits_total",
               "Commits, each with one sync of the disk.",
               static_cast<double>(store.commits()));
    to.counter("twophase_store_jobs_total",
               "Jobs that became durable.",
               static_cast<double>(store.jobs()));
    to.gauge("twophase_store_jobs_waiting",
             "Jobs that no batch has taken yet.",
             static_cast<double>(store.queued()));
    if (const auto written = store.written_bytes())
        to.counter("twophase_store_written_bytes_total",
                   "Bytes that the store's writer sent towards the disk, in whole pages.",
                   static_cast<double>(*written));
    to.gauge("twophase_store_used_bytes",
             "Bytes of the map in use, free pages left out.",
             static_cast<double>(room.used_bytes));
    to.gauge("twophase_store_map_bytes",
             "Bytes that the store may grow to; new work is refused from 80 % on.",
             static_cast<double>(room.map_bytes));
    to.gauge("twophase_store_file_bytes",
             "Size of the data file.",
             static_cast<double>(room.file_bytes));
    to.gauge("twophase_store_disk_free_bytes",
             "Bytes free on the store's disk.",
             static_cast<double>(room.disk_free_bytes));
    to.gauge("twophase_store_has_room",
             "1 while new work is taken, 0 once only decisions and ends are.",
             room.has_room ? 1 : 0);
}

void read_server(Readings& to, const http::Server& server) {
    to.gauge("twophase_http_connections",
             "Connections to the server that are open.",
             static_cast<double>(server.connections()));
}

void read_alerts(Readings& to, const Alerts& alerts) {
    for (const AlertTitle& title : alert_titles())
        to.counter("twophase_alerts_total",
                   "Alerts raised, those suppressed as repeats left out.",
                   static_cast<double>(alerts.raised(title.kind)),
                   {{"kind", std::string(title.kind)}});
    to.gauge("twophase_alerts_waiting",
             "Alerts that the webhook has not taken yet.",
             static_cast<double>(alerts.waiting()));
    to.counter("twophase_alerts_dropped_total",
               "Alerts that found no place before the webhook and are lines of the log only.",
               static_cast<double>(alerts.dropped()));
}

void read_log(Readings& to) {
    to.counter("twophase_log_lines_dropped_total",
               "Lines of the log that nobody took in time, or that could not be written.",
               static_cast<double>(log_lines_dropped()));
}

void add_metrics_route(http::Router& router, const Metrics& metrics) {
    router.add_list("/metrics", [&metrics](const http::Request&, const http::Respond& respond) {
        respond({.status = 200,
                 .body = metrics.text(),
                 .content_type = Metrics::content_type,
                 .headers = {}});
    });
}

}  // namespace twophase::recovery
