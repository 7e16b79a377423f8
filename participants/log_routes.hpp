// What a participant tells of the logs that it listens to, and of its own store.
#pragma once

#include "http/json.hpp"
#include "http/message.hpp"
#include "http/router.hpp"
#include "participants/branches.hpp"
#include "participants/log_confirmer.hpp"
#include "participants/request_queue.hpp"

#include <string>

namespace twophase::participants {

/// The header of every answer to a branch message: "<log> <epoch> <start> <position>" of the
/// coordinator that sent it, as it is known here.
inline constexpr const char* known_header = "Twophase-Known";
/// And of our own store, in the same form.
inline constexpr const char* store_header = "Twophase-Store";

/// The value of `store_header` now.
std::string store_text(const wal::Store& store);

/// Adds to a list's JSON what its asker wants to know before it sends anything: `known`, the log of
/// its coordinator that is listened to (null: none), `configured`, `store`, and the request's own
/// `nonce`. Nothing where the query names no coordinator.
void add_introduction(http::Json& to,
                      const Branches& branches,
                      wal::Store& store,
                      const http::Request& request);

/// Runs `then` at once, or, where the query tells of a log that is new here, once its coordinator
/// was asked about it.
void confirm_first(const Branches& branches,
                   wal::Store& store,
                   LogConfirmer& confirmer,
                   const http::Request& request,
                   std::function<void()> then);

/// Adds GET /v1/branches/list and POST /v1/coordinators/{id}/forget. All arguments outlive it.
void add_log_routes(http::Router& router,
                    const Branches& branches,
                    RequestQueue& queue,
                    Clock clock);

}  // namespace twophase::participants
