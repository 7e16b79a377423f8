// Header values with a grammar of their own.
#pragma once

#include "http/message.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {

/// One preference of a request (RFC 7240, section 2): its name in lower case, its value without
/// quotes, empty where it has none. Its parameters are not kept: no preference that we know has
/// any.
struct Preference {
    std::string name;
    std::string value;
};

/// All preferences of all Prefer lines as one list, the first of each name only. A member that is
/// none is left out, as RFC 7240 demands of what isn't understood.
std::vector<Preference> read_preferences(const std::vector<Header>& headers);

/// The text of an RFC 8941 string item, `"order-4711"`, its parameters checked and dropped;
/// nullopt: it is anything else, such as a list.
std::optional<std::string> parse_string_item(std::string_view text);

}  // namespace twophase::http
