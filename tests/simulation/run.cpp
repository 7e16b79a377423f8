#include "tests/simulation/run.hpp"

#include "tests/simulation/clients.hpp"
#include "tests/simulation/memory_disk.hpp"
#include "tests/simulation/mishaps.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

namespace twophase::simulation {
namespace {

constexpr std::uint64_t most_events = 10'000'000;
constexpr Microseconds most_calm = Microseconds{30} * 60 * 1'000'000;

class Run {
public:
    Run(std::uint64_t seed,
        const std::string& directory,
        bool keeps_trace,
        std::optional<Targets> targets)
        : world_(seed, keeps_trace, std::move(targets)),
          ledger_(world_),
          coordinator_(world_, ledger_, "coordinator", directory + "/coordinator"),
          twin_(world_, ledger_, "twin", directory + "/twin"),
          credit_(world_, ledger_, directory + "/credit"),
          coupon_(world_, ledger_, directory + "/coupon"),
          meddler_(world_, ledger_, coordinator_, {&coordinator_, &credit_, &coupon_}),
          mishaps_(world_, ledger_, coordinator_, twin_, {&credit_, &coupon_}) {
        ledger_.watch(credit_, coupon_);
        const int share = std::max(1, world_.plan.transactions / world_.plan.clients);
        for (int number = 0; number < world_.plan.clients; ++number)
            clients_.push_back(std::make_unique<Client>(
                world_, ledger_, [this] { return mishaps_.reached(); }, number, share));
    }

    void go() {
        found();
        for (const auto& client : clients_) client->start();
        meddler_.start();
        mishaps_.start();
        // Safety first, under faults; then everything must end.
        const auto are_done = [this] {
            return std::ranges::all_of(clients_, [](const auto& c) { return c->is_done(); });
        };
        while (!are_done()) step();
        world_.is_faulty = false;
        for (Node* node : nodes()) node->clock_error = 0;
        const Microseconds calm_since = world_.now();
        while (!is_quiet()) {
            step();
            if (world_.now() > calm_since + most_calm) world_.fail(unrest());
        }
        ledger_.check_end(coordinator_, credit_, coupon_);
    }

    Report report() {
        Report report;
        report.transactions = ledger_.exchanges().size();
        report.commits = ledger_.commits();
        report.rollbacks = ledger_.rollbacks();
        report.events = world_.events();
        report.faults = world_.faults;
        report.crash_points = world_.crash_points;
        report.pairs = ledger_.pairs();
        report.trace = world_.trace();
        return report;
    }

private:
    /// The stores come to be without faults: a participant that has not opened its accounts yet is
    /// no part of what is looked at.
    void found() {
        world_.is_faulty = false;
        for (Node* node : nodes()) node->start();
        while (coordinator_.service() == nullptr) step();
        world_.is_faulty = true;
    }

    void step() {
        if (!world_.step()) world_.fail("nothing is left to happen");
        mishaps_.look();
        if (world_.events() > most_events) world_.fail("it goes on and on: " + unrest());
        if (world_.events() % 512 == 0) look_at_books();
    }

    void look_at_books() {
        for (ParticipantNode* participant :
             {static_cast<ParticipantNode*>(&credit_), static_cast<ParticipantNode*>(&coupon_)}) {
            if (!participant->is_ready()) continue;
            if (std::string fault = participant->fault_in_books(); !fault.empty())
                world_.fail(participant->name + ": " + fault);
        }
    }

    bool is_quiet() {
        if (!mishaps_.is_over() || !coordinator_.has_true_log) return false;
        if (coordinator_.service() == nullptr || !credit_.is_ready() || !coupon_.is_ready())
            return false;
        return coordinator_.service()->core().transactions().empty() && credit_.in_doubt() == 0 &&
               coupon_.in_doubt() == 0;
    }

    /// What has not ended, for the failure's text.
    std::string unrest() {
        std::string text = "does not end" + mishaps_.unrest() + ":";
        if (coordinator_.service() == nullptr) return text + " the coordinator is not there";
        for (const auto& [gid, t] : coordinator_.service()->core().transactions()) {
            text +=
                " " + coordinator::to_text(gid) + " " + std::string(coordinator::to_text(t.phase));
            for (const auto& branch : t.live) text += " [" + branch.last_error + "]";
        }
        if (credit_.is_ready()) text += "; credit in doubt " + std::to_string(credit_.in_doubt());
        if (coupon_.is_ready()) text += "; coupon in doubt " + std::to_string(coupon_.in_doubt());
        return text;
    }

    std::vector<Node*> nodes() { return {&credit_, &coupon_, &coordinator_}; }

    World world_;
    Ledger ledger_;
    CoordinatorNode coordinator_;
    CoordinatorNode twin_;
    CreditNode credit_;
    CouponNode coupon_;
    std::vector<std::unique_ptr<Client>> clients_;
    Meddler meddler_;
    Mishaps mishaps_;

public:
    World& world() { return world_; }
};

}  // namespace

namespace {

Report run_once(std::uint64_t seed,
                const std::string& directory,
                bool keeps_trace,
                std::optional<Targets> targets) {
    memory_disk::clear();
    auto run = std::make_unique<Run>(seed, directory, keeps_trace, std::move(targets));
    World& world = run->world();
    memory_disk::on_chance([&world] { return world.chance.once_in(2); });
    memory_disk::on_commit([&world](const std::string&) {
        if (world.strikes(Fault::commit_failed)) return memory_disk::Fate::io_error;
        if (world.strikes(Fault::log_full)) return memory_disk::Fate::full;
        return memory_disk::Fate::durable;
    });
    std::string violation;
    try {
        run->go();
    } catch (const Violation& found) {
        violation = found.claim;
    }
    Report report = run->report();
    report.violation = std::move(violation);
    run.reset();
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        std::filesystem::remove_all(entry.path());
    return report;
}

}  // namespace

Report run_seed(std::uint64_t seed, const std::string& directory, bool keeps_trace) {
    return run_once(seed, directory, keeps_trace, std::nullopt);
}

Report run_targets(const Targets& targets, const std::string& directory, bool keeps_trace) {
    return run_once(1, directory, keeps_trace, targets);
}

}  // namespace twophase::simulation
