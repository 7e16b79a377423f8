// The few questions about bytes and text that HTTP and JSON reading share.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::http {

/// ASCII letters compare without case; all other bytes exactly.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// ASCII letters in lower case.
std::string lower(std::string_view text);

/// At least one byte, and only those that RFC 9110 allows in a method or a header name.
bool is_token(std::string_view text);

/// Without spaces and tabs at both ends.
std::string_view trim(std::string_view text);

/// Takes the text up to `end`, and `end` itself, off the front of `rest`; nullopt without `end`.
std::optional<std::string_view> take_until(std::string_view& rest, std::string_view end);

/// Takes the next member off the front of `rest`, a header's list (RFC 9110, section 5.6.1),
/// without the blanks around it; nullopt at the end. A member may be empty.
std::optional<std::string_view> next_in_list(std::string_view& rest,
                                             std::string_view separators = ",");

/// Whether `text` is UTF-8 without overlong forms and surrogates.
bool is_utf8(std::string_view text);

/// Whether `text` has control characters of ASCII (C0, DEL): no target may have them, so nobody
/// could look up by HTTP what has them in its name.
bool has_control(std::string_view text);

/// Whether the bytes may stand in a header's value: no control bytes but tab.
bool is_header_value(std::string_view text);

/// At most `most_bytes` of UTF-8 text, cut between characters.
std::string cut(std::string_view text, std::size_t most_bytes);

/// Text from outside for a line of a log: control bytes escaped, so that nobody writes lines of
/// their own, and at most 512 bytes.
std::string for_log(std::string_view text);

/// Every byte as %XX but those that RFC 3986 (2.3) calls unreserved: for a part of a target.
std::string percent_encode(std::string_view text);

/// Decodes %XX; nullopt when a percent sign isn't followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace twophase::http
