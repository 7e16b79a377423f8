#include "tests/conformance/payload.hpp"

#include "http/json.hpp"

namespace twophase::conformance {

bool is_json_object(const std::string& text) {
    const auto json = http::parse_json(text);
    return json && json->is_object();
}

std::string changed_copy(const std::string& object) {
    auto parsed = http::parse_json(object);
    if (!parsed || !parsed->is_object()) return "{}";
    http::Json json = *std::move(parsed);
    for (http::Json& value : json)
        if (value.is_number_integer()) {
            value = value.get<std::int64_t>() + 1;
            return http::dump(json);
        }
    for (http::Json& value : json)
        if (value.is_string()) {
            value = value.get<std::string>() + "x";
            return http::dump(json);
        }
    json["changed"] = true;
    return http::dump(json);
}

}  // namespace twophase::conformance
