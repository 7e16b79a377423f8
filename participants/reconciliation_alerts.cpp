#include "participants/reconciliation_alerts.hpp"

#include "participants/finding_json.hpp"

namespace twophase::participants {

void alert(recovery::Alerts& alerts, const Finding& finding) {
    http::Json data = http::Json::object();
    add_request(data, finding);
    alerts.raise({.kind = "inconsistency",
                  .subject = finding.kind + " " + finding.subject,
                  .text = "recorded " + std::to_string(finding.recorded) + ", calculated " +
                          std::to_string(finding.calculated) + " " + finding.text,
                  .data = data.empty() ? "" : http::dump_replacing(data)});
}

void alert(recovery::Alerts& alerts, const ReconciliationReport& report) {
    for (const auto& with : report.compared) {
        if (with.ahead > 0)
            alerts.raise({.kind = "clock_ahead",
                          .subject = with.coordinator,
                          .text = with.ahead_text(),
                          .data = {}});
        if (with.not_compared > 0)
            alerts.raise({.kind = "not_compared",
                          .subject = with.coordinator,
                          .text = with.fault,
                          .data = {}});
    }
}

}  // namespace twophase::participants
