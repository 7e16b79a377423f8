// A program's metrics: counted where things happen, read where they are, told as Prometheus text.
#pragma once

#include <functional>
#include <prometheus/labels.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Histogram;
}  // namespace prometheus

namespace twophase::recovery {

/// What is read when somebody asks: values that the program keeps anyway.
class Readings {
public:
    using Labels = prometheus::Labels;

    void gauge(const std::string& name,
               const std::string& help,
               double value,
               const Labels& labels = {});
    void counter(const std::string& name,
                 const std::string& help,
                 double value,
                 const Labels& labels = {});

    std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

private:
    prometheus::ClientMetric& add(const std::string& name,
                                  const std::string& help,
                                  prometheus::MetricType type,
                                  const Labels& labels);

    std::vector<prometheus::MetricFamily> families_;
};

/// Owns every counter and histogram. A child is asked for once and kept by who counts with it: it
/// may be counted with on any thread and lives as long as this. Labels take few values, all known
/// from the configuration or the code: never a gid, a user, a path.
class Metrics {
public:
    using Labels = prometheus::Labels;

    Metrics() = default;
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// The counter with these labels, made if it is new. `name` ends in _total.
    prometheus::Counter& counter(const std::string& name,
                                 const std::string& help,
                                 const Labels& labels = {});
    /// Likewise a histogram of seconds; `name` ends in _seconds.
    prometheus::Histogram& durations(const std::string& name,
                                     const std::string& help,
                                     const Labels& labels = {});
    /// Likewise a histogram of how many.
    prometheus::Histogram& sizes(const std::string& name,
                                 const std::string& help,
                                 const Labels& labels = {});

    /// `read` runs at every text(), on its caller's thread; it must be cheap. What it throws is
    /// logged, and the rest is told without it.
    void at_scrape(std::function<void(Readings&)> read);

    /// All of it in Prometheus' text format, sorted by name and labels.
    std::string text() const;

    /// The Content-Type of text().
    static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

private:
    prometheus::Registry registry_;
    std::vector<std::function<void(Readings&)>> reads_;
};

}  // namespace twophase::recovery
