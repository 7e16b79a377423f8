#include "recovery/recoveryctl/query.hpp"

#include "http/text.hpp"

namespace twophase::recoveryctl {

void add_to_query(std::string& query, const char* name, const std::string& value) {
    if (!value.empty()) query += std::string("&") + name + "=" + http::percent_encode(value);
}

}  // namespace twophase::recoveryctl
