// A participant comes back and ten thousand deliveries to it are due at once.
#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t deliveries = 10'000;
constexpr std::size_t exchanges = deliveries / 4 * 5;  // every fifth is refused by its first step
constexpr std::size_t window = 4;                      // a lane's default, for each class of calls

/// A figure of the coordinator's /metrics, by its name and labels.
std::size_t metric(const Fleet& fleet, const std::string& name) {
    const std::string text = "\n" + ask(fleet.coordinator, "GET", "/metrics").body;
    const std::size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) {
        ADD_FAILURE() << "no " << name;
        return 0;
    }
    return static_cast<std::size_t>(std::atof(text.c_str() + at + 1 + name.size()));
}

std::size_t waiting(const Fleet& fleet) {
    return metric(fleet, R"(twophase_lane_depth{participant="coupon"})");
}
std::size_t in_flight(const Fleet& fleet) {
    return metric(fleet, R"(twophase_lane_requests_in_flight{participant="coupon"})");
}
std::size_t committed_live(const Fleet& fleet) {
    return metric(fleet, R"(twophase_transactions_total{mode="saga",outcome="committed"})");
}

TEST(DeliveriesTest, TenThousandDueAtOnceStayInTheWindowAndLiveTrafficIsAnsweredThroughout) {
    Fleet fleet;
    fleet.start_all();
    open_books(fleet);
    fleet.coupon.kill();
    Load keys(fleet.coordinator,
              {.clients = 256, .most_exchanges = exchanges, .prefix = "d", .mode = "eventual"});
    keys.start();
    ASSERT_TRUE(eventually(300s, [&] { return keys.is_over(); })) << keys.answered();
    ASSERT_TRUE(keys.finish(60s));
    ASSERT_EQ(waiting(fleet), deliveries);

    fleet.start_all();
    // What was wanted while the participant was away is late too: new is what comes from now on.
    ASSERT_TRUE(eventually(60s, [&] { return waiting(fleet) < deliveries; }));
    // Sagas: their steps are asked with the deliveries' own verb, so they would queue behind them.
    Load live(fleet.coordinator, {.clients = 8, .prefix = "live", .mode = "saga"});
    live.start();
    // By what was delivered and not by the clock: machines differ.
    ASSERT_TRUE(eventually(60s, [&] { return committed_live(fleet) > 0; }));
    const std::size_t rest = waiting(fleet);
    ASSERT_GT(rest, deliveries / 4);
    constexpr std::size_t quarters = 4;
    for (std::size_t quarter = 1; quarter <= quarters; ++quarter) {
        const std::size_t left = rest / quarters * (quarters - quarter) + 50;
        const std::size_t before = committed_live(fleet);
        ASSERT_TRUE(eventually(300s, [&] {
            EXPECT_LE(in_flight(fleet), 2 * window);
            return waiting(fleet) <= left;
        })) << waiting(fleet);
        EXPECT_GT(committed_live(fleet), before) << "in quarter " << quarter;
    }
    ASSERT_TRUE(live.finish(60s));
    expect_quiet(fleet, 60s);
    std::map<std::string, Exchange> all = keys.exchanges();
    all.insert(live.exchanges().begin(), live.exchanges().end());
    const Outcomes outcomes = expect_books_agree(fleet, all);
    EXPECT_GT(outcomes.commits, deliveries);
    std::printf("%zu deliveries and %zu live commits\n", deliveries, outcomes.commits - deliveries);
}

}  // namespace
}  // namespace twophase::faults
