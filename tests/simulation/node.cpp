#include "tests/simulation/node.hpp"

#include "http/target.hpp"
#include "tests/simulation/memory_disk.hpp"
#include "wal/crash_point.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

namespace twophase::simulation {
namespace {

constexpr std::int64_t epoch_microseconds = 1'720'699'715'584'000;  // some day in 2024

Node* current_node = nullptr;

class VirtualAlarm : public recovery::Alarm {
public:
    explicit VirtualAlarm(Node& node) : node_(node) {}
    ~VirtualAlarm() override { ++*setting_; }
    VirtualAlarm(const VirtualAlarm&) = delete;
    VirtualAlarm& operator=(const VirtualAlarm&) = delete;

    void set(recovery::Time at, std::function<void()> ring) override {
        const std::uint64_t setting = ++*setting_;
        node_.world.at(
            at.count() * 1000, &node_, [setting, latest = setting_, ring = std::move(ring)] {
                if (*latest == setting) ring();
            });
    }
    void cancel() override { ++*setting_; }

private:
    Node& node_;
    std::shared_ptr<std::uint64_t> setting_ = std::make_shared<std::uint64_t>(0);
};

class VirtualPeer : public recovery::Peer {
public:
    VirtualPeer(Node& node, const http::Endpoint& endpoint)
        : node_(node), address_(endpoint.resolve().value()) {}

    void send(http::Call call, std::chrono::milliseconds timeout, Done done) override {
        http::Request request;
        request.method = call.method;
        const std::string fault = http::parse_target(address_.base_path + call.target, request);
        if (!fault.empty()) node_.world.fail("a request to " + call.target + ": " + fault);
        request.headers = std::move(call.headers);
        request.body = std::move(call.body);
        request.remote_address = "10.0.0.1";
        node_.world.call(node_, address_.host, std::move(request), timeout, std::move(done));
    }
    void close() override {}

private:
    Node& node_;
    http::Address address_;
};

}  // namespace

Node::Node(World& the_world, std::string the_name, std::string the_directory)
    : world(the_world), name(std::move(the_name)), directory(std::move(the_directory)) {
    world.add(*this);
}

Node* Node::current() { return current_node; }

void Node::start() {
    if (is_up_ || is_retired_) return;
    is_up_ = true;
    world.note(name + " starts");
    run([this] {
        try {
            boot();
        } catch (const wal::StoreError& error) {
            end_soon(wal::store_failed_exit_code, error.what());
        }
    });
    if (std::exchange(had_disk_fault_, false) && is_up_) lose_power_soon();
}

/// What a start read after a failed commit may not be on the disk: this is when it shows.
void Node::lose_power_soon() {
    if (!world.strikes(Fault::power_loss)) return;
    world.at(world.now() + world.chance.between(0, 100'000), this, [this] { crash(true); });
}

void Node::run(const std::function<void()>& function) {
    Node* before = std::exchange(current_node, this);
    bool is_struck = false;
    try {
        function();
    } catch (const Crashed&) {
        is_struck = true;
    } catch (...) {
        current_node = before;
        throw;
    }
    current_node = before;
    if (is_struck || is_ending_) {
        crash(world.strikes(Fault::power_loss));
        return;
    }
    arm_commit();
    if (world.strikes(Fault::crash)) crash(world.strikes(Fault::power_loss));
}

void Node::crash(bool power) {
    if (!is_up_) return;
    world.note(name + (power ? " loses power" : " is killed"));
    is_up_ = is_ending_ = is_commit_armed_ = false;
    ++life_;
    unmake();
    if (power) memory_disk::lose_power(directory);
    restart_later();
}

void Node::retire() {
    crash(false);
    is_retired_ = true;
}

void Node::restart_later() {
    // Half of those that ended themselves are back at once, as a supervisor would have it.
    const bool at_once = had_disk_fault_ && world.is_faulty && world.chance.once_in(2);
    const Microseconds most = !world.is_faulty || at_once ? 20'000 : 8'000'000;
    Microseconds when = world.now() + world.chance.between(1'000, most);
    if (world.targets) {
        // Each has its time, a while after the first crashes; who dies later is back soon.
        constexpr Microseconds first = 8'000'000;
        constexpr Microseconds apart = 700'000;
        const auto& order = world.targets->restart_order;
        const auto place = std::ranges::find(order, name) - order.begin();
        when = std::max(world.now() + 10'000, first + place * apart);
    }
    world.at(when, nullptr, [this] { start(); });
}

/// The point where this one is to die, met for the first time.
bool Node::is_target(std::string_view point) {
    if (!world.is_faulty) return false;
    auto& points = world.targets->points;
    const auto found = points.find(name);
    if (found == points.end() || found->second != point) return false;
    points.erase(found);
    return true;
}

void Node::end_soon(int exit_code, const std::string& why) {
    world.note(name + " ends itself with " + std::to_string(exit_code) + ": " + why);
    is_ending_ = true;
    had_disk_fault_ = exit_code == wal::store_failed_exit_code;
}

void Node::pass_crash_point(std::string_view point) {
    const bool is_struck = world.targets ? is_target(point) : world.strikes(Fault::crash_at_point);
    if (!is_struck) return;
    ++world.crash_points[name + " " + std::string(point)];
    world.note(name + " dies at " + std::string(point));
    throw Crashed{};
}

// One commit at a time: what is queued while it runs shares the next.
void Node::arm_commit() {
    if (is_commit_armed_ || store() == nullptr || store()->queued() == 0) return;
    is_commit_armed_ = true;
    Microseconds time = world.chance.between(50, world.plan.sync_time);
    if (world.strikes(Fault::slow_disk)) time += world.chance.between(100'000, 6'000'000);
    world.at(world.now() + time, this, [this] {
        is_commit_armed_ = false;
        store()->step(static_cast<std::size_t>(
            world.chance.between(1, static_cast<std::int64_t>(world.plan.batch))));
    });
}

recovery::Time Node::now() const { return recovery::Time(world.now() / 1000); }

std::int64_t Node::wall_microseconds() const {
    return epoch_microseconds + world.now() + clock_error;
}

void Node::post(std::function<void()> function) {
    world.at(world.now(), this, std::move(function));
}

std::unique_ptr<recovery::Alarm> Node::alarm() { return std::make_unique<VirtualAlarm>(*this); }

std::unique_ptr<recovery::Peer> Node::peer(const http::Endpoint& endpoint, std::size_t) {
    return std::make_unique<VirtualPeer>(*this, endpoint);
}

wal::StoreOptions Node::store_options() const {
    wal::StoreOptions options;
    options.directory = directory;
    options.any_filesystem = true;
    options.is_stepped = true;
    options.now = [this] {
        return std::chrono::steady_clock::time_point(std::chrono::microseconds(world.now()));
    };
    options.random = [&chance = world.chance] { return chance.bits(); };
    options.find_place = [](const std::filesystem::path& where) {
        return wal::Place{.device = 1, .file = memory_disk::file_of(where.string()), .note = {}};
    };
    options.fail_stop = [self = const_cast<Node*>(this)](const std::string& why) {
        if (why.find("invariant") != std::string::npos) self->world.fail(self->name + ": " + why);
        self->end_soon(wal::store_failed_exit_code, why);
    };
    return options;
}

}  // namespace twophase::simulation

// The programs' crash points, as this simulation links them.
namespace twophase::wal {

void crash_point(std::string_view name) {
    if (simulation::Node* node = simulation::Node::current()) node->pass_crash_point(name);
}

void crash_point(std::string_view before_or_after, std::string_view label) {
    if (simulation::Node* node = simulation::Node::current())
        node->pass_crash_point(std::string(before_or_after) + "-" + std::string(label));
}

}  // namespace twophase::wal
