#include "coordinator/record_codec.hpp"

#include "http/json.hpp"

#include <concepts>
#include <openssl/sha.h>
#include <stdexcept>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Json;

/// JSON text that we wrote ourselves, as a tree; empty text is null.
Json tree(const std::string& text) { return text.empty() ? Json() : Json::parse(text); }
std::string text_of(const Json& value) { return value.is_null() ? std::string() : value.dump(); }

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

Fingerprint fingerprint_from(const std::string& hex) {
    Fingerprint fingerprint{};
    if (hex.size() != 2 * fingerprint.size()) throw std::runtime_error("a fingerprint cut short");
    for (std::size_t i = 0; i < fingerprint.size(); ++i)
        fingerprint.at(i) = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    if (to_hex(fingerprint) != hex) throw std::runtime_error("a fingerprint that is no hex");
    return fingerprint;
}

Json to_json(const BranchRequest& branch) {
    Json json{{"branch_id", branch.branch_id},
              {"participant", branch.participant},
              {"operation", branch.operation},
              {"payload", tree(branch.payload)}};
    if (!branch.after.empty()) json["after"] = branch.after;
    if (branch.max_retries) json["max_retries"] = *branch.max_retries;
    if (branch.retry_delay_milliseconds) json["retry_delay_ms"] = *branch.retry_delay_milliseconds;
    return json;
}

BranchRequest branch_from(const Json& json) {
    BranchRequest branch{.branch_id = json.at("branch_id"),
                         .participant = json.at("participant"),
                         .operation = json.at("operation"),
                         .payload = json.at("payload").dump()};
    if (json.contains("after")) branch.after = json["after"].get<std::vector<std::string>>();
    if (json.contains("max_retries"))
        branch.max_retries = integer<std::uint32_t>(json["max_retries"]);
    if (json.contains("retry_delay_ms"))
        branch.retry_delay_milliseconds = integer<std::uint64_t>(json["retry_delay_ms"]);
    return branch;
}

Json to_json(const BranchVote& vote) {
    Json json{{"vote", to_text(vote.vote)}};
    if (!vote.prepare_id.empty()) json["prepare_id"] = vote.prepare_id;
    if (!vote.result.empty()) json["result"] = tree(vote.result);
    if (!vote.code.empty()) json["code"] = vote.code;
    if (!vote.message.empty()) json["message"] = vote.message;
    return json;
}

BranchVote vote_from(const Json& json) {
    return {.vote = need(parse_vote(json.at("vote").get<std::string>())),
            .prepare_id = json.value("prepare_id", ""),
            .result = json.contains("result") ? text_of(json["result"]) : "",
            .code = json.value("code", ""),
            .message = json.value("message", "")};
}

struct ToJson {
    Json operator()(const Started& r) const {
        Json branches = Json::array();
        for (const BranchRequest& branch : r.branches) branches.push_back(to_json(branch));
        Json json{
            {"mode", to_text(r.mode)},
            {"business_code", r.key.code},
            {"business_id", r.key.id},
            {"attempt", r.key.attempt},
            {"fingerprint", to_hex(r.fingerprint)},
            {"origin",
             {{"ip", r.origin.ip}, {"request_id", r.origin.request_id}, {"actor", r.origin.actor}}},
            {"branches", std::move(branches)}};
        if (!r.traceparent.empty()) json["traceparent"] = r.traceparent;
        if (r.timeout_milliseconds) json["timeout_ms"] = *r.timeout_milliseconds;
        return json;
    }
    Json operator()(const StepDone& r) const {
        return {{"branch", r.branch}, {"result", tree(r.result)}};
    }
    Json operator()(const Decided& r) const {
        Json votes = Json::array();
        for (const BranchVote& vote : r.votes) votes.push_back(to_json(vote));
        Json why{{"code", r.why.code}};
        if (!r.why.message.empty()) why["message"] = r.why.message;
        if (r.why.branch) why["branch"] = *r.why.branch;
        return {{"decision", to_text(r.decision)}, {"why", why}, {"votes", std::move(votes)}};
    }
    Json operator()(const BranchDone& r) const {
        Json json{{"branch", r.branch}, {"how", to_text(r.how)}};
        if (!r.result.empty()) json["result"] = tree(r.result);
        return json;
    }
    Json operator()(const DeliveryFailed& r) const {
        return {{"branch", r.branch},
                {"attempts", r.attempts},
                {"code", r.code},
                {"message", r.message}};
    }
    Json operator()(const Resolved& r) const {
        Json json{{"how", r.how}, {"who", r.who}, {"reason", r.reason}};
        if (r.branch) json["branch"] = *r.branch;
        return json;
    }
    Json operator()(const Finished& r) const {
        return r.is_heuristic ? Json{{"heuristic", true}} : Json::object();
    }
};

Started started_from(const Gid& gid, const Json& json) {
    Started r{.gid = gid, .mode = need(parse_mode(json.at("mode").get<std::string>()))};
    r.key = {.code = json.at("business_code"),
             .id = json.at("business_id"),
             .attempt = integer<std::uint32_t>(json.at("attempt"))};
    r.fingerprint = fingerprint_from(json.at("fingerprint"));
    for (const Json& branch : json.at("branches")) r.branches.push_back(branch_from(branch));
    const Json& origin = json.at("origin");
    r.origin = {
        .ip = origin.at("ip"), .request_id = origin.at("request_id"), .actor = origin.at("actor")};
    r.traceparent = json.value("traceparent", "");
    if (json.contains("timeout_ms"))
        r.timeout_milliseconds = integer<std::uint64_t>(json["timeout_ms"]);
    return r;
}

Decided decided_from(const Gid& gid, const Json& json) {
    Decided r{.gid = gid, .decision = need(parse_decision(json.at("decision").get<std::string>()))};
    const Json& why = json.at("why");
    r.why = {.code = why.at("code"), .message = why.value("message", ""), .branch = {}};
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
                              json.at("code"),
                              json.at("message")};
    if (type == "resolved") {
        Resolved r{gid, {}, json.at("how"), json.at("who"), json.at("reason")};
        if (json.contains("branch")) r.branch = branch();
        return r;
    }
    if (type == "finished") return Finished{gid, json.value("heuristic", false)};
    throw std::runtime_error("a record of type '" + type + "'");
}

}  // namespace

std::string encode(const Record& record, std::int64_t at_microseconds) {
    Json json = std::visit(ToJson{}, record);
    json["type"] = name_of(record);
    json["at"] = at_microseconds;
    return http::dump(json);
}

boost::system::result<Stamped, std::string> decode(const Gid& gid, std::string_view payload) {
    try {
        const Json json = Json::parse(payload);
        return Stamped{record_from(gid, json), integer<std::int64_t>(json.at("at"))};
    } catch (const std::exception& e) {
        return "a record that can't be read: " + std::string(e.what());
    }
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

Fingerprint fingerprint_of(Mode mode, const std::vector<BranchRequest>& branches) {
    Json json{{"mode", to_text(mode)}, {"branches", Json::array()}};
    for (const BranchRequest& branch : branches) json["branches"].push_back(to_json(branch));
    const std::string text = http::dump(json);
    Fingerprint fingerprint{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), fingerprint.data());
    return fingerprint;
}

}  // namespace twophase::coordinator
