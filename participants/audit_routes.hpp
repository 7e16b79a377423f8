// The audit log over HTTP: filtered pages, an export in order, and what the store counts.
#pragma once

#include "http/router.hpp"
#include "participants/audit.hpp"
#include "recovery/page_thread.hpp"
#include "wal/store.hpp"

namespace twophase::participants {

/// `GET /v1/audit`, `/v1/audit/export` and `/v1/audit/head`. All arguments outlive the router.
void add_audit_routes(http::Router& router,
                      const Audit& audit,
                      const wal::Store& store,
                      recovery::PageThread& pages);

}  // namespace twophase::participants
