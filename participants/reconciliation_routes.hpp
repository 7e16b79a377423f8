// The routes of a participant's reconciliation.
#pragma once

#include "http/router.hpp"
#include "participants/reconciliation.hpp"
#include "participants/restored.hpp"

namespace twophase::participants {

/// Adds POST and GET /v1/reconciliation, and POST /v1/reconciliation/accept {reason}. Both
/// arguments behind the router must outlive its last call.
void add_reconciliation_routes(http::Router& router,
                               Reconciliation& reconciliation,
                               RestoredGate& gate);

}  // namespace twophase::participants
