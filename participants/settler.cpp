#include "participants/settler.hpp"

#include "http/fields.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/text.hpp"
#include "participants/calls.hpp"
#include "participants/record.hpp"

#include <optional>
#include <utility>

namespace twophase::participants {
namespace {

using http::Fields;
using http::Json;
using http::problem;

/// One operator's order.
struct Order {
    std::string gid;
    std::string branch_id;
    std::string coordinator;
    std::string reason;
    Origin who;
    http::Respond respond;
};

std::string text_of(const http::Value* value) {
    return value == nullptr || value->is_null() ? "" : http::dump(*value);
}

/// What the coordinator told, and why it can't be used.
struct Read {
    std::optional<BranchEvidence> evidence;
    std::string log;
    std::string fault;
};

Read read_evidence(const http::Response& response, const Order& order) {
    Read read;
    read.fault = "its answer can't be read";
    const auto json = http::read_json(response.body);
    if (!json) return read;
    Fields fields(json->root());
    const auto text = [&](const char* name, std::size_t most) {
        const http::Value* value = json->root().find(name);
        if (value == nullptr || value->is_null()) return std::string();
        return fields.text(name, {.min_bytes = 0, .max_bytes = most});
    };
    BranchEvidence told;
    told.gid = text("gid", 64);
    told.branch_id = text("branch_id", 64);
    told.participant = text("participant", 64);
    told.coordinator = text("coordinator", 64);
    read.log = text("log", 64);
    told.mode = text("mode", 32);
    told.decision = text("decision", 32);
    told.end = text("end", 32);
    told.vote = text("vote", 32);
    told.operation = text("operation", 64);
    told.business_code = text("business_code", 128);
    told.business_id = text("business_id", 128);
    told.prepare_id = text("prepare_id", 256);
    if (const http::Value* payload = fields.object("payload")) told.payload = http::dump(*payload);
    told.result = text_of(json->root().find("result"));
    told.end_result = text_of(json->root().find("end_result"));
    if (fields.error()) return read;
    read.fault = "another coordinator, or about another branch: " + told.coordinator;
    if (told.coordinator != order.coordinator || told.gid != order.gid ||
        told.branch_id != order.branch_id)
        return read;
    read.fault.clear();
    read.evidence = std::move(told);
    return read;
}

}  // namespace

struct Settler::State : std::enable_shared_from_this<State> {
    State(recovery::Surroundings& around,
          SettlerOptions with,
          const Branches& the_branches,
          RequestQueue& the_queue,
          Clock the_clock)
        : options(std::move(with)),
          branches(the_branches),
          queue(the_queue),
          clock(std::move(the_clock)) {
        for (const auto& [id, endpoint] : options.coordinators)
            peers.emplace(id, around.peer(endpoint, 1));
    }

    void take(const http::Request& request, http::Respond respond) {
        const auto json = http::read_json(request.body);
        if (!json) return respond(problem(json.error()));
        Fields fields(json->root());
        Order order{.gid = request.parameter("gid"), .branch_id = request.parameter("branch_id")};
        order.reason = fields.text("reason", {.max_bytes = 1024});
        order.coordinator = fields.optional_text("coordinator", {.max_bytes = 64}).value_or("");
        if (order.coordinator.empty() && peers.size() == 1)
            order.coordinator = peers.begin()->first;
        if (!peers.contains(order.coordinator))
            fields.fail("coordinator", "the id of a configured coordinator, whose log to ask");
        if (const auto& error = fields.finish()) return respond(problem(*error));
        order.who = {.ip = request.remote_address,
                     .request_id = std::string(request.header("x-request-id").substr(0, 256)),
                     .actor = std::string(http::cut(request.header("X-Actor"), 128))};
        const auto condition =
            branches.condition(Rows(queue.store().snapshot()), order.gid, order.branch_id);
        if (condition == Branches::Condition::absent)
            return respond(problem(404, "unknown-branch", "no such branch is known here"));
        if (condition == Branches::Condition::sound)
            return respond(problem(409, "not-damaged", "its record can be read"));
        order.respond = std::move(respond);
        ask(std::make_shared<Order>(std::move(order)));
    }

    void ask(const std::shared_ptr<Order>& order) {
        http::Call call;
        call.target = "/v1/transactions/" + http::percent_encode(order->gid) + "/branches/" +
                      http::percent_encode(order->branch_id);
        peers.at(order->coordinator)
            ->send(std::move(call),
                   options.timeout,
                   [self = shared_from_this(), order](const http::Result<http::Response>& result) {
                       if (!self->is_stopped) self->answered(*order, result);
                   });
    }

    void answered(const Order& order, const http::Result<http::Response>& result) {
        const std::string who = "coordinator " + order.coordinator;
        if (!result)
            return order.respond(
                try_later("no-answer", who + " gives no answer: " + result.error().message()));
        if (result->status == 404 || result->status == 400)
            return order.respond(problem(404,
                                         "unknown-to-log",
                                         "the log of " + who +
                                             " doesn't know this branch: nothing can be taken "
                                             "from it, and nothing was changed"));
        if (result->status != 200)
            return order.respond(
                problem(409, "no-outcome", who + " answered " + std::to_string(result->status)));
        Read read = read_evidence(*result, order);
        if (!read.evidence)
            return order.respond(problem(409, "no-outcome", who + ": " + read.fault));
        if (const std::string why = objection(*read.evidence, read.log); !why.empty())
            return order.respond(problem(409, "no-outcome", who + ": " + why));
        carry_out(order, *std::move(read.evidence));
    }

    std::string objection(const BranchEvidence& evidence, const std::string& log) const {
        if (!branches.is_our_name(evidence.participant))
            return "in its log the branch is of participant " + evidence.participant;
        try {
            const auto known = branches.known_log(queue.store().snapshot(), evidence.coordinator);
            if (known && known->log != log) return "another log of it is listened to here";
        } catch (const DamagedRecord&) {
            // What is known of the coordinator is damaged too: its own URL has answered.
        }
        return "";
    }

    void carry_out(const Order& order, BranchEvidence evidence) {
        auto settled = std::make_shared<Branches::Settlement>();
        queue.submit({
            .work =
                [self = shared_from_this(),
                 evidence = std::move(evidence),
                 reason = order.reason,
                 who = order.who,
                 settled,
                 moment = clock()](wal::Unit& unit) {
                    *settled = self->branches.settle(unit, evidence, reason, who, moment);
                },
            .then =
                [settled, order](Fate fate) {
                    if (fate != Fate::durable) return order.respond(not_done(fate));
                    if (!settled->refusal.empty())
                        return order.respond(problem(409, settled->refusal, settled->message));
                    order.respond(http::json_response({{"gid", order.gid},
                                                       {"branch_id", order.branch_id},
                                                       {"state", to_string(settled->state)},
                                                       {"reason", order.reason}}));
                },
            .label = "settle_damaged",
        });
    }

    SettlerOptions options;
    const Branches& branches;
    RequestQueue& queue;
    Clock clock;
    std::map<std::string, std::unique_ptr<recovery::Peer>> peers;
    bool is_stopped = false;
};

Settler::Settler(recovery::Surroundings& around,
                 SettlerOptions options,
                 const Branches& branches,
                 RequestQueue& queue,
                 Clock clock)
    : state_(
          std::make_shared<State>(around, std::move(options), branches, queue, std::move(clock))) {}

Settler::~Settler() { stop(); }

void Settler::add_route(http::Router& router) {
    router.add("POST",
               "/v1/branches/{gid}/{branch_id}/settle",
               [state = state_](const http::Request& request, http::Respond respond) {
                   state->take(request, std::move(respond));
               });
}

void Settler::stop() {
    state_->is_stopped = true;
    for (auto& [id, peer] : state_->peers) peer->close();
}

}  // namespace twophase::participants
