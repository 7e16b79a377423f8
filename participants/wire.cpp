#include "participants/wire.hpp"

#include "http/fields.hpp"
#include "http/json_text.hpp"
#include "http/problem.hpp"
#include "wal/token.hpp"

#include <limits>
#include <utility>

namespace twophase::participants {
namespace {

using http::Fields;
using http::Json;
using http::Value;

constexpr const char* id_characters = "A-Za-z0-9_-";
constexpr Fields::Text gid_rule{.min_bytes = 16, .max_bytes = 64, .allowed = id_characters};
constexpr Fields::Text id_rule{.min_bytes = 1, .max_bytes = 64, .allowed = id_characters};
constexpr Fields::Text business_rule{.min_bytes = 0,
                                     .max_bytes = http::business_key_rule.max_bytes,
                                     .allowed = nullptr,
                                     .has_controls = false};
constexpr Fields::Text origin_rule{.min_bytes = 0, .max_bytes = 256};
constexpr std::size_t most_reason_bytes = 4096;

Origin read_origin(Fields& message) {
    Origin origin;
    const Value* json = message.optional_object("origin");
    if (json == nullptr) return origin;
    Fields fields(*json, message.path_of("origin"));
    origin.ip = fields.optional_text("ip", origin_rule).value_or("");
    origin.request_id = fields.optional_text("request_id", origin_rule).value_or("");
    origin.actor = fields.optional_text("actor", origin_rule).value_or("");
    if (fields.error()) message.fail(*fields.error());
    return origin;
}

void read_beginning(Fields& fields, Message& message) {
    message.operation = fields.text("operation", {.max_bytes = 64, .allowed = "A-Za-z0-9_.-"});
    message.business_code = fields.optional_text("business_code", business_rule).value_or("");
    message.business_id = fields.optional_text("business_id", business_rule).value_or("");
    if (const Value* payload = fields.object("payload")) message.payload = http::dump(*payload);
    fields.optional_integer("retry_count", 0, std::numeric_limits<std::int32_t>::max());
    fields.optional_integer("max_retries", 0, std::numeric_limits<std::int32_t>::max());
}

void read_by_verb(Fields& fields, Message& message) {
    switch (message.verb) {
        case Verb::prepare:
        case Verb::execute: read_beginning(fields, message); break;
        case Verb::commit:
        case Verb::rollback:
            message.prepare_id = fields.optional_text("prepare_id", {.max_bytes = 256});
            break;
        case Verb::compensate:
            if (const Value* reason = fields.optional_object("reason"))
                message.reason = http::dump(*reason);
            if (message.reason.size() > most_reason_bytes)
                fields.fail({"reason",
                             "an object of at most " + std::to_string(most_reason_bytes) +
                                 " bytes as JSON"});
            break;
    }
}

constexpr std::size_t token_digits = 32;
constexpr std::size_t most_replaced = 64;

void read_claim(Fields& fields, Message& message) {
    LogClaim claim = read_log_claim(fields);
    message.log = std::move(claim.log);
    message.start = std::move(claim.start);
    message.position = claim.position;
    message.began_at = claim.began_at;
    message.replaces = std::move(claim.replaces);
}

/// An id for the answer's echo, even where the message as a whole is refused.
std::string readable_id(const Value& json, const char* name, Fields::Text rule) {
    return Fields(json).optional_text(name, rule).value_or("");
}

/// Members in alphabetical order, as everywhere. `status`: an item of an array says it itself.
void append_success(std::string& to,
                    const Message& message,
                    const Answer& answer,
                    std::optional<unsigned> status) {
    http::ObjectText object(to);
    object.text("branch_id", message.branch_id);
    object.text("gid", message.gid);
    if (!answer.prepare_id.empty()) object.text("prepare_id", answer.prepare_id);
    if (!answer.result.empty()) object.raw("result", answer.result);
    if (!answer.state.empty()) object.text("state", answer.state);
    if (status) object.number("status", *status);
    if (!answer.vote.empty()) object.text("vote", answer.vote);
    object.close();
}

http::Response failure(const Message& message, const Answer& answer) {
    Json more{{"gid", message.gid}, {"branch_id", message.branch_id}};
    more["message"] = answer.message;
    if (!answer.reason.empty()) more["reason"] = answer.reason;
    if (!answer.field.empty()) more["field"] = answer.field;
    if (answer.seen) {
        more["epoch"] = answer.seen->epoch;
        more["log"] = answer.seen->log;
        more["start"] = answer.seen->start;
        more["position"] = answer.seen->position;
        more["replaces"] = answer.seen->replaces;
        more["told_log"] = message.log;
    }
    if (answer.is_for_room) more["written"] = false;
    // The coordinator of a log that is being confirmed is best asked again at its own pace.
    const bool is_soon = answer.status == 503 && answer.code != "unconfirmed-log";
    if (is_soon) more["retry_after_seconds"] = 1;  // an item of an array has no header
    http::Response response =
        http::problem(answer.status, answer.code, answer.message, std::move(more));
    if (is_soon) response.headers.push_back({"Retry-After", "1"});
    return response;
}

}  // namespace

LogClaim read_log_claim(Fields& fields) {
    constexpr Fields::Text token{
        .min_bytes = token_digits, .max_bytes = token_digits, .allowed = "0-9a-f"};
    LogClaim claim;
    claim.log = fields.optional_text("log", token).value_or("");
    if (claim.log.empty()) return claim;
    claim.start = fields.optional_text("start", token).value_or("");
    claim.position = static_cast<std::uint64_t>(
        fields.optional_integer("position", 0, std::numeric_limits<std::int64_t>::max())
            .value_or(0));
    claim.began_at = static_cast<std::uint64_t>(
        fields.optional_integer("began_at", 0, std::numeric_limits<std::int64_t>::max())
            .value_or(0));
    const Value* replaced = fields.optional_array("replaces", 0, most_replaced);
    if (replaced == nullptr) return claim;
    for (const Value& each : *replaced) {
        if (!wal::parse_token(each.text()))
            fields.fail("replaces", "texts of 32 hexadecimal digits");
        claim.replaces.emplace_back(each.text());
    }
    return claim;
}

ReadMessage read_message(Verb verb, const Value& json) {
    ReadMessage read;
    Message& message = read.message;
    message.verb = verb;
    // Unknown members are left alone: a newer coordinator may say more than we know.
    Fields fields(json);
    message.gid = fields.text("gid", gid_rule);
    message.branch_id = fields.text("branch_id", id_rule);
    message.participant = fields.text("participant", id_rule);
    message.coordinator = fields.text("coordinator", id_rule);
    message.epoch = static_cast<std::uint64_t>(
        fields.integer("epoch", 0, std::numeric_limits<std::int64_t>::max()));
    read_claim(fields, message);
    message.low_water =
        fields
            .optional_text("low_water", {.min_bytes = 0, .max_bytes = 64, .allowed = id_characters})
            .value_or("");
    message.origin = read_origin(fields);
    read_by_verb(fields, message);
    if (const auto& error = fields.error()) {
        message.gid = readable_id(json, "gid", gid_rule);
        message.branch_id = readable_id(json, "branch_id", id_rule);
        Answer refusal;
        refusal.status = 400;
        refusal.code = "invalid-field";
        refusal.field = error->field;
        refusal.message = error->field.empty() ? "expected " + error->expected
                                               : error->field + ": expected " + error->expected;
        read.refusal = std::move(refusal);
    }
    return read;
}

http::Response to_response(const Message& message, const Answer& answer) {
    if (answer.status != 200) return failure(message, answer);
    http::Response response{
        .status = 200, .body = {}, .content_type = "application/json", .headers = {}};
    append_success(response.body, message, answer, std::nullopt);
    return response;
}

void append_item(std::string& to, const Message& message, const Answer& answer) {
    if (answer.status == 200)
        append_success(to, message, answer, answer.status);
    else
        to += failure(message, answer).body;  // which says its status
}

}  // namespace twophase::participants
