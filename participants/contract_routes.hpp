// The contract's routes: branch messages, single and in arrays, and the list of those in doubt.
#pragma once

#include "http/router.hpp"
#include "participants/branches.hpp"
#include "participants/log_confirmer.hpp"
#include "participants/request_queue.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>

namespace twophase::participants {

/// How long a lazy message waits for others to share a sync with. It still holds what it holds, and
/// a place in its coordinator's window.
inline constexpr std::chrono::milliseconds unhurried_delay{10};

/// Of a request by its Priority header (RFC 9218): lazy when less urgent than usual, as nobody
/// waits for it; a malformed header is as none.
wal::Urgency urgency_of(std::string_view priority);

/// Adds POST /v1/branches/{verb}, GET /v1/branches/in-doubt and the routes of log_routes.hpp. All
/// arguments must outlive the router. `most_items` bounds an array.
void add_contract_routes(http::Router& router,
                         const Branches& branches,
                         RequestQueue& queue,
                         LogConfirmer& confirmer,
                         Clock clock,
                         std::size_t most_items);

}  // namespace twophase::participants
