// The clients and operators of a run: they submit, wait, repeat themselves, give up, and meddle.
#pragma once

#include "coordinator/service.hpp"
#include "tests/simulation/coordinator_node.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/world.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace twophase::simulation {

/// Submits exchanges one after the other until its share is done; an unanswered one again, under
/// the same business key.
class Client {
public:
    /// Which coordinator a request reaches.
    using Reach = std::function<CoordinatorNode*()>;
    Client(World& world, Ledger& ledger, Reach reach, int number, int share);

    void start() { next_later(); }
    bool is_done() const { return left_ == 0; }

private:
    void next_later();
    void next();
    void submit();
    void submit_to(coordinator::Service& service);
    void wait_for(coordinator::Service& service, const coordinator::Gid& gid);
    void check_ends(const coordinator::Gid& gid) const;
    void heard(const coordinator::Gid& gid, coordinator::Milestone milestone);
    void try_again_after(Microseconds pause);
    void over();
    void choose_mode();
    coordinator::Submission submission() const;
    std::vector<coordinator::SharedText> steps_before(std::size_t step) const;

    World& world_;
    Ledger& ledger_;
    Reach reach_;
    CoordinatorNode* reached_ = nullptr;  // by the latest try
    int number_;
    int left_;
    int orders_ = 0;
    Microseconds began_ = 0;   // with this order
    std::uint64_t tries_ = 0;  // of all; an answer to an earlier one is none
    coordinator::BusinessKey key_;
    coordinator::Mode mode_ = coordinator::Mode::two_phase;
    recovery::Time timeout_{};
    std::uint32_t max_retries_ = 0;
    std::uint64_t retry_delay_ = 0;  // milliseconds
    std::string user_;
    std::int64_t amount_ = 0;
    std::size_t coupons_ = 1;  // branches at the coupon participant
    bool is_start_awaited_ = false;
};

/// People who act at bad moments, and clocks that are set.
class Meddler {
public:
    Meddler(World& world, Ledger& ledger, CoordinatorNode& coordinator, std::vector<Node*> nodes)
        : world_(world), ledger_(ledger), coordinator_(coordinator), nodes_(std::move(nodes)) {}
    void start() { again(); }

private:
    void again();
    void resolve();
    void discard_dead_letters();
    void set_a_clock();

    World& world_;
    Ledger& ledger_;
    CoordinatorNode& coordinator_;
    std::vector<Node*> nodes_;
};

}  // namespace twophase::simulation
