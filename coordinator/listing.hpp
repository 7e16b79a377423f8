// GET /v1/transactions: live and finished ones together, newest first, filtered and paged.
#pragma once

#include "coordinator/service.hpp"
#include "http/message.hpp"

namespace twophase::coordinator {

/// {items, next}: query state (or "unfinished": all but the ended), participant, business_code,
/// business_id, before (a gid), limit (1 to 500, 100). A page may hold fewer items than exist: go
/// on at `next` until it is null.
http::Response list_transactions(const Service& service, const http::Request& request);

}  // namespace twophase::coordinator
