// Names of status codes.
#pragma once

#include <string_view>

namespace twophase::http {

/// The reason phrase of a status code, "Unknown" for one that nobody here uses.
std::string_view reason_phrase(unsigned status);

}  // namespace twophase::http
