// The three programs with a proxy in front of each: what they say to each other passes there.
#pragma once

#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"
#include "tests/faults/proxy.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace twophase::faults {

class ProxiedFleet {
public:
    /// Starts nothing yet.
    explicit ProxiedFleet(std::chrono::milliseconds vote_timeout = std::chrono::seconds(1),
                          std::uint64_t seed = 1);

    /// All three, and the books.
    void start();
    /// In front of "coordinator", "credit" or "coupon".
    Proxy& to(const std::string& name) { return *proxies_.at(name); }
    /// Each exchange between the programs suffers some fault with this probability.
    void disturb(double probability);
    void heal();
    std::size_t faults() const;

    /// All is told and ended, and the books agree.
    Outcomes expect_all_well(Load& load);
    void expect_orderly_end();

    Fleet fleet;

private:
    std::map<std::string, std::unique_ptr<Proxy>> proxies_;
    std::set<std::string> settled_;
};

}  // namespace twophase::faults
