// What a connection answers by itself: requests that come too slowly, are too large or too many.
#pragma once

#include "http/head.hpp"
#include "http/message.hpp"
#include "http/server.hpp"

#include <cstddef>
#include <string>

namespace twophase::http {

/// The problem document of a refusal; a 503 with Retry-After.
Response to_response(const Refusal& refusal);

/// 408: the request didn't arrive whole in time.
Refusal too_slow();
/// 413: a body of more than `limit` bytes.
Refusal too_large(std::size_t limit);
/// 503 `overloaded`.
Refusal overloaded(std::string detail);
/// 400 or 431 for a head that can't be read or is too large. `state`: neither incomplete nor
/// complete.
Refusal bad_head(HeadScanner::State state, const ServerOptions& options);

}  // namespace twophase::http
