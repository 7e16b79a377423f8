#include "recovery/recoveryctl/reconcile.hpp"

#include "http/client.hpp"
#include "http/endpoint.hpp"
#include "http/text.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/table.hpp"
#include "recovery/recoveryctl/terminal.hpp"

#include <chrono>
#include <cstdint>
#include <ostream>
#include <utility>

namespace twophase::recoveryctl {
namespace {

constexpr std::chrono::hours limit{12};  // all books are read

http::Endpoint endpoint_of(const std::string& url) {
    auto endpoint = http::Endpoint::parse(url);
    if (!endpoint)
        throw Failure(Exit::not_possible,
                      "'" + url +
                          "' is no address of a participant: http://host:port, or "
                          "file:/path of its address file");
    return *std::move(endpoint);
}

Json post(const ReconcileOrder& order, const std::string& target, const Json& body) {
    const http::Endpoint peer = endpoint_of(order.url);
    http::Call call{.method = "POST", .target = target, .body = http::dump_replacing(body)};
    call.headers.push_back({"X-Actor", order.who});
    const auto response = http::call_once(peer, std::move(call), limit);
    if (!response)
        throw Failure(Exit::not_possible,
                      peer.text() + ": " + response.error().message() +
                          "; is the participant running there?");
    return read_answer(*response, peer.text());
}

bool is_true(const Json& object, const char* member) { return text_in(object, member) == "true"; }

std::string action_of(const Json& finding) {
    if (const std::string why = text_in(finding, "acknowledged"); !why.empty())
        return "acknowledged: " + why;
    return is_true(finding, "corrected") ? "corrected" : "left alone";
}

/// What contradicts what: states of a branch, or numbers.
std::string against(const Json& finding, const char* state, const char* number) {
    const std::string told = text_in(finding, state);
    return told.empty() ? text_in(finding, number) : told;
}

/// What was compared with one coordinator's log, and what not.
std::string compared_text(const Json& with) {
    std::string text = text_in(with, "branches") + " branches compared";
    if (!is_true(with, "complete")) {
        const std::string error = printable(text_in(with, "error"));
        text = number_in(with, "not_compared") > 0 ? text + "; " + error : "not compared: " + error;
    }
    if (number_in(with, "ahead_of_clock") > 0)
        text += "\n  " + text_in(with, "ahead_of_clock") +
                " of them have ids ahead of the participant's clock, up to " +
                printable(text_in(with, "ahead_up_to"));
    return text;
}

/// What was asked of branches that only one side has.
std::string requests_text(const Json& report) {
    std::string text;
    for (const Json& finding : items_in(report, "findings")) {
        if (text_in(finding, "operation").empty()) continue;
        const std::string expected = text_in(finding, "expected_state");
        const bool is_lacking = expected == "committed" || expected == "executed";
        const std::string payload =
            finding.contains("payload") ? http::dump_replacing(finding["payload"]) : "";
        text +=
            "  " + printable(text_in(finding, "subject")) +
            (is_lacking ? " has to be booked again: " : " is booked, and the log has it not: ") +
            printable(text_in(finding, "operation")) + " " + printable(payload) +
            " (business key " + printable(text_in(finding, "business_code")) + " " +
            printable(text_in(finding, "business_id")) + ")\n";
    }
    return text;
}

void show(const Json& report, std::ostream& out) {
    Table table({"KIND", "SUBJECT", "RECORDED", "EXPECTED", "DIFFERENCE", "ACTION"});
    for (const Json& finding : items_in(report, "findings"))
        table.add({text_in(finding, "kind"),
                   text_in(finding, "subject"),
                   against(finding, "recorded_state", "recorded_balance"),
                   against(finding, "expected_state", "calculated_balance"),
                   text_in(finding, "difference"),
                   action_of(finding)});
    if (!table.is_empty()) out << table.text() << "\n" << requests_text(report);
    if (report.contains("checked") && report["checked"].is_object())
        for (const auto& [what, count] : report["checked"].items())
            out << printable(what) << ": " << printable(http::dump_replacing(count))
                << " checked\n";
    for (const Json& with : items_in(report, "compared"))
        out << "coordinator " << printable(text_in(with, "coordinator")) << ": "
            << compared_text(with) << "\n";
    if (const std::string error = text_in(report, "error"); !error.empty())
        out << "not everything could be looked at: " << printable(error) << "\n";
    out << number_in(report, "found") << " findings, " << number_in(report, "corrected")
        << " corrected";
    if (const std::uint64_t quiet = number_in(report, "acknowledged"); quiet > 0)
        out << ", " << quiet << " acknowledged";
    out << "\n";
}

}  // namespace

Exit reconcile(const ReconcileOrder& order, const Output& output) {
    if (order.is_acceptance) {
        const Json answer = post(order, "/v1/reconciliation/accept", {{"reason", order.reason}});
        output.out << (output.is_json ? http::dump_replacing(answer)
                                      : "accepted; the restored store is open")
                   << "\n";
        return Exit::done;
    }
    const Json report = post(order, "/v1/reconciliation", Json::object());
    if (output.is_json)
        output.out << http::dump_replacing(report) << "\n";
    else
        show(report, output.out);
    const bool is_well = number_in(report, "found") == number_in(report, "acknowledged") &&
                         is_true(report, "complete");
    return is_well ? Exit::done : Exit::findings;
}

Exit acknowledge(const AcknowledgeOrder& order, const Output& output) {
    const Json answer =
        post({.url = order.url, .reason = order.reason, .who = order.who},
             "/v1/reconciliation/acknowledge",
             {{"kind", order.kind}, {"subject", order.subject}, {"reason", order.reason}});
    output.out << (output.is_json ? http::dump_replacing(answer)
                                  : "acknowledged: it is quiet until its numbers change")
               << "\n";
    return Exit::done;
}

Exit settle_damaged(const SettleDamagedOrder& order, const Output& output) {
    Json body{{"reason", order.reason}};
    if (!order.coordinator.empty()) body["coordinator"] = order.coordinator;
    const Json answer = post({.url = order.url, .reason = order.reason, .who = order.who},
                             "/v1/branches/" + http::percent_encode(order.gid) + "/" +
                                 http::percent_encode(order.branch_id) + "/settle",
                             body);
    output.out << (output.is_json
                       ? http::dump_replacing(answer)
                       : printable(order.gid + "/" + order.branch_id) + " is settled as " +
                             printable(text_in(answer, "state")) + ", by the coordinator's log")
               << "\n";
    return Exit::done;
}

}  // namespace twophase::recoveryctl
