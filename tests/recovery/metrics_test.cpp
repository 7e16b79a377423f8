// The text that a scraper reads, and what all three programs tell in it.
#include "recovery/metrics.hpp"

#include "recovery/program_metrics.hpp"
#include "tests/recovery/manual_surroundings.hpp"
#include "tests/recovery/scraped.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>

namespace twophase::recovery {
namespace {

using namespace std::chrono_literals;
using testing::Scraped;

struct MetricsTest : ::testing::Test {
    Scraped scrape() const { return Scraped(metrics.text()); }
    Metrics metrics;
};

TEST_F(MetricsTest, TheSameNameAndLabelsAreTheSameChild) {
    metrics.counter("twophase_things_total", "Things.", {{"kind", "a"}}).Increment();
    metrics.counter("twophase_things_total", "Things.", {{"kind", "a"}}).Increment(2);
    metrics.counter("twophase_things_total", "Things.", {{"kind", "b"}});
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped[R"(twophase_things_total{kind="a"})"], 3);
    EXPECT_EQ(scraped[R"(twophase_things_total{kind="b"})"], 0);
}

TEST_F(MetricsTest, HistogramsCountUpToEachBound) {
    auto& durations = metrics.durations("twophase_wait_seconds", "A wait.");
    durations.Observe(0.0004);
    durations.Observe(3);
    durations.Observe(600);
    metrics.sizes("twophase_batch_jobs", "Jobs.").Observe(3);
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped[R"(twophase_wait_seconds_bucket{le="0.00025"})"], 0);
    EXPECT_EQ(scraped[R"(twophase_wait_seconds_bucket{le="0.0005"})"], 1);
    EXPECT_EQ(scraped[R"(twophase_wait_seconds_bucket{le="5"})"], 2);
    EXPECT_EQ(scraped[R"(twophase_wait_seconds_bucket{le="+Inf"})"], 3);
    EXPECT_DOUBLE_EQ(scraped["twophase_wait_seconds_sum"], 603.0004);
    EXPECT_EQ(scraped[R"(twophase_batch_jobs_bucket{le="2"})"], 0);
    EXPECT_EQ(scraped[R"(twophase_batch_jobs_bucket{le="4"})"], 1);
}

TEST_F(MetricsTest, ReadingsAreTakenAtEachScrape) {
    double depth = 1;
    metrics.at_scrape([&](Readings& to) {
        to.gauge("twophase_depth", "Depth.", depth, {{"lane", "b"}});
        to.gauge("twophase_depth", "Depth.", 2 * depth, {{"lane", "a"}});
    });
    EXPECT_EQ(scrape()[R"(twophase_depth{lane="a"})"], 2);
    depth = 5;
    EXPECT_EQ(scrape()[R"(twophase_depth{lane="b"})"], 5);
}

TEST_F(MetricsTest, AreSortedByNameAndLabels) {
    metrics.at_scrape([](Readings& to) {
        to.gauge("twophase_b", "B.", 1, {{"lane", "z"}});
        to.gauge("twophase_b", "B.", 1, {{"lane", "a"}});
        to.gauge("twophase_a", "A.", 1);
    });
    EXPECT_EQ(metrics.text(),
              "# HELP twophase_a A.\n"
              "# TYPE twophase_a gauge\n"
              "twophase_a 1\n"
              "# HELP twophase_b B.\n"
              "# TYPE twophase_b gauge\n"
              "twophase_b{lane=\"a\"} 1\n"
              "twophase_b{lane=\"z\"} 1\n");
}

TEST_F(MetricsTest, WhatCanNotBeReadHoldsUpItselfAlone) {
    metrics.at_scrape([](Readings& to) {
        to.gauge("twophase_before", "Before.", 1);
        throw std::runtime_error("no snapshot");
    });
    metrics.at_scrape([](Readings& to) { to.gauge("twophase_other", "Other.", 2); });
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped["twophase_before"], 1);
    EXPECT_EQ(scraped["twophase_other"], 2);
}

struct HttpMetricsTest : MetricsTest {
    HttpMetrics http{metrics};
};

TEST_F(HttpMetricsTest, CountsByRouteAndStatusAndTimesWhatWasHandled) {
    const http::RouteName show{"GET", "/v1/transactions/{gid}"};
    http.note({.route = &show, .status = 200, .duration = 2ms});
    http.note({.route = &show, .status = 200, .duration = 4ms});
    http.note({.route = &show, .status = 404, .duration = 1ms});
    const Scraped scraped = scrape();
    const std::string labels = R"(method="GET",route="/v1/transactions/{gid}")";
    EXPECT_EQ(scraped["twophase_http_requests_total{" + labels + R"(,status="200"})"], 2);
    EXPECT_EQ(scraped["twophase_http_requests_total{" + labels + R"(,status="404"})"], 1);
    EXPECT_EQ(scraped["twophase_http_request_duration_seconds_count{" + labels + "}"], 3);
    EXPECT_DOUBLE_EQ(scraped["twophase_http_request_duration_seconds_sum{" + labels + "}"], 0.007);
}

TEST_F(HttpMetricsTest, WhatNoRouteFitsIsOther) {
    http.note({.route = nullptr, .status = 404, .duration = 1ms});
    http.note({.route = nullptr, .status = 431, .duration = {}});
    const Scraped scraped = scrape();
    const std::string labels = R"(method="other",route="other")";
    EXPECT_EQ(scraped["twophase_http_requests_total{" + labels + R"(,status="404"})"], 1);
    EXPECT_EQ(scraped["twophase_http_requests_total{" + labels + R"(,status="431"})"], 1);
    EXPECT_EQ(scraped["twophase_http_request_duration_seconds_count{" + labels + "}"], 1)
        << "the gate's refusals take no time of a handler";
}

TEST_F(MetricsTest, EachBatchOfTheStoreIsTimedAndSized) {
    const auto committed = store_metrics(metrics);
    committed({.jobs = 3, .sync = 7ms});
    committed({.jobs = 200, .sync = 9ms});
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped["twophase_store_batch_jobs_sum"], 203);
    EXPECT_EQ(scraped["twophase_store_batch_jobs_count"], 2);
    EXPECT_EQ(scraped[R"(twophase_store_batch_jobs_bucket{le="4"})"], 1);
    EXPECT_DOUBLE_EQ(scraped["twophase_store_sync_duration_seconds_sum"], 0.016);
}

TEST_F(MetricsTest, AlertsAreCountedByKindAndRepeatsAreNot) {
    testing::ManualSurroundings around;
    Alerts alerts(around, {});
    metrics.at_scrape([&](Readings& to) { read_alerts(to, alerts); });
    const std::string gid = "0190a1b2-0000-7000-8000-000000000001";
    for (const char* branch : {"/1", "/2", "/2"})
        alerts.raise({.kind = "dead_letter", .subject = gid + branch, .text = "", .data = ""});
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped[R"(twophase_alerts_total{kind="dead_letter"})"], 2);
    EXPECT_EQ(scraped[R"(twophase_alerts_total{kind="disk_low"})"], 0);
    EXPECT_EQ(scraped.sum("twophase_alerts_total"), 2);
    EXPECT_EQ(metrics.text().find(gid), std::string::npos);
}

TEST_F(MetricsTest, TheProcessTellsItsStandardMetrics) {
    metrics.at_scrape(read_process);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const Scraped scraped = scrape();
    EXPECT_GT(scraped["process_start_time_seconds"], 1e9);
    EXPECT_LE(scraped["process_start_time_seconds"],
              std::chrono::duration<double>(now).count() + 1);
    EXPECT_GE(scraped["process_cpu_seconds_total"], 0);
    EXPECT_GT(scraped["process_resident_memory_bytes"], 1e6);
    EXPECT_GT(scraped["process_virtual_memory_bytes"], scraped["process_resident_memory_bytes"]);
    EXPECT_GE(scraped["process_open_fds"], 3);
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(scraped["process_max_fds"], static_cast<double>(limit.rlim_cur));
}

}  // namespace
}  // namespace twophase::recovery
