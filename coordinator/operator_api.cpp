#include "coordinator/operator_api.hpp"

#include "coordinator/export.hpp"
#include "coordinator/views.hpp"
#include "http/fields.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/text.hpp"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Fields;
using http::Json;
using http::problem;
using http::Response;

constexpr std::size_t export_page_size = 500;
constexpr std::size_t export_step = 20;
constexpr std::size_t export_page_bytes = 2 * 1024 * 1024;

struct Asked {
    std::string branch_id;
    std::string how;
    std::string reason;
};

std::optional<Response> read_resolve(const http::Request& request, Asked& asked) {
    const auto json = http::read_json(request.body);
    if (!json) return problem(json.error());
    Fields fields(json->root());
    asked.branch_id = fields.optional_text("branch_id", {.max_bytes = 64}).value_or("");
    asked.how = fields.text("how", {});
    asked.reason = fields.text("reason", {.max_bytes = 1024});
    static const std::set<std::string> hows{
        "rollback", "commit", "by_hand", "discarded", "retry", "gone"};
    if (!hows.contains(asked.how))
        fields.fail("how",
                    "rollback or commit (undecided), by_hand or discarded (one branch), retry (a "
                    "dead letter), gone (a participant that won't be back)");
    if (const auto& error = fields.finish()) return problem(*error);
    return std::nullopt;
}

}  // namespace

std::string who_asks(const http::Request& request) {
    const std::string actor = http::cut(request.header("X-Actor"), 128);
    return (actor.empty() ? "somebody" : actor) + " at " + request.remote_address;
}

Response refused(ResolveRefusal refusal, const Gid& gid) {
    const Json about{{"gid", to_text(gid)}};
    switch (refusal) {
        case ResolveRefusal::unknown:
            return problem(409, "not-live", "the transaction is finished or unknown here", about);
        case ResolveRefusal::deciding:
            return problem(409, "deciding", "its decision is being written; look again", about);
        case ResolveRefusal::votes_missing:
            return problem(409,
                           "votes-missing",
                           "a commit needs every vote; only a rollback can be ordered",
                           about);
        case ResolveRefusal::decided:
            return problem(409, "decided", "a durable decision is never changed", about);
        case ResolveRefusal::not_decided:
            return problem(409, "not-decided", "not decided: only how=rollback is possible", about);
        case ResolveRefusal::branch_required:
            return problem({"branch_id", "the branch to end; GET the transaction to see them"});
        case ResolveRefusal::branch_not_meant:
            return problem({"branch_id", "nothing: rollback and commit are about all branches"});
        case ResolveRefusal::branch_unknown:
            return problem({"branch_id", "a branch of this transaction"});
        case ResolveRefusal::branch_done:
            return problem(409, "branch-done", "this branch has ended already", about);
        case ResolveRefusal::not_dead:
            return problem(409,
                           "not-a-dead-letter",
                           "this branch is asked still; POST .../retry makes what waits due now",
                           about);
        case ResolveRefusal::held_there:
            return problem(409,
                           "held-there",
                           "its participant holds this branch and will carry the decision out: "
                           "by_hand ends the waiting for it, gone says that it won't be back",
                           about);
        case ResolveRefusal::unconfirmed:
            return problem(409,
                           "log-unconfirmed",
                           "this log may be behind and waits until its participants were heard; "
                           "GET /v1/log says for whom, `recoveryctl accept` ends the waiting",
                           about);
        default:
            return problem(
                409,
                "damaged",
                "its records can't be read, so nothing can be ordered; stop the coordinator "
                "and look at `recoveryctl verify`",
                about);
    }
}

namespace {

Response no_room() {
    Response response = problem(503, "no-room", "the log is full; nothing was written");
    response.headers.push_back({"Retry-After", "10"});
    return response;
}

void settle_unknown(Service& service,
                    const Gid& gid,
                    const Asked& asked,
                    const std::string& who,
                    http::Respond respond) {
    const auto decision = parse_decision(asked.how);
    if (!decision)
        return respond(problem({"how", "rollback or commit: nothing else is known of it"}));
    if (!asked.branch_id.empty())
        return respond(problem({"branch_id", "nothing: the word is about the whole transaction"}));
    service.settle_lost(
        gid,
        *decision,
        who,
        asked.reason,
        [gid, respond = std::move(respond), asked](wal::Written w) {
            if (w != wal::Written::durable) return respond(no_room());
            respond(http::json_response(
                {{"gid", to_text(gid)}, {"resolved", asked.how}, {"reason", asked.reason}}));
        });
}

/// Answers with what `work` gives on a thread of its own.
void answer_from_thread(boost::asio::io_context& io,
                        Service& service,
                        std::function<Response(const std::stop_token&)> work,
                        const http::Respond& respond) {
    const auto run = [&io, work = std::move(work), respond](const std::stop_token& stop) {
        auto response = std::make_shared<Response>();
        try {
            *response = work(stop);
        } catch (const std::exception& e) {
            *response = problem(500, "failed", e.what());
        }
        boost::asio::post(io, [response, respond] { respond(std::move(*response)); });
    };
    if (service.run_beside(run)) return;
    Response busy = problem(429, "busy", "two such jobs run already; try again when they are done");
    busy.headers.push_back({"Retry-After", "10"});
    respond(std::move(busy));
}

}  // namespace

Response retry(Service& service, const http::Request& request) {
    const auto gid = parse_gid(request.parameter("gid"));
    if (!gid) return bad_gid();
    if (service.core().find(*gid) == nullptr) {
        if (!service.find(*gid).folded) return unknown_gid(*gid);
        return problem(409, "finished", "the transaction is finished: nothing is left to retry");
    }
    Json answer{{"gid", to_text(*gid)}, {"hurried", service.retry(*gid)}};
    const View view = view_of(*gid, service.find(*gid), service.config().participants);
    if (!view.not_configured.empty()) answer["not_configured"] = view.not_configured;
    return http::json_response(answer);
}

void resolve(Service& service, const http::Request& request, http::Respond respond) {
    const auto gid = parse_gid(request.parameter("gid"));
    if (!gid) return respond(bad_gid());
    Asked asked;
    if (auto refusal = read_resolve(request, asked)) return respond(*std::move(refusal));
    const std::string who = who_asks(request);
    if (service.may_settle_unknown(*gid) && service.log_state() == LogState::behind)
        return respond(problem(409, "log-closed", service.log_detail()));
    if (service.may_settle_unknown(*gid))
        return settle_unknown(service, *gid, asked, who, std::move(respond));
    ResolveAsked event{*gid, std::nullopt, asked.how, who, asked.reason};
    const Transaction* t = service.core().find(*gid);
    if (t == nullptr && !service.find(*gid).folded) return respond(unknown_gid(*gid));
    if (t != nullptr && !asked.branch_id.empty()) {
        event.branch = static_cast<BranchIndex>(t->started().branches.size());  // none of them
        for (BranchIndex i = 0; i < t->started().branches.size(); ++i)
            if (t->started().branches[i].branch_id == asked.branch_id) event.branch = i;
    }
    // A waiter first: the log may be faster than this function.
    const std::uint64_t ticket =
        service.wait(*gid, Milestone::resolved, [gid = *gid, asked, respond](Milestone told) {
            if (told == Milestone::failed) return respond(no_room());
            respond(http::json_response(
                {{"gid", to_text(gid)}, {"resolved", asked.how}, {"reason", asked.reason}}));
        });
    const Service::Resolving resolving = service.resolve(event);
    if (resolving.result == Service::ResolveResult::accepted) return;
    service.forget_waiter(*gid, ticket);
    if (resolving.result == Service::ResolveResult::busy)
        return respond(problem(409,
                               "busy",
                               "a request to this branch is in flight; try again in a moment",
                               {{"gid", to_text(*gid)}}));
    respond(refused(resolving.refusal, *gid));
}

Response list_participants(const Service& service) {
    Json items = Json::array();
    for (const LaneStatus& lane : service.lanes()) {
        Json item{{"participant", lane.participant},
                  {"endpoint", lane.endpoint},
                  {"available", !lane.is_open},
                  {"heard", lane.is_heard},
                  {"waiting", lane.waiting},
                  {"in_flight", lane.in_flight}};
        if (!lane.last_error.empty()) item["last_error"] = lane.last_error;
        if (!lane.held_for.empty()) item["held_for"] = lane.held_for;
        items.push_back(std::move(item));
    }
    for (const auto& [participant, transactions] : service.removed_participants())
        items.push_back({{"participant", participant},
                         {"available", false},
                         {"heard", false},
                         {"waiting", transactions},
                         {"in_flight", 0},
                         {"configured", false},
                         {"held_for", not_configured_text(participant)}});
    return http::json_response({{"items", std::move(items)}});
}

Response show_status(Service& service) {
    const wal::Store& store = service.log().store();
    const wal::Headroom room = store.headroom();
    return http::json_response({{"coordinator", service.config().id},
                                {"node", service.config().node},
                                {"epoch", service.epoch()},
                                {"log_identity", to_text(service.guard().own().log)},
                                {"log_state", to_text(service.log_state())},
                                {"live", service.core().transactions().size()},
                                {"needs_attention", service.needing_attention()},
                                {"ids_ahead_ms", service.ids_ahead()},
                                {"running_seconds", store.running_seconds()},
                                {"commits", store.commits()},
                                {"log",
                                 {{"used_bytes", room.used_bytes},
                                  {"store_max_bytes", room.map_bytes},
                                  {"disk_free_bytes", room.disk_free_bytes},
                                  {"has_room", room.has_room}}}});
}

Response export_page(const wal::Log& log, const http::Request& request) {
    std::optional<Gid> after;
    std::size_t limit = export_page_size;
    for (const auto& [name, value] : request.query) {
        if (name == "after") {
            after = parse_gid(value);
            if (!after) return problem({name, "a gid"});
        } else if (name == "limit") {
            const auto parsed = parse_limit(value, export_page_size);
            if (!parsed) return problem({name, "a whole number from 1 to 500"});
            limit = *parsed;
        } else {
            return problem({name, "no such query parameter"});
        }
    }
    Response response{.content_type = "application/x-ndjson"};
    // In small steps, each of a short snapshot: transactions may be large.
    for (std::size_t given = 0; given < limit && response.body.size() < export_page_bytes;) {
        const auto page = log.walk(after, std::min(limit - given, export_step));
        for (const auto& stored : page) response.body += export_line(stored) + "\n";
        if (page.empty()) return response;
        given += page.size();
        after = page.back().gid;
    }
    response.headers.push_back({"X-Next", to_text(*after)});
    return response;
}

void verify_log(boost::asio::io_context& io, Service& service, const http::Respond& respond) {
    answer_from_thread(
        io,
        service,
        [&log = std::as_const(service).log()](const std::stop_token& stop) {
            Json findings = Json::array();
            std::size_t transactions = 0;
            log.verify([&](const std::string& finding) { findings.push_back(finding); },
                       [&](std::size_t done) {
                           if (stop.stop_requested()) throw std::runtime_error("stopping");
                           transactions = done;
                       });
            return http::json_response(
                {{"transactions", transactions}, {"findings", std::move(findings)}});
        },
        respond);
}

}  // namespace twophase::coordinator
