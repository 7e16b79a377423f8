#include "tests/simulation/world.hpp"

#include "tests/simulation/node.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace twophase::simulation {
namespace {

constexpr std::string_view fault_names[] = {
    "request_lost",  "request_repeated", "reply_lost",
    "reply_garbled", "request_late",     "partition",
    "crash",         "crash_at_point",   "power_loss",
    "commit_failed", "log_full",         "clock_jump",
    "slow_disk",     "operator_acts",    "duplicate_submission",
    "client_gone",   "log_lost",         "log_set_back",
    "log_snapshot",  "log_moved",        "log_restored",
    "log_doubled",   "store_set_back",   "store_emptied",
    "operator_errs"};
static_assert(std::size(fault_names) == fault_kinds);

/// How often each fault may strike, at the most and at the least, where a run has it.
struct Range {
    Fault fault;
    std::int64_t least;
    std::int64_t most;
};
constexpr Range ranges[] = {{Fault::request_lost, 3, 200},
                            {Fault::request_repeated, 3, 200},
                            {Fault::reply_lost, 3, 200},
                            {Fault::reply_garbled, 10, 400},
                            {Fault::request_late, 3, 200},
                            {Fault::partition, 200, 5'000},
                            {Fault::crash, 200, 4'000},
                            {Fault::crash_at_point, 50, 2'000},
                            {Fault::power_loss, 1, 3},
                            {Fault::commit_failed, 20, 500},
                            {Fault::log_full, 20, 500},
                            {Fault::clock_jump, 200, 4'000},
                            {Fault::slow_disk, 5, 200},
                            {Fault::operator_acts, 1, 10},
                            {Fault::duplicate_submission, 2, 20},
                            {Fault::client_gone, 5, 50}};

/// Of what befalls logs and stores: half of the runs are free of it.
constexpr Range mishaps[] = {{Fault::log_lost, 10, 100},
                             {Fault::log_set_back, 10, 100},
                             {Fault::log_snapshot, 10, 100},
                             {Fault::log_moved, 10, 100},
                             {Fault::log_restored, 10, 100},
                             {Fault::log_doubled, 10, 100},
                             {Fault::store_set_back, 10, 100},
                             {Fault::store_emptied, 10, 100},
                             {Fault::operator_errs, 2, 5}};

}  // namespace

std::string_view fault_name(Fault fault) { return fault_names[static_cast<std::size_t>(fault)]; }

Plan::Plan(std::uint64_t seed) {
    Chance chance(seed ^ 0x9e3779b97f4a7c15);
    // Each run has some of the faults, so that none hides another.
    for (const Range& range : ranges)
        if (chance.once_in(2))
            one_in[static_cast<std::size_t>(range.fault)] =
                static_cast<std::uint64_t>(chance.scaled(range.least, range.most));
    latency = chance.between(100, 50'000);
    sync_time = chance.between(100, 20'000);
    batch = static_cast<std::size_t>(chance.between(1, 64));
    transactions = static_cast<int>(chance.between(20, 200));
    users = static_cast<int>(chance.between(1, 8));
    clients = static_cast<int>(chance.between(1, 32));
    first_balance = chance.between(100, 20'000);
    stock = chance.between(5, 400);
    takes_arrays = chance.once_in(2);
    vote_timeout = recovery::Time(chance.between(50, 5'000));
    call_timeout = recovery::Time(chance.between(50, 3'000));
    retry_first = recovery::Time(chance.between(5, 1'000));
    sweep = recovery::Time(chance.between(200, 30'000));
    inquire_after = recovery::Time(chance.between(20, 5'000));
    hours_between = chance.once_in(8) ? 3 : 0;
    if (hours_between > 0) {
        // Hours of looking around several times a second would only take time.
        sweep = std::max(sweep, recovery::Time(10'000));
        inquire_after = std::max(inquire_after, recovery::Time(4'000));
    }
    has_mishaps = chance.once_in(2);
    for (const Range& range : mishaps)
        if (has_mishaps && chance.once_in(2))
            one_in[static_cast<std::size_t>(range.fault)] =
                static_cast<std::uint64_t>(chance.scaled(range.least, range.most));
}

Plan Plan::scripted() {
    Plan plan(1);
    plan.one_in.fill(0);
    plan.latency = 2'000;
    plan.sync_time = 1'000;
    plan.batch = 8;
    plan.users = 1;
    plan.clients = 2;
    plan.transactions = 4;
    plan.first_balance = 250;
    plan.stock = 10;
    plan.takes_arrays = false;
    plan.vote_timeout = recovery::Time(300);
    plan.call_timeout = recovery::Time(200);
    plan.retry_first = recovery::Time(20);
    plan.sweep = recovery::Time(1'000);
    plan.inquire_after = recovery::Time(200);
    plan.is_scripted = true;
    plan.has_mishaps = false;
    plan.hours_between = 0;
    return plan;
}

World::World(std::uint64_t seed, bool keeps_trace, std::optional<Targets> the_targets)
    : chance(seed),
      plan(the_targets ? Plan::scripted() : Plan(seed)),
      targets(std::move(the_targets)),
      keeps_trace_(keeps_trace) {}

void World::at(Microseconds when, Node* node, std::function<void()> function) {
    queue_.push({std::max(when, now_),
                 ++numbers_,
                 node,
                 node == nullptr ? 0 : node->life(),
                 std::move(function)});
}

bool World::step() {
    if (queue_.empty()) return false;
    // Moved out before it is taken off: the queue gives its top for reading alone.
    Event event = std::move(const_cast<Event&>(queue_.top()));
    queue_.pop();
    now_ = event.when;
    ++events_;
    if (event.node == nullptr)
        event.function();
    else if (event.node->is_up() && event.node->life() == event.life)
        event.node->run(event.function);
    return true;
}

bool World::strikes(Fault fault) {
    if (!is_faulty || !chance.once_in(plan.one_in[static_cast<std::size_t>(fault)])) return false;
    count(fault);
    if (keeps_trace_) note("  fault: " + std::string(fault_name(fault)));
    return true;
}

void World::note(const std::string& line) {
    constexpr std::size_t most_lines = 500'000;
    if (!keeps_trace_) return;
    if (trace_.size() == most_lines) trace_.erase(trace_.begin(), trace_.begin() + most_lines / 2);
    trace_.push_back(std::to_string(now_ / 1000) + " ms  " + line);
}

void World::fail(std::string claim) {
    note("VIOLATION: " + claim);
    throw Violation{std::move(claim)};
}

Node* World::find(const std::string& host) const {
    if (Node* other = redirect ? redirect(host) : nullptr) return other;
    const auto found = std::ranges::find(nodes_, host, &Node::name);
    return found == nodes_.end() ? nullptr : *found;
}

// --- the network ---

Microseconds World::transit() { return chance.between(10, plan.latency); }

void World::call(Node& from,
                 const std::string& host,
                 http::Request request,
                 recovery::Time timeout,
                 recovery::Peer::Done done) {
    if (watch_calls) watch_calls();
    auto is_over = std::make_shared<bool>(false);
    Node* sender = &from;
    const auto finish = [this, sender, is_over, done = std::move(done), life = from.life()](
                            Microseconds when,
                            http::Result<http::Response> result,
                            const Node* answerer = nullptr) {
        if (sender->life() != life) return;
        at(when, sender, [this, is_over, done, result = std::move(result), answerer, said = now_] {
            if (answerer != nullptr && is_silenced(*answerer, said)) return;
            if (!std::exchange(*is_over, true)) done(result);
        });
    };
    finish(now_ + timeout.count() * 1000, http::Errc::timed_out);
    Node* receiver = find(host);
    if (is_faulty && now_ >= cut_until_ && strikes(Fault::partition)) {
        cut_ = chance.once_in(2) ? sender : receiver;
        cut_until_ = now_ + chance.between(100'000, 20'000'000);
    }
    const auto is_cut = [this, sender, receiver] {
        return is_faulty && now_ < cut_until_ && (cut_ == sender || cut_ == receiver);
    };
    if (is_cut() || strikes(Fault::request_lost)) return;
    const auto respond = [this, finish, is_cut, receiver](http::Response response) {
        if (is_cut() || strikes(Fault::reply_lost)) return;
        const Microseconds when = now_ + transit();
        if (strikes(Fault::reply_garbled))
            finish(when, garble(std::move(response)), receiver);
        else
            finish(when, std::move(response), receiver);
    };
    const int copies = strikes(Fault::request_repeated) ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) {
        Microseconds delay = transit();
        if (strikes(Fault::request_late)) delay += timeout.count() * chance.between(1'000, 4'000);
        at(now_ + delay, nullptr, [this, sender, receiver, request, respond, finish, said = now_] {
            if (is_silenced(*sender, said)) return;
            if (receiver->is_up())
                receiver->run([&] { receiver->answer(request, respond); });
            else
                finish(now_ + transit(), http::Errc::unreachable);
        });
    }
}

http::Result<http::Response> World::garble(http::Response response) {
    switch (chance.between(0, 5)) {
        case 0: return http::Errc::cut;
        case 1: return http::Response{.status = 500, .body = "no"};
        case 2: return http::Response{.status = 200, .body = R"({"status":"ok"})"};
        case 3: response.body.resize(response.body.size() / 2); return response;
        case 4: response.status = 503; return response;
        default: break;
    }
    // An answer to somebody else, given lately: ours forbid that they are kept.
    constexpr Microseconds lately = 60'000'000;
    if (now_ - std::exchange(stray_at_, now_) > lately) stray_ = {.status = 200, .body = "{}"};
    return std::exchange(stray_, std::move(response));
}

}  // namespace twophase::simulation
