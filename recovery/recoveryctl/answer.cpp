#include "recovery/recoveryctl/answer.hpp"

#include "recovery/recoveryctl/failure.hpp"

namespace twophase::recoveryctl {
namespace {

// An answer holds what clients sent, a few levels deeper than they sent it.
constexpr http::JsonLimits answer_limits{.depth = 64, .members = 100'000, .long_integers = true};

Exit exit_of(unsigned status) {
    if (status == 404 || status == 409 || status == 422) return Exit::findings;
    return status == 500 ? Exit::unreadable : Exit::not_possible;
}

std::string detail_of(const Json& problem) {
    std::string detail = text_in(problem, "detail");
    if (detail.empty()) detail = text_in(problem, "title");
    return detail + " (" + text_in(problem, "code") + ")";
}

}  // namespace

Json read_answer(const http::Response& response, const std::string& peer) {
    auto json = http::parse_json(response.body, answer_limits);
    const bool is_done = response.status >= 200 && response.status < 300;
    if (is_done && json && json->is_object()) return *std::move(json);
    refuse_answer(response, peer);
}

void refuse_answer(const http::Response& response, const std::string& peer) {
    const auto json = http::parse_json(response.body, answer_limits);
    if (response.status >= 400 && json && json->is_object() && json->contains("code"))
        throw Failure(exit_of(response.status), detail_of(*json));
    throw Failure(Exit::not_possible,
                  peer + " does not answer as a coordinator does: status " +
                      std::to_string(response.status) + ", " +
                      (response.content_type.empty() ? "no content type" : response.content_type) +
                      ", " + std::to_string(response.body.size()) + " bytes");
}

std::string text_in(const Json& object, const char* member) {
    if (!object.is_object() || !object.contains(member)) return {};
    const Json& value = object[member];
    if (value.is_null()) return {};
    return value.is_string() ? value.get<std::string>() : http::dump_replacing(value);
}

const Json& items_in(const Json& object, const char* member) {
    static const Json none = Json::array();
    if (!object.is_object() || !object.contains(member)) return none;
    const Json& value = object[member];
    return value.is_array() ? value : none;
}

std::uint64_t number_in(const Json& object, const char* member) {
    if (!object.is_object() || !object.contains(member)) return 0;
    const Json& value = object[member];
    const bool is_counted =
        value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
    return is_counted ? value.get<std::uint64_t>() : 0;
}

}  // namespace twophase::recoveryctl
