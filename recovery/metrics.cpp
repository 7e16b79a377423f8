#include "recovery/metrics.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>
#include <utility>

namespace twophase::recovery {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

// Seconds: from a memory's commit to a delivery that is tried again.
const prometheus::Histogram::BucketBoundaries duration_bounds{0.0001,
                                                              0.00025,
                                                              0.0005,
                                                              0.001,
                                                              0.0025,
                                                              0.005,
                                                              0.01,
                                                              0.025,
                                                              0.05,
                                                              0.1,
                                                              0.25,
                                                              0.5,
                                                              1,
                                                              2.5,
                                                              5,
                                                              10,
                                                              60};
// Up to the most jobs in a batch, and the most messages in an array.
const prometheus::Histogram::BucketBoundaries size_bounds{
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

void sort(std::vector<MetricFamily>& families) {
    std::ranges::sort(families, {}, &MetricFamily::name);
    for (MetricFamily& family : families)
        std::ranges::sort(family.metric, {}, &ClientMetric::label);
}

}  // namespace

void Readings::gauge(const std::string& name,
                     const std::string& help,
                     double value,
                     const Labels& labels) {
    add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void Readings::counter(const std::string& name,
                       const std::string& help,
                       double value,
                       const Labels& labels) {
    add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

prometheus::ClientMetric& Readings::add(const std::string& name,
                                        const std::string& help,
                                        prometheus::MetricType type,
                                        const Labels& labels) {
    auto family = std::ranges::find(families_, name, &MetricFamily::name);
    if (family == families_.end())
        family = families_.insert(families_.end(),
                                  {.name = name, .help = help, .type = type, .metric = {}});
    ClientMetric& metric = family->metric.emplace_back();
    for (const auto& [key, value] : labels) metric.label.push_back({key, value});
    return metric;
}

prometheus::Counter& Metrics::counter(const std::string& name,
                                      const std::string& help,
                                      const Labels& labels) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels);
}

prometheus::Histogram& Metrics::durations(const std::string& name,
                                          const std::string& help,
                                          const Labels& labels) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(
        labels, duration_bounds);
}

prometheus::Histogram& Metrics::sizes(const std::string& name,
                                      const std::string& help,
                                      const Labels& labels) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(labels,
                                                                                      size_bounds);
}

void Metrics::at_scrape(std::function<void(Readings&)> read) { reads_.push_back(std::move(read)); }

std::string Metrics::text() const {
    std::vector<MetricFamily> families = registry_.Collect();
    for (const auto& read : reads_) {
        Readings readings;
        try {
            read(readings);
        } catch (const std::exception& error) {
            spdlog::warn("some metrics could not be read: {}", error.what());
        }
        std::ranges::move(readings.take(), std::back_inserter(families));
    }
    sort(families);
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace twophase::recovery
