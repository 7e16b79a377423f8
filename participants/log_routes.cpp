#include "participants/log_routes.hpp"

#include "http/fields.hpp"
#include "http/problem.hpp"
#include "participants/calls.hpp"

#include <utility>

namespace twophase::participants {
namespace {

using http::Json;

Json to_json(const LogClaim& claim) {
    return {{"log", claim.log},
            {"epoch", claim.epoch},
            {"start", claim.start},
            {"position", claim.position},
            {"replaces", claim.replaces}};
}

Json store_json(const wal::Store& store) {
    Json replaces = Json::array();
    for (const wal::Token& each : store.identity().replaces) replaces.push_back(to_text(each));
    return {{"log", to_text(store.identity().log)},
            {"epoch", store.epoch()},
            {"start", to_text(store.start())},
            {"position", store.position()},
            {"began_at", store.began_at()},
            {"replaces", std::move(replaces)}};
}

http::Response list(const Branches& branches, wal::Store& store, const http::Request& request) {
    const QueryNumber limit = query_number(request, "limit", 1, 500);
    if (limit.error) return http::problem(*limit.error);
    const Branches::ListFilter filter{
        .coordinator = query_text(request, "coordinator"),
        .from = query_text(request, "from"),
        .after = query_text(request, "after"),
        .limit = static_cast<std::size_t>(limit.value.value_or(100)),
    };
    if (filter.coordinator.empty())
        return http::problem(http::FieldError{"coordinator", "whose branches to list"});
    if (filter.after.size() > 256 || filter.from.size() > 64)
        return http::problem(http::FieldError{"after", "a cursor from `next`"});
    const Branches::ListPage page = branches.list(store.snapshot(), filter);
    Json items = Json::array();
    for (const Branches::ListedBranch& item : page.items)
        items.push_back({{"gid", item.gid},
                         {"branch_id", item.branch_id},
                         {"state", to_string(item.branch.state)},
                         {"operation", item.branch.operation},
                         {"business_code", item.branch.business_code},
                         {"business_id", item.branch.business_id}});
    Json answer{{"items", std::move(items)},
                {"next", page.next.empty() ? Json() : Json(page.next)}};
    add_introduction(answer, branches, store, request);
    return http::json_response(answer);
}

void forget(const Branches& branches,
            RequestQueue& queue,
            const Moment& moment,
            const http::Request& request,
            http::Respond respond) {
    const auto json = http::read_json(request.body);
    if (!json) return respond(http::problem(json.error()));
    http::Fields fields(json->root());
    const std::string reason = fields.text("reason", {.max_bytes = 1024});
    if (const auto& error = fields.finish()) return respond(http::problem(*error));
    const std::string id = request.parameter("id");
    write_and_respond(
        queue,
        "forget_log",
        [&branches, id, reason, who = origin_of(request), moment](wal::Unit& unit) {
            if (!branches.forget_log(unit, id, reason, who, moment))
                return http::problem(
                    404, "unknown-log", "no log of this coordinator is known here");
            return http::json_response({{"coordinator", id}, {"forgotten", true}});
        },
        std::move(respond));
}

}  // namespace

std::string store_text(const wal::Store& store) {
    return to_text(store.identity().log) + " " + std::to_string(store.epoch()) + " " +
           to_text(store.start()) + " " + std::to_string(store.position());
}

void add_introduction(Json& to,
                      const Branches& branches,
                      wal::Store& store,
                      const http::Request& request) {
    const std::string coordinator = query_text(request, "coordinator");
    if (coordinator.empty()) return;
    const auto known = branches.known_log(store.snapshot(), coordinator);
    to["known"] = known ? to_json(*known) : Json();
    to["configured"] = branches.is_configured(coordinator);
    to["store"] = store_json(store);
    if (const auto asked = query_number(request, "store_epoch", 0, INT64_MAX).value) {
        const auto epoch = static_cast<std::uint64_t>(*asked);
        if (epoch != store.epoch() && !store.has_dropped(epoch)) {
            const auto then = store.earlier_start(epoch);
            to["store"]["then"] =
                then ? Json{{"start", to_text(then->start)}, {"position", then->position}} : Json();
        }
    }
    to["nonce"] = query_text(request, "nonce").substr(0, 64);
}

void confirm_first(const Branches& branches,
                   wal::Store& store,
                   LogConfirmer& confirmer,
                   const http::Request& request,
                   std::function<void()> then) {
    const std::string coordinator = query_text(request, "coordinator");
    const std::string log = query_text(request, "log");
    if (log.empty() || !branches.is_configured(coordinator)) return then();
    const auto known = branches.known_log(store.snapshot(), coordinator);
    const std::string start = query_text(request, "start");
    const bool is_other_start =
        known && known->log == log && !start.empty() && known->start != start;
    if (!is_other_start && (branches.is_pinned(coordinator) || (known && known->log == log)))
        return then();
    confirmer.confirm(coordinator, std::move(then));
}

void add_log_routes(http::Router& router,
                    const Branches& branches,
                    RequestQueue& queue,
                    Clock clock) {
    router.add_list("/v1/branches/list", [&](const http::Request& request, auto respond) {
        queue.when_caught_up([&, request, respond] {
            respond(read_or_damaged([&] { return list(branches, queue.store(), request); }));
        });
    });
    router.add("POST",
               "/v1/coordinators/{id}/forget",
               [&, clock](const http::Request& request, http::Respond respond) {
                   forget(branches, queue, clock(), request, std::move(respond));
               });
}

}  // namespace twophase::participants
