#include "tests/conformance/messages.hpp"

#include <algorithm>

namespace twophase::conformance {
namespace {

std::string quoted(const std::string& text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20)
            out += {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
        else if (c == '"' || c == '\\')
            out += {'\\', c};
        else
            out += c;
    }
    return out + '"';
}

std::string origin_of(const Message& message) {
    return R"({"ip":"127.0.0.1","request_id":)" + quoted(message.request_id) +
           R"(,"actor":"participant-conformance"})";
}

/// A W3C trace context whose trace is the transaction.
std::string traceparent_of(const Branch& branch) {
    std::string trace = branch.gid;
    std::erase(trace, '-');
    return "00-" + trace + "-" + trace.substr(0, 16) + "-01";
}

void add_log(Members& members, const Log& log) {
    if (log.log.empty()) return;
    members.emplace_back("log", quoted(log.log));
    members.emplace_back("start", quoted(log.start));
    members.emplace_back("position", std::to_string(log.position));
    if (log.replaces.empty()) return;
    std::string replaced;
    for (const std::string& each : log.replaces)
        replaced += (replaced.empty() ? "" : ",") + quoted(each);
    members.emplace_back("replaces", "[" + replaced + "]");
}

}  // namespace

const char* to_string(Verb verb) {
    switch (verb) {
        case Verb::prepare: return "prepare";
        case Verb::commit: return "commit";
        case Verb::rollback: return "rollback";
        case Verb::execute: return "execute";
        case Verb::compensate: return "compensate";
    }
    return "";
}

Members members_of(const Message& message) {
    Members members{{"gid", quoted(message.branch.gid)},
                    {"branch_id", quoted(message.branch.branch_id)},
                    {"participant", quoted(message.participant)},
                    {"coordinator", quoted(message.coordinator)},
                    {"epoch", std::to_string(message.epoch)}};
    add_log(members, message.log);
    if (message.verb == Verb::prepare || message.verb == Verb::execute) {
        members.emplace_back("operation", quoted(message.operation));
        members.emplace_back("payload", message.payload);
        members.emplace_back("business_code", quoted("conformance"));
        members.emplace_back("business_id", quoted(message.branch.gid));
        if (message.retry_count) {
            members.emplace_back("retry_count", std::to_string(*message.retry_count));
            members.emplace_back("max_retries", "3");
        }
    } else if (message.verb == Verb::compensate) {
        members.emplace_back("reason", R"({"branch_id":"2","code":"refused","message":"a test"})");
    } else if (!message.prepare_id.empty()) {
        members.emplace_back("prepare_id", quoted(message.prepare_id));
    }
    members.emplace_back("low_water", quoted(message.low_water));
    members.emplace_back("origin", origin_of(message));
    return members;
}

std::string to_json(const Members& members) {
    std::string text = "{";
    for (const auto& [name, value] : members) {
        if (text.size() > 1) text += ',';
        text += quoted(name) + ":" + value;
    }
    return text + "}";
}

std::string to_json(const Message& message) { return to_json(members_of(message)); }

Members with(Members members, const std::string& name, const std::string& value) {
    for (auto& member : members)
        if (member.first == name) member.second = value;
    return members;
}

Members without(Members members, const std::string& name) {
    std::erase_if(members, [&](const auto& member) { return member.first == name; });
    return members;
}

Request request_of(const Message& message) {
    Request request = raw_request(message.verb, to_json(message), message.branch);
    request.traceparent = traceparent_of(message.branch);
    return request;
}

Request request_of(const std::vector<Message>& messages) {
    std::string body = "[";
    for (const Message& message : messages) {
        if (body.size() > 1) body += ',';
        body += to_json(message);
    }
    return raw_request(messages.front().verb, body + "]");
}

Request raw_request(Verb verb, std::string body, const Branch& about) {
    Request request;
    request.target = std::string("/") + to_string(verb);
    request.body = std::move(body);
    request.about = about;
    return request;
}

}  // namespace twophase::conformance
