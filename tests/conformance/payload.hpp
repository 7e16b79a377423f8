// The payloads given on the command line.
#pragma once

#include <string>

namespace twophase::conformance {

/// Whether `text` is one JSON object.
bool is_json_object(const std::string& text);

/// The object with one value made another one: an integer raised, else a text lengthened, else a
/// member added.
std::string changed_copy(const std::string& object);

}  // namespace twophase::conformance
