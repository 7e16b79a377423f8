// A request's target: path and query, decoded and checked.
#pragma once

#include "http/message.hpp"

#include <string>
#include <string_view>

namespace twophase::http {

/// Whether all bytes of `target` may stand in a request line.
bool is_target(std::string_view target);

/// Fills the request's path and query. The text of a refusal for all that isn't a plain path: bad
/// percent-encoding, dot segments, hidden slashes, control bytes, a query name twice.
std::string parse_target(std::string_view target, Request& request);

}  // namespace twophase::http
