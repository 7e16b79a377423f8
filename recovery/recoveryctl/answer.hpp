// Reads a coordinator's answers without trusting that a coordinator gave them.
#pragma once

#include "http/json.hpp"
#include "http/message.hpp"

#include <cstdint>
#include <string>

namespace twophase::recoveryctl {

using http::Json;

/// The answer's JSON object. A problem document becomes a Failure with its detail, anything else a
/// Failure that says that `peer` does not answer as a coordinator does.
Json read_answer(const http::Response& response, const std::string& peer);
/// Throws that Failure.
[[noreturn]] void refuse_answer(const http::Response& response, const std::string& peer);

/// The member as text: a string as it is, null and absent as "", anything else as JSON.
std::string text_in(const Json& object, const char* member);
/// The member when it is an array, else an empty one.
const Json& items_in(const Json& object, const char* member);
/// The member when it is a whole number >= 0, else 0.
std::uint64_t number_in(const Json& object, const char* member);

}  // namespace twophase::recoveryctl
