// Times in the APIs: RFC 3339 in UTC, one form for all programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::http {

/// What an error says that a time should have been.
inline constexpr const char* expected_instant = "a time such as \"2026-01-31T09:15:02.250Z\"";

/// Microseconds since 1970 as RFC 3339 in UTC with six digits of fraction, so that texts sort as
/// their times do: "2026-01-31T09:15:02.250000Z".
std::string instant_text(std::int64_t microseconds);

/// Microseconds since 1970; nothing when `text` is no date-time of RFC 3339 (5.6). Digits behind
/// the sixth of a fraction are dropped; a leap second is the second behind it.
std::optional<std::int64_t> parse_instant(std::string_view text);

}  // namespace twophase::http
