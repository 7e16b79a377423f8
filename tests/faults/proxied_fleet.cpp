#include "tests/faults/proxied_fleet.hpp"

#include <gtest/gtest.h>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

FleetOptions proxied(std::chrono::milliseconds vote_timeout) {
    FleetOptions options = quick(vote_timeout);
    options.is_proxied = true;
    return options;
}

}  // namespace

ProxiedFleet::ProxiedFleet(std::chrono::milliseconds vote_timeout, std::uint64_t seed)
    : fleet(proxied(vote_timeout)) {
    for (const std::string name : {"coordinator", "credit", "coupon"}) {
        const auto peer = fleet.by_name(name).address_file();
        auto own = peer;
        own.replace_extension("proxy");
        proxies_.emplace(name, std::make_unique<Proxy>(peer, own, ProxyOptions{.seed = seed++}));
    }
}

void ProxiedFleet::start() {
    fleet.start_all();
    open_books(fleet);
}

void ProxiedFleet::disturb(double probability) {
    for (const auto& [name, proxy] : proxies_) proxy->at_random(probability);
}

void ProxiedFleet::heal() {
    for (const auto& [name, proxy] : proxies_) proxy->heal();
}

std::size_t ProxiedFleet::faults() const {
    std::size_t sum = 0;
    for (const auto& [name, proxy] : proxies_) sum += proxy->count_all();
    return sum;
}

Outcomes ProxiedFleet::expect_all_well(Load& load) {
    EXPECT_TRUE(load.finish(60s)) << fleet.coordinator.log_tail();
    expect_quiet(fleet, 60s);
    return expect_books_agree(fleet, load.exchanges(), settled_);
}

void ProxiedFleet::expect_orderly_end() {
    for (Program* program : {&fleet.coordinator, &fleet.credit, &fleet.coupon})
        EXPECT_EQ(program->terminate().exit_code, 0) << program->log_tail();
}

}  // namespace twophase::faults
