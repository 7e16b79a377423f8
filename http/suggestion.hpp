// What somebody may have meant who gave a name that isn't known.
#pragma once

#include <string>
#include <vector>

namespace twophase::http {

/// "; did you mean X?" with the nearest of `known`; empty where none is near.
std::string suggestion(const std::string& wrong, const std::vector<std::string>& known);

}  // namespace twophase::http
