#include "coordinator/log_api.hpp"

#include "coordinator/operator_api.hpp"
#include "http/fields.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Fields;
using http::Json;
using http::problem;
using http::Response;

constexpr std::size_t most_listed = 500;

/// Participants read no more, and take no log whose identity they can't read.
constexpr std::size_t most_replaced_told = 64;

std::span<const wal::Token> latest_replaced(const LogGuard::Own& own) {
    return std::span(own.replaces).first(std::min(own.replaces.size(), most_replaced_told));
}

Json identity_json(const Service& service) {
    const LogGuard::Own& own = service.guard().own();
    Json replaces = Json::array();
    for (const wal::Token& each : latest_replaced(own)) replaces.push_back(to_text(each));
    return {{"coordinator", own.id},
            {"node", service.config().node},
            {"log", to_text(own.log)},
            {"epoch", own.epoch},
            {"start", to_text(own.start)},
            {"position", service.position()},
            {"began_at", own.began_at},
            {"replaces", std::move(replaces)},
            {"open", service.may_be_listened_to()}};
}

Json branches_json(const std::vector<wal::LostBranch>& branches) {
    Json all = Json::array();
    for (const wal::LostBranch& branch : branches)
        all.push_back({{"participant", branch.participant},
                       {"branch_id", branch.branch_id},
                       {"operation", branch.operation},
                       {"state", branch.state}});
    return all;
}

Json lost_json(const LostTransaction& lost) {
    const wal::LostBranch& first = lost.branches.front();
    return {{"gid", to_text(lost.gid)},
            {"business_code", first.business_code},
            {"business_id", first.business_id},
            {"proven", lost.proven ? Json(to_text(*lost.proven)) : Json()},
            {"branches", branches_json(lost.branches)}};
}

struct Word {
    std::string reason;
    std::set<std::string> left_out;
};

std::optional<Response> read_word(const Service& service,
                                  const http::Request& request,
                                  bool may_leave_out,
                                  Word& word) {
    const auto json = http::read_json(request.body);
    if (!json) return problem(json.error());
    Fields fields(json->root());
    word.reason = fields.text("reason", {.max_bytes = 1024});
    const http::Value* names =
        may_leave_out ? fields.optional_array("leave_out", 0, 1'000) : nullptr;
    if (names != nullptr)
        for (const http::Value& name : *names) {
            word.left_out.emplace(name.text());
            if (!service.config().participants.contains(name.text()))
                fields.fail("leave_out", "names of configured participants");
        }
    if (const auto& error = fields.finish()) return problem(*error);
    return std::nullopt;
}

/// What the asking participant has seen of our log, where it says so.
std::optional<Seen> witness(const http::Request& request) {
    const auto word = [&](const char* name) {
        const auto found = request.query.find(name);
        return found == request.query.end() ? std::string() : found->second;
    };
    return read_seen(word("log") + " " + word("epoch") + " " + word("start") + " " +
                     word("position"));
}

Response not_written() {
    Response response = problem(503, "no-room", "the log is full; nothing was written");
    response.headers.push_back({"Retry-After", "10"});
    return response;
}

}  // namespace

Response show_identity(const Service& service, const http::Request& request) {
    Json answer = identity_json(service);
    // Listened to by one who has seen more, this copy would take it from the newest.
    if (const auto seen = witness(request); seen && service.knows_less_than(*seen))
        answer["open"] = false;
    // Of a mark ahead of its clock a participant asks here whether it is ours.
    const auto participant = request.query.find("participant");
    if (participant != request.query.end() && answer["open"] == true &&
        service.may_tell_low_water(participant->second))
        answer["low_water"] = to_text(service.low_water(participant->second));
    const auto nonce = request.query.find("nonce");
    answer["nonce"] = nonce == request.query.end() ? "" : nonce->second.substr(0, 64);
    return http::json_response(answer);
}

Response tell_decision(const Service& service, const http::Request& request) {
    const auto gid = parse_gid(request.parameter("gid"));
    if (!gid) return bad_gid();
    Inquiry verdict = service.inquire(*gid);
    if (!verdict) return unknown_gid(*gid);
    // Who has seen more of this log than it holds is told nothing: it would take the answer for the
    // word of a later start, and what it has seen of the earlier one would be seen no more.
    const auto seen = witness(request);
    if (seen && service.knows_less_than(*seen)) verdict = Verdict::pending;
    const char* text = *verdict == Verdict::commit     ? "commit"
                       : *verdict == Verdict::rollback ? "rollback"
                                                       : "pending";
    const LogGuard::Own& own = service.guard().own();
    Json answer{{"gid", to_text(*gid)},
                {"coordinator", service.config().id},
                {"epoch", service.epoch()},
                {"log", to_text(own.log)},
                {"start", to_text(own.start)},
                {"position", service.position()},
                {"began_at", own.began_at},
                {"decision", text}};
    if (!own.replaces.empty())
        for (const wal::Token& each : latest_replaced(own))
            answer["replaces"].push_back(to_text(each));
    return http::json_response(answer);
}

Response show_log(const Service& service) {
    Json answer = identity_json(service);
    answer["state"] = to_text(service.log_state());
    answer["detail"] = service.log_detail();
    answer["unheard"] = service.unheard();
    if (const auto& why = service.log().store().identity().why_it_replaces; !why.empty())
        answer["why_it_replaces"] = why;
    if (!service.guard().own().replaces.empty()) answer["unlisted"] = service.unlisted();
    return http::json_response(answer);
}

void accept_log(Service& service, const http::Request& request, http::Respond respond) {
    Word word;
    if (auto refusal = read_word(service, request, true, word)) return respond(*std::move(refusal));
    const auto accepting =
        service.accept(word.left_out,
                       who_asks(request),
                       word.reason,
                       [respond, &service, reason = word.reason](wal::Written written) {
                           if (written != wal::Written::durable) return respond(not_written());
                           respond(http::json_response({{"accepted", true},
                                                        {"log", to_text(service.guard().own().log)},
                                                        {"reason", reason}}));
                       });
    if (accepting == Service::Accepting::nothing_to_accept)
        return respond(problem(409,
                               "nothing-to-accept",
                               "this log waits for no acceptance; GET /v1/log tells its state",
                               {{"state", to_text(service.log_state())}}));
    if (accepting == Service::Accepting::not_heard)
        return respond(problem(409,
                               "not-heard",
                               "participants were not heard yet, or their branches not read: wait, "
                               "or leave them out by name (they get nothing until they were)",
                               {{"unheard", service.unheard()}, {"unlisted", service.unlisted()}}));
}

Response list_lost(const Service& service, const http::Request& request) {
    std::optional<Gid> after;
    std::size_t limit = 100;
    for (const auto& [name, value] : request.query) {
        if (name == "after") {
            after = parse_gid(value);
            if (!after) return problem({name, "a gid"});
        } else if (name == "limit") {
            const auto parsed = parse_limit(value, most_listed);
            if (!parsed) return problem({name, "a whole number from 1 to 500"});
            limit = *parsed;
        } else {
            return problem({name, "no such query parameter"});
        }
    }
    const std::vector<LostTransaction> page = service.lost(after, limit);
    Json items = Json::array();
    for (const LostTransaction& each : page) items.push_back(lost_json(each));
    const bool is_last = page.size() < limit;
    return http::json_response({{"items", std::move(items)},
                                {"next", is_last ? Json() : Json(to_text(page.back().gid))},
                                {"unlisted", service.unlisted()},
                                {"listless", service.listless()}});
}

void settle_proven(Service& service, const http::Request& request, http::Respond respond) {
    Word word;
    if (auto refusal = read_word(service, request, false, word))
        return respond(*std::move(refusal));
    if (service.log_state() == LogState::behind)
        return respond(problem(409, "log-closed", service.log_detail()));
    service.settle_proven(who_asks(request), word.reason, [respond](std::size_t settled) {
        respond(http::json_response({{"settled", settled}}));
    });
}

void accept_store(Service& service, const http::Request& request, http::Respond respond) {
    Word word;
    if (auto refusal = read_word(service, request, false, word))
        return respond(*std::move(refusal));
    const std::string name = request.parameter("participant");
    if (!service.config().participants.contains(name))
        return respond(
            problem(404, "unknown-participant", "no participant '" + name + "' is configured"));
    service.accept_store(
        name, who_asks(request), word.reason, [respond, name](wal::Written written) {
            if (written != wal::Written::durable) return respond(not_written());
            respond(http::json_response({{"participant", name}, {"accepted", true}}));
        });
}

Response refused_lost_key(const Service& service, const Gid& gid) {
    return problem(409,
                   "lost-business-key",
                   "a participant holds this business key under a transaction of a log that was "
                   "lost; a person settles it first (recoveryctl lost, recoveryctl resolve)",
                   {{"gid", to_text(gid)}, {"branches", branches_json(service.log().lost(gid))}});
}

}  // namespace twophase::coordinator
