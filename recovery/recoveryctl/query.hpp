// Queries of the requests that recoveryctl sends.
#pragma once

#include <string>

namespace twophase::recoveryctl {

/// Adds "&name=value" unless the value is empty.
void add_to_query(std::string& query, const char* name, const std::string& value);

}  // namespace twophase::recoveryctl
