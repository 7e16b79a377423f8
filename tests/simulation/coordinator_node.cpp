#include "tests/simulation/coordinator_node.hpp"

#include "coordinator/log_api.hpp"
#include "coordinator/protocol/describe.hpp"
#include "wal/crash_point.hpp"

#include <utility>

namespace twophase::simulation {

using namespace twophase::coordinator;

namespace {

Config config_of(const World& world, const std::string& directory) {
    Config config;
    config.data = directory;
    config.any_filesystem = true;
    config.map_bytes = std::size_t{256} << 20;
    config.retention = std::chrono::hours(1);
    config.vote_timeout = world.plan.vote_timeout;
    config.call_timeout = world.plan.call_timeout;
    config.retry_first = world.plan.retry_first;
    // Else the retries alone may be more than a participant of small batches can answer, for ever:
    // all that may wait, two branches of each transaction, four times over in the time that it
    // takes to commit them one by one. A slow disk takes three seconds more.
    const auto& plan = world.plan;
    const std::uint64_t slow_one_in = plan.one_in[static_cast<std::size_t>(Fault::slow_disk)];
    const Microseconds commit_time =
        plan.sync_time + (slow_one_in > 0 ? 3'000'000 / static_cast<Microseconds>(slow_one_in) : 0);
    const recovery::Time to_commit_all(2 * plan.transactions * commit_time / 1'000 /
                                       static_cast<std::int64_t>(plan.batch));
    constexpr recovery::Time longest(180'000);  // much less than a run may take to end
    config.retry_most = std::min(
        longest, std::max({4 * plan.retry_first, recovery::Time(2'000), 4 * to_commit_all}));
    config.sweep_interval = world.plan.sweep;
    for (const char* name : {"credit", "coupon"}) {
        const auto url = std::string("http://") + name + ":1/v1/branches";
        config.participants[name] = {.endpoint = http::Endpoint::parse(url).value(),
                                     .takes_arrays = world.plan.takes_arrays};
    }
    return config;
}

}  // namespace

CoordinatorNode::CoordinatorNode(World& the_world,
                                 Ledger& ledger,
                                 const std::string& the_name,
                                 const std::string& the_directory)
    : Node(the_world, the_name, the_directory),
      ledger_(ledger),
      config_(config_of(the_world, the_directory)) {
    add_routes();
}

void CoordinatorNode::boot() {
    is_open_ = false;
    service_ = std::make_unique<Service>(*this, config_, [this](int code, const std::string& why) {
        // Nothing but a log of its own that is not the newest may end it.
        const bool is_replaced = code == 4 || code == 6;
        if (is_replaced && world.plan.has_mishaps) return end_soon(code, why);
        world.fail("the coordinator ended itself with " + std::to_string(code) + ": " + why);
    });
    service_->watch([this](const Event& event, const Protocol& core) { watch(event, core); });
    service_->open();
    is_open_ = true;
    for (const auto& [gid, transaction] : service_->core().transactions())
        if (transaction.folded.decision) note_decided(transaction, *transaction.folded.decision);
    if (has_true_log) {
        constexpr std::size_t latest = 32;
        if (!lacks_lost) ledger_.check_remembered(*service_, latest);
    }
    service_->start();
}

void CoordinatorNode::watch(const Event& event, const Protocol& core) {
    if (world.keeps_trace()) world.note(name + " " + describe(event));
    ledger_.count_pair(event, core);
    const auto* logged = std::get_if<Logged>(&event);
    const auto* decided = logged == nullptr ? nullptr : std::get_if<Decided>(&logged->record);
    if (decided != nullptr) note_decided(*core.find(decided->gid), decided->decision);
}

void CoordinatorNode::note_decided(const Transaction& transaction, Decision decision) {
    if (has_true_log)
        ledger_.decided(transaction, decision);
    else
        ledger_.decided_aside(transaction.started().gid, decision);
}

void CoordinatorNode::answer(http::Request request, http::Respond respond) {
    if (service() == nullptr) return respond({.status = 503, .body = "{}"});
    router_(std::move(request), std::move(respond));
}

/// Those of its routes that participants ask.
void CoordinatorNode::add_routes() {
    router_.add("GET",
                "/v1/transactions/{gid}/decision",
                [this](const http::Request& request, const http::Respond& respond) {
                    wal::crash_point("asked-decision");
                    const http::Response response = tell_decision(*service_, request);
                    watch_answer(request, response);
                    respond(response);
                    wal::crash_point("told-decision");
                });
    router_.add(
        "GET", "/v1/identity", [this](const http::Request& request, const http::Respond& respond) {
            respond(show_identity(*service_, request));
        });
}

void CoordinatorNode::watch_answer(const http::Request& request, const http::Response& response) {
    const auto gid = parse_gid(request.parameter("gid"));
    for (const Decision decision : {Decision::commit, Decision::rollback})
        if (response.body.find(R"("decision":")" + std::string(to_text(decision)) + '"') !=
            std::string::npos)
            if (has_true_log) ledger_.told_aside(*gid, decision, "an inquiry");
}

}  // namespace twophase::simulation
