#include "tests/conformance/logs.hpp"

#include "http/json.hpp"

#include <random>

namespace twophase::conformance {
namespace {

using http::Json;

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

Log log_of(const Json& object) {
    Log log{.log = text_of(object, "log"),
            .start = text_of(object, "start"),
            .position = number_of(object, "position")};
    return log;
}

Json body_of(const Answer& answer) {
    Json body = Json::parse(answer.body, nullptr, false);
    return body.is_object() ? body : Json::object();
}

}  // namespace

std::string new_token() {
    static constexpr char digits[] = "0123456789abcdef";
    std::random_device random;
    std::string token;
    while (token.size() < 32) token += digits[random() & 15];
    return token;
}

Log new_log() { return {.log = new_token(), .start = new_token(), .position = 1}; }

Introduction read_introduction(const Answer& page) {
    const Json body = body_of(page);
    Introduction told;
    const auto known = body.find("known");
    told.is_told = known != body.end() && (known->is_null() || known->is_object());
    if (!told.is_told) return told;
    told.has_known = known->is_object();
    if (told.has_known) {
        told.known = log_of(*known);
        told.known_epoch = number_of(*known, "epoch");
    }
    const auto configured = body.find("configured");
    told.is_configured =
        configured == body.end() || (configured->is_boolean() && configured->get<bool>());
    const auto store = body.find("store");
    if (store != body.end() && store->is_object()) {
        const Log its = log_of(*store);
        told.has_store = its.log.size() == 32 && its.start.size() == 32 &&
                         store->contains("epoch") && store->contains("position");
    }
    told.nonce = text_of(body, "nonce");
    return told;
}

std::string text_in(const Answer& answer, const char* name) {
    return text_of(body_of(answer), name);
}

}  // namespace twophase::conformance
