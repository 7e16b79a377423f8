#include "participants/reconciliation_routes.hpp"

#include "http/fields.hpp"
#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/text.hpp"
#include "participants/calls.hpp"
#include "participants/finding_json.hpp"

#include <utility>

namespace twophase::participants {
namespace {

using http::Json;

Json to_json(const Finding& finding) {
    Json json{{"kind", finding.kind},
              {"subject", finding.subject},
              {"account_id", finding.account_id},
              {"recorded_balance", finding.recorded},
              {"calculated_balance", finding.calculated},
              {"difference", finding.difference()},
              {"corrected", finding.is_corrected}};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) json[name] = value;
    };
    add("user_id", finding.user_id);
    add("coordinator", finding.coordinator);
    add("gid", finding.gid);
    add("branch_id", finding.branch_id);
    add("recorded_state", finding.recorded_state);
    add("expected_state", finding.expected_state);
    add("message", finding.text);
    add("acknowledged", finding.acknowledged);
    add_request(json, finding);
    return json;
}

Json to_json(const ReconciliationReport& report) {
    Json findings = Json::array();
    for (const Finding& finding : report.findings) findings.push_back(to_json(finding));
    Json compared = Json::array();
    for (const auto& with : report.compared) {
        Json one{{"coordinator", with.coordinator},
                 {"branches", with.branches},
                 {"complete", with.is_whole}};
        if (!with.fault.empty()) one["error"] = with.fault;
        if (with.not_compared > 0) one["not_compared"] = with.not_compared;
        if (with.ahead > 0) {
            one["ahead_of_clock"] = with.ahead;
            one["ahead_up_to"] = with.ahead_up_to();
        }
        if (with.of_replaced_logs > 0) one["of_replaced_logs"] = with.of_replaced_logs;
        if (with.has_forgotten_later_ones) one["has_forgotten_later_ones"] = true;
        compared.push_back(std::move(one));
    }
    Json json{{"started_at", http::instant_text(report.started_at)},
              {"finished_at", http::instant_text(report.finished_at)},
              {"complete", report.is_whole()},
              {"checked", report.checked},
              {"compared", std::move(compared)},
              {"findings", std::move(findings)},
              {"found", report.found},
              {"corrected", report.corrected},
              {"acknowledged", report.acknowledged}};
    if (!report.fault.empty()) json["error"] = report.fault;
    return json;
}

/// A subject may hold the bytes of a damaged key.
http::Response respond_with(const Json& json) {
    http::Response response = http::json_response(Json::object());
    response.body = http::dump_replacing(json);
    return response;
}

void accept(RestoredGate& gate, const http::Request& request, http::Respond respond) {
    const auto json = http::read_json(request.body);
    if (!json) return respond(http::problem(json.error()));
    http::Fields fields(json->root());
    const std::string reason = fields.text("reason", {.max_bytes = 1024});
    if (const auto& error = fields.finish()) return respond(http::problem(*error));
    gate.accept(reason, origin_of(request), std::move(respond));
}

void acknowledge(Reconciliation& reconciliation,
                 const http::Request& request,
                 http::Respond respond) {
    const auto json = http::read_json(request.body);
    if (!json) return respond(http::problem(json.error()));
    http::Fields fields(json->root());
    const std::string kind = fields.text("kind", {.max_bytes = 64});
    const std::string subject = fields.text("subject", {.max_bytes = 2'048});
    const std::string reason = fields.text("reason", {.max_bytes = 1024});
    if (const auto& error = fields.finish()) return respond(http::problem(*error));
    reconciliation.acknowledge(kind, subject, reason, origin_of(request), std::move(respond));
}

}  // namespace

void add_reconciliation_routes(http::Router& router,
                               Reconciliation& reconciliation,
                               RestoredGate& gate) {
    router.add("POST",
               "/v1/reconciliation/accept",
               [&gate](const http::Request& request, http::Respond respond) {
                   accept(gate, request, std::move(respond));
               });
    router.add("POST",
               "/v1/reconciliation/acknowledge",
               [&reconciliation](const http::Request& request, http::Respond respond) {
                   acknowledge(reconciliation, request, std::move(respond));
               });
    router.add("POST",
               "/v1/reconciliation",
               [&reconciliation](const http::Request&, const http::Respond& respond) {
                   reconciliation.run([respond](const ReconciliationReport& report) {
                       respond(respond_with(to_json(report)));
                   });
               });
    router.add("GET",
               "/v1/reconciliation",
               [&reconciliation](const http::Request&, const http::Respond& respond) {
                   const auto& last = reconciliation.last();
                   if (!last && !reconciliation.is_running())
                       return respond(http::problem(404, "never-run", "no reconciliation has run"));
                   Json json = last ? to_json(*last) : Json::object();
                   json["running"] = reconciliation.is_running();
                   respond(respond_with(json));
               });
}

}  // namespace twophase::participants
