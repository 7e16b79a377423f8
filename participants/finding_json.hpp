// A finding's parts as JSON. Included by .cpp files only.
#pragma once

#include "http/json.hpp"
#include "participants/finding.hpp"

namespace twophase::participants {

/// Adds what was asked of the finding's branch, where it is known.
void add_request(http::Json& to, const Finding& finding);

}  // namespace twophase::participants
