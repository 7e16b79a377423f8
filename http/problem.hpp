// Errors as RFC 9457 problem documents.
#pragma once

#include "http/json.hpp"
#include "http/message.hpp"

#include <string>
#include <string_view>

namespace twophase::http {

/// application/problem+json with type "urn:twophase:problem:<code>", title (the status's reason),
/// status, `code`, detail (what to do about it), and the members of `more`.
Response problem(unsigned status,
                 std::string_view code,
                 std::string_view detail,
                 Json more = Json::object());

/// 400 `invalid-field` that names the field and says what was expected.
struct FieldError;
Response problem(const FieldError& error);

/// The `detail` of somebody's problem, or what others call it: `message`, `title`; empty: none.
class Value;
std::string_view detail_of(const Value& body);

/// What somebody else's answer says went wrong, as one line for a log and for people: its status,
/// and its body's own `code` and detail where it is an object that has them. At most 512 bytes
/// before control characters are escaped. Anybody may have written it: no label for a metric.
std::string describe(unsigned status, const Value& body);
std::string describe(const Response& answer);

/// 200 (or `status`) with a JSON body.
Response json_response(const Json& body, unsigned status = 200);

}  // namespace twophase::http
