// What a person has to know of a reconciliation.
#pragma once

#include "participants/reconciliation_report.hpp"
#include "recovery/alerts.hpp"

namespace twophase::participants {

/// Of a finding that was left alone: with what was asked of its branch.
void alert(recovery::Alerts& alerts, const Finding& finding);
/// Of a run: ids ahead of the clock, and what couldn't be compared.
void alert(recovery::Alerts& alerts, const ReconciliationReport& report);

}  // namespace twophase::participants
