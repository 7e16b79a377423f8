#include "http/problem.hpp"

#include "http/document.hpp"
#include "http/status.hpp"
#include "http/text.hpp"

#include <string>
#include <utility>

namespace twophase::http {

namespace {

constexpr std::size_t max_described_code = 128;

}  // namespace

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

std::string_view detail_of(const Value& body) {
    for (const char* name : {"detail", "message", "title"}) {
        const Value* found = body.find(name);
        if (found != nullptr && found->is_text() && !found->text().empty()) return found->text();
    }
    return {};
}

std::string describe(unsigned status, const Value& body) {
    std::string text = "status " + std::to_string(status);
    const Value* code = body.find("code");
    if (code != nullptr && code->is_text() && !code->text().empty())
        text += " " + cut(code->text(), max_described_code);
    if (const std::string_view detail = detail_of(body); !detail.empty())
        text.append(": ").append(detail);
    return for_log(text);
}

std::string describe(const Response& answer) {
    const auto body = read_json(answer.body, {.depth = 32, .members = 1'000});
    if (!body) return "status " + std::to_string(answer.status);
    return describe(answer.status, body->root());
}

Response json_response(const Json& body, unsigned status) {
    return {
        .status = status, .body = dump(body), .content_type = "application/json", .headers = {}};
}

}  // namespace twophase::http
