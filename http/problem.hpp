// Errors as RFC 9457 problem documents.
#pragma once

#include "http/json.hpp"
#include "http/message.hpp"

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

/// 200 (or `status`) with a JSON body.
Response json_response(const Json& body, unsigned status = 200);

}  // namespace twophase::http
