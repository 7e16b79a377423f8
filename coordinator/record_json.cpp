#include "coordinator/record_json.hpp"

#include "http/canonical_json.hpp"
#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/json_text.hpp"
#include "wal/sha256.hpp"

#include <charconv>
#include <concepts>
#include <limits>
#include <stdexcept>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Json;
using http::ObjectText;

/// JSON text that we wrote ourselves; empty text is null.
std::string_view or_null(std::string_view text) {
    return text.empty() ? std::string_view("null") : text;
}
std::string text_of(const Json& value) { return value.is_null() ? std::string() : value.dump(); }

/// An array, `append_one` appending each item.
template <class Items, class AppendOne>
void append_all(std::string& to, const Items& items, const AppendOne& append_one) {
    to += '[';
    bool is_first = true;
    for (const auto& item : items) {
        if (!std::exchange(is_first, false)) to += ',';
        append_one(item);
    }
    to += ']';
}

template <class Enum>
Enum need(std::optional<Enum> value) {
    if (!value) throw std::runtime_error("a word that this version does not know");
    return *value;
}

/// An integer that its field can hold: the library would cut one that is too long, and convert a
/// real number, which is undefined when it does not fit.
template <std::integral Number>
Number integer(const Json& value) {
    const auto exact = http::exact_integer(value);
    if (!exact || !std::in_range<Number>(*exact))
        throw std::runtime_error("a number that its field can't hold: " + value.dump());
    return static_cast<Number>(*exact);
}

/// A member that must be there, and a text.
std::string text_at(const Json& json, const char* name) { return json.at(name).get<std::string>(); }

Fingerprint fingerprint_from(const std::string& hex) {
    Fingerprint fingerprint{};
    if (hex.size() != 2 * fingerprint.size()) throw std::runtime_error("a fingerprint cut short");
    for (std::size_t i = 0; i < fingerprint.size(); ++i)
        std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, fingerprint.at(i), 16);
    if (to_hex(fingerprint) != hex) throw std::runtime_error("a fingerprint that is no hex");
    return fingerprint;
}

// Members in alphabetical order: fingerprints are made of this text, and those in the log must stay
// what they are.
void append(std::string& to, const BranchRequest& branch, std::string_view payload) {
    ObjectText object(to);
    if (!branch.after.empty()) {
        object.begin("after");
        append_all(to, branch.after, [&](const SharedText& id) { http::append_quoted(to, id); });
    }
    object.text("branch_id", branch.branch_id);
    if (branch.max_retries) object.number("max_retries", *branch.max_retries);
    object.text("operation", branch.operation);
    object.text("participant", branch.participant);
    object.raw("payload", or_null(payload));
    if (branch.retry_delay_milliseconds)
        object.number("retry_delay_ms", *branch.retry_delay_milliseconds);
    object.close();
}

BranchRequest branch_from(const Json& json) {
    BranchRequest branch{.branch_id = text_at(json, "branch_id"),
                         .participant = text_at(json, "participant"),
                         .operation = text_at(json, "operation"),
                         .payload = json.at("payload").dump()};
    if (json.contains("after"))
        for (const std::string& id : json["after"].get<std::vector<std::string>>())
            branch.after.emplace_back(id);
    if (json.contains("max_retries"))
        branch.max_retries = integer<std::uint32_t>(json["max_retries"]);
    if (json.contains("retry_delay_ms"))
        branch.retry_delay_milliseconds = integer<std::uint64_t>(json["retry_delay_ms"]);
    return branch;
}

void append(std::string& to, const BranchVote& vote) {
    ObjectText object(to);
    if (!vote.code.empty()) object.text("code", vote.code);
    if (!vote.message.empty()) object.text("message", vote.message);
    if (!vote.prepare_id.empty()) object.text("prepare_id", vote.prepare_id);
    if (!vote.result.empty()) object.raw("result", vote.result);
    object.text("vote", to_text(vote.vote));
    object.close();
}

BranchVote vote_from(const Json& json) {
    return {.vote = need(parse_vote(json.at("vote").get<std::string>())),
            .prepare_id = json.value("prepare_id", ""),
            .result = json.contains("result") ? text_of(json["result"]) : "",
            .code = json.value("code", ""),
            .message = json.value("message", "")};
}

void append(std::string& to, const Origin& origin) {
    ObjectText object(to);
    object.text("actor", origin.actor);
    object.text("ip", origin.ip);
    object.text("request_id", origin.request_id);
    object.close();
}

void append(std::string& to, const Why& why) {
    ObjectText object(to);
    if (why.branch) object.number("branch", *why.branch);
    object.text("code", why.code);
    if (!why.message.empty()) object.text("message", why.message);
    object.close();
}

/// Appends a record's own members.
struct AppendMembers {
    std::string& to;
    ObjectText& object;

    void operator()(const Started& r) const {
        object.number("attempt", r.key.attempt);
        object.begin("branches");
        append_all(to, r.branches, [this](const BranchRequest& branch) {
            append(to, branch, branch.payload);
        });
        object.text("business_code", r.key.code);
        object.text("business_id", r.key.id);
        object.text("fingerprint", to_hex(r.fingerprint));
        object.text("mode", to_text(r.mode));
        object.begin("origin");
        append(to, r.origin);
        if (r.timeout_milliseconds) object.number("timeout_ms", *r.timeout_milliseconds);
        if (!r.traceparent.empty()) object.text("traceparent", r.traceparent);
    }
    void operator()(const StepDone& r) const {
        object.number("branch", r.branch);
        object.raw("result", or_null(r.result));
    }
    void operator()(const Decided& r) const {
        object.text("decision", to_text(r.decision));
        object.begin("votes");
        append_all(to, r.votes, [this](const BranchVote& vote) { append(to, vote); });
        object.begin("why");
        append(to, r.why);
    }
    void operator()(const BranchDone& r) const {
        object.number("branch", r.branch);
        object.text("how", to_text(r.how));
        if (!r.result.empty()) object.raw("result", r.result);
    }
    void operator()(const DeliveryFailed& r) const {
        object.number("attempts", r.attempts);
        object.number("branch", r.branch);
        object.text("code", r.code);
        object.text("message", r.message);
    }
    void operator()(const Resolved& r) const {
        if (r.branch) object.number("branch", *r.branch);
        object.text("how", r.how);
        object.text("reason", r.reason);
        object.text("who", r.who);
    }
    void operator()(const Finished& r) const {
        if (r.is_heuristic) object.raw("heuristic", "true");
    }
};

Started started_from(const Gid& gid, const Json& json) {
    Started r{.gid = gid, .mode = need(parse_mode(json.at("mode").get<std::string>()))};
    r.key = {.code = text_at(json, "business_code"),
             .id = text_at(json, "business_id"),
             .attempt = integer<std::uint32_t>(json.at("attempt"))};
    r.fingerprint = fingerprint_from(text_at(json, "fingerprint"));
    for (const Json& branch : json.at("branches")) r.branches.push_back(branch_from(branch));
    const Json& origin = json.at("origin");
    r.origin = {.ip = text_at(origin, "ip"),
                .request_id = text_at(origin, "request_id"),
                .actor = text_at(origin, "actor")};
    r.traceparent = json.value("traceparent", "");
    if (json.contains("timeout_ms"))
        r.timeout_milliseconds = integer<std::uint64_t>(json["timeout_ms"]);
    return r;
}

Decided decided_from(const Gid& gid, const Json& json) {
    Decided r{.gid = gid, .decision = need(parse_decision(json.at("decision").get<std::string>()))};
    const Json& why = json.at("why");
    r.why = {.code = text_at(why, "code"), .message = why.value("message", ""), .branch = {}};
    if (why.contains("branch")) r.why.branch = integer<BranchIndex>(why["branch"]);
    for (const Json& vote : json.at("votes")) r.votes.push_back(vote_from(vote));
    return r;
}

Record record_from(const Gid& gid, const Json& json) {
    const std::string type = json.at("type");
    const auto branch = [&] { return integer<BranchIndex>(json.at("branch")); };
    const auto result = [&] { return json.contains("result") ? text_of(json["result"]) : ""; };
    if (type == "started") return started_from(gid, json);
    if (type == "decided") return decided_from(gid, json);
    if (type == "step_done") return StepDone{gid, branch(), result()};
    if (type == "branch_done")
        return BranchDone{
            gid, branch(), need(parse_how(json.at("how").get<std::string>())), result()};
    if (type == "delivery_failed")
        return DeliveryFailed{gid,
                              branch(),
                              integer<std::uint32_t>(json.at("attempts")),
                              text_at(json, "code"),
                              text_at(json, "message")};
    if (type == "resolved") {
        Resolved r{gid, {}, text_at(json, "how"), text_at(json, "who"), text_at(json, "reason")};
        if (json.contains("branch")) r.branch = branch();
        return r;
    }
    if (type == "finished") return Finished{gid, json.value("heuristic", false)};
    throw std::runtime_error("a record of type '" + type + "'");
}

}  // namespace

std::string json_of(const Stamped& stamped) {
    std::string text;
    ObjectText object(text);
    object.text("at", http::instant_text(stamped.at_microseconds));
    std::visit(AppendMembers{text, object}, stamped.record);
    object.text("type", name_of(stamped.record));
    object.close();
    return text;
}

namespace {

/// Within a depth that can be printed; what a record is made of was within less.
Json tree_of(std::string_view text) {
    auto parsed =
        http::parse_json(text, {.depth = 64, .members = std::numeric_limits<std::size_t>::max()});
    if (!parsed) throw std::runtime_error("expected " + parsed.error().expected);
    return *std::move(parsed);
}

}  // namespace

Stamped record_in_json(const Gid& gid, std::string_view text) {
    const Json json = tree_of(text);
    return {record_from(gid, json), integer<std::int64_t>(json.at("at"))};
}

std::string to_hex(const Fingerprint& fingerprint) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t byte : fingerprint) {
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

std::optional<Fingerprint> fingerprint_of(Mode mode, const std::vector<BranchRequest>& branches) {
    // Another rule is another version. Those of two versions are never taken for the same or not.
    constexpr std::uint8_t version = 1;
    constexpr std::size_t usual_bytes = 512;
    std::string text;
    std::string payload;
    bool is_comparable = true;
    text.reserve(usual_bytes);
    ObjectText object(text);
    object.begin("branches");
    append_all(text, branches, [&](const BranchRequest& branch) {
        payload.clear();
        if (!http::append_canonical(payload, branch.payload)) is_comparable = false;
        append(text, branch, payload);
    });
    object.text("mode", to_text(mode));
    object.close();
    if (!is_comparable) return std::nullopt;
    Fingerprint fingerprint = wal::sha256(text);
    fingerprint.front() = version;
    return fingerprint;
}

}  // namespace twophase::coordinator
