// What the log tells of one branch: for a participant whose own record of it is damaged or missing.
#pragma once

#include "coordinator/service.hpp"
#include "http/json.hpp"
#include "http/message.hpp"

#include <string>

namespace twophase::coordinator {

/// GET /v1/transactions/{gid}/branches/{branch_id}: the branch's request, its vote and its end, as
/// far as they are durable. 404 where the log doesn't know it, 409 where it can't be read, 503
/// where the log is behind.
http::Response show_branch(const Service& service, const http::Request& request);

/// What was asked of this branch, results filled in: {operation, payload, business_code,
/// business_id}. An empty object where the log can't tell.
http::Json request_of_branch(const Service& service, const Gid& gid, std::string_view branch_id);

}  // namespace twophase::coordinator
