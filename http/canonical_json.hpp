// One text for all JSON texts that mean the same: what two requests are compared by.
#pragma once

#include <string>
#include <string_view>

namespace twophase::http {

/// Appends `json`, a text that read_json() has taken, without blanks, members sorted by name, texts
/// escaped in one way only and numbers by their exact decimal value: 100, 100.0 and 1e2 are one,
/// 2^53 and 2^53 + 1 are two, and all zeros are one. False, and part of the text appended, for a
/// number whose exponent has more than 18 digits. Not made to be sent: 100 becomes 1e2.
bool append_canonical(std::string& to, std::string_view json);

}  // namespace twophase::http
