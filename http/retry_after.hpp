// How long a peer asks to be left alone: RFC 9110, section 10.2.3.
#pragma once

#include "http/message.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>

namespace twophase::http {

/// Retry-After of a 429 or 503, as a wait from now on; 0 where the answer is another one, says
/// nothing, or nothing that can be read. A date counts from the answer's own Date where it has one,
/// so that a clock that differs from the peer's changes nothing; else from `wall_seconds`, the
/// seconds since 1970 here. Nobody is left alone for longer than a day.
std::chrono::seconds retry_after(const Response& response, std::int64_t wall_seconds);

/// Seconds since 1970 of an HTTP-date in any of its three forms (RFC 9110, section 5.6.7: "Sun, 06
/// Nov 1994 08:49:37 GMT" and the two obsolete ones); -1 where it is none.
std::int64_t parse_date(std::string_view text);

}  // namespace twophase::http
