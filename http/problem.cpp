#include "http/problem.hpp"

#include "http/status.hpp"

#include <string>
#include <utility>

namespace twophase::http {

Response problem(unsigned status, std::string_view code, std::string_view detail, Json more) {
    Json body = std::move(more);
    body["type"] = "urn:twophase:problem:" + std::string(code);
    body["title"] = reason_phrase(status);
    body["status"] = status;
    body["code"] = code;
    body["detail"] = detail;
    // A problem informs; what it quotes may come from outside.
    return {.status = status,
            .body = dump_replacing(body),
            .content_type = "application/problem+json",
            .headers = {}};
}

Response problem(const FieldError& error) {
    const std::string where = error.field.empty() ? "the body" : error.field;
    Json more = Json::object();
    more["field"] = error.field;
    more["expected"] = error.expected;
    return problem(400, "invalid-field", where + ": expected " + error.expected, std::move(more));
}

Response json_response(const Json& body, unsigned status) {
    return {
        .status = status, .body = dump(body), .content_type = "application/json", .headers = {}};
}

}  // namespace twophase::http
