// A request's target: path and query, decoded and checked.
#pragma once

#include "http/message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace twophase::http {

/// Whether all bytes of `target` may stand in a request line.
bool is_target(std::string_view target);

/// A target as it stands in the request line.
struct TargetForm {
    std::optional<std::string_view> authority;  // of the absolute form (RFC 9112, section 3.2.2)
    std::string path_and_query;
};

/// "http://host:7070/a?b" as "host:7070" and "/a?b"; every other target stays as it is.
TargetForm split_target(std::string_view target);

/// Fills the request's path and query. The text of a refusal for all that isn't a plain path: bad
/// percent-encoding, dot segments, hidden slashes, control bytes, a query name twice.
std::string parse_target(std::string_view target, Request& request);

}  // namespace twophase::http
