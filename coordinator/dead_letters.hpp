// GET /v1/dead-letters: deliveries that were given up and wait for a person.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"

namespace twophase::coordinator {

/// {items, next}, oldest first: query participant, after (a gid), limit (1 to 500, 100). An item:
/// {gid, branch_id, participant, operation, payload, business_code, business_id, attempts,
/// max_retries, last_error}. A page may hold fewer items than exist: go on at `next` until it is
/// null. They are retried and discarded by POST /v1/transactions/{gid}/resolve.
http::Response list_dead_letters(const Service& service, const http::Request& request);

}  // namespace twophase::coordinator
