// JSON as a tree: to build an answer, and to read what is not for Fields or comes rarely.
// Included by .cpp files only: nlohmann is heavy.
#pragma once

#include "http/document.hpp"

#include <boost/system/result.hpp>
#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::http {

using Json = nlohmann::json;

/// As read_json(), and refuses the same. Slower; says what is wrong and where.
boost::system::result<Json, FieldError> parse_json(std::string_view text, JsonLimits limits = {});

/// Compact text. `replace` is for texts that only inform; without it invalid UTF-8 is a broken
/// invariant and throws.
std::string dump(const Json& value);
std::string dump_replacing(const Json& value);

/// The integer that `value` is; none for real numbers, also those without a fraction, for integers
/// beyond 64 bits and for all else.
std::optional<std::int64_t> exact_integer(const Json& value);

}  // namespace twophase::http
