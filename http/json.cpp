#include "http/json.hpp"

#include <cstdint>
#include <utility>

namespace twophase::http {

std::optional<std::int64_t> exact_integer(const Json& value) {
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (!std::in_range<std::int64_t>(number)) return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    if (value.is_number_integer()) return value.get<std::int64_t>();
    return std::nullopt;
}

std::string dump(const Json& value) { return value.dump(); }

std::string dump_replacing(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace twophase::http
