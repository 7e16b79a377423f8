// Bytes from a connection, through the gate and Beast's parser, to what reads a submission, a
// branch message or a participant's answer. One input is served three times: whole, in pieces, and
// by a client that falls silent at its end.
#include "coordinator/messages.hpp"
#include "coordinator/protocol/gid.hpp"
#include "coordinator/record_codec.hpp"
#include "coordinator/submissions.hpp"
#include "http/head.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "http/text.hpp"
#include "participants/wire.hpp"
#include "tests/fuzz/connection.hpp"
#include "tests/fuzz/hits.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace twophase::fuzz {
namespace {

using http::Json;
using http::Request;
using http::Respond;
using http::Value;

constexpr const char* some_gid = "018f2b6c-7a10-7000-8000-000000000001";

const coordinator::Config& config() {
    static const coordinator::Config config = [] {
        coordinator::Config made;
        made.participants["credit"];
        made.participants["coupon"];
        return made;
    }();
    return config;
}

// What the coordinator takes, it can log, and send so that the participants' reader takes it too.
void expect_usable(const coordinator::Submission& submission) {
    const auto gid = coordinator::parse_gid(some_gid);
    const coordinator::Started started{.gid = *gid,
                                       .mode = submission.mode,
                                       .key = submission.key,
                                       .fingerprint = submission.fingerprint,
                                       .branches = submission.branches,
                                       .origin = submission.origin,
                                       .traceparent = submission.traceparent};
    const std::string record = coordinator::encode(started, 1);
    const auto read = coordinator::decode(*gid, record);
    require(read && read->record == coordinator::Record(started), "a start can be logged");
    for (const auto& branch : submission.branches) {
        const coordinator::Envelope envelope{.gid = some_gid,
                                             .branch_id = std::string(branch.branch_id),
                                             .participant = std::string(branch.participant),
                                             .coordinator = "main",
                                             .epoch = 1,
                                             .low_water = some_gid,
                                             .origin = submission.origin};
        const std::string text =
            coordinator::ask_message(envelope, branch, branch.payload, submission.key);
        const auto json = http::read_json(text, {.long_integers = true});
        require(json.has_value(), "a branch's message is JSON");
        const auto message = participants::read_message(participants::Verb::prepare, json->root());
        require(!message.refusal, "a branch's message is one");
        const auto taken =
            http::read_json(std::string_view(branch.payload), {.long_integers = true});
        require(taken && message.message.payload == http::dump(taken->root()),
                "a payload arrives as it was taken");
    }
}

void submit(const Request& request, const Respond& respond) {
    const auto read = coordinator::read_submission(request, config());
    if (!read) return respond(read.error());
    reached("submission");
    expect_usable(read->submission);
    respond(http::json_response({{"branches", read->submission.branches.size()}}));
}

void show(const Request& request, const Respond& respond) {
    const std::string& text = request.parameter("gid");
    const auto gid = coordinator::parse_gid(text);
    if (!gid) return respond(http::problem(400, "invalid-gid", text));
    reached("gid");
    require(coordinator::to_text(*gid) == text, "a gid has one text");
    respond(http::json_response({{"gid", text}}));
}

participants::Answer answer_to(participants::ReadMessage& read) {
    if (read.refusal) return *std::move(read.refusal);
    reached(std::string("message ") + to_string(read.message.verb));
    participants::Answer answer;
    answer.result = read.message.payload;
    return answer;
}

// As participants/contract_routes.cpp reads it, without the store behind it.
void tell(participants::Verb verb, const Request& request, const Respond& respond) {
    const std::size_t first = request.body.find_first_not_of(" \t\r\n");
    const bool is_array = first != std::string::npos && request.body[first] == '[';
    http::JsonLimits limits{.long_integers = true};
    if (is_array) ++limits.depth;
    const auto json = http::read_json(request.body, limits);
    const auto tree = http::parse_json(request.body, limits);
    require(json.has_value() == tree.has_value(), "both readers take the same");
    if (!json) return respond(http::problem(json.error()));
    require(http::dump(json->root()) == http::dump(*tree), "and read the same");
    if (!is_array) {
        auto read = participants::read_message(verb, json->root());
        const auto answer = answer_to(read);
        return respond(participants::to_response(read.message, answer));
    }
    std::string items;
    for (const Value& item : json->root()) {
        auto read = participants::read_message(verb, item);
        const auto answer = answer_to(read);
        items += items.empty() ? '[' : ',';
        participants::append_item(items, read.message, answer);
    }
    if (items.empty()) return respond(http::json_response(Json::array()));
    reached("array of messages");
    items += ']';
    const Json answers = Json::parse(items, nullptr, false);
    require(answers.is_array() && answers.size() == json->root().size(), "an answer a message");
    for (const Json& answer : answers) require(answer.contains("status"), "that says its status");
    respond(http::json_response(answers));
}

// A body as a participant's answer: what the coordinator makes of it can be logged.
void hear(coordinator::Verb verb, const Request& request, const Respond& respond) {
    unsigned status = 200;
    if (const auto asked = request.query.find("status"); asked != request.query.end())
        std::from_chars(asked->second.data(), asked->second.data() + asked->second.size(), status);
    const http::Result<http::Response> response{
        http::Response{.status = status, .body = request.body}};
    for (const bool is_array : {false, true}) {
        std::vector<coordinator::Subject> subjects{{some_gid, "1"}};
        if (is_array) subjects.push_back({some_gid, "2"});
        const auto answers = coordinator::read_answers(verb, subjects, is_array, response);
        require(answers.size() == subjects.size(), "an answer a subject");
        coordinator::Decided decided{.gid = *coordinator::parse_gid(some_gid)};
        for (const auto& answer : answers) {
            using Kind = coordinator::Answer::Kind;
            if (answer.kind == Kind::voted) reached("answer voted");
            if (answer.kind == Kind::acknowledged) reached("answer acknowledged");
            if (answer.kind == Kind::contradicted) reached("answer contradicted");
            decided.votes.push_back(answer.vote);
            decided.votes.push_back({.result = answer.result});
        }
        const std::string record = coordinator::encode(decided, 1);
        const auto read = coordinator::decode(decided.gid, record);
        require(read && read->record == coordinator::Record(decided), "votes can be logged");
    }
    respond(http::json_response({{"status", status}}));
}

const http::Router& routes() {
    static const http::Router routes = [] {
        using participants::Verb;
        http::Router made;
        made.add("POST", "/v1/transactions", submit);
        made.add("GET", "/v1/transactions/{gid}", show);
        for (const Verb verb :
             {Verb::prepare, Verb::commit, Verb::rollback, Verb::execute, Verb::compensate})
            made.add("POST",
                     std::string("/v1/branches/") + to_string(verb),
                     [verb](const Request& request, const Respond& respond) {
                         tell(verb, request, respond);
                     });
        for (const auto verb : {coordinator::Verb::prepare, coordinator::Verb::commit})
            made.add("POST",
                     "/answers/" + std::string(coordinator::to_text(verb)),
                     [verb](const Request& request, const Respond& respond) {
                         hear(verb, request, respond);
                     });
        return made;
    }();
    return routes;
}

std::ptrdiff_t count(const Request& request, std::string_view name) {
    return std::ranges::count_if(request.headers, [name](const http::Header& header) {
        return http::equal_ignoring_case(header.name, name);
    });
}

// What the gate promises to every handler.
void expect_clean(const Request& request) {
    const std::string path = request.path + "/";
    require(path.starts_with('/') && path.find("/./") == std::string::npos &&
                path.find("/../") == std::string::npos,
            "a path without dot segments");
    require(http::is_utf8(path) && http::is_header_value(path), "a path of plain text");
    require(request.body.size() <= most_body_bytes, "a body within the limit");
    for (const char* name : {"Host", "Content-Length", "Transfer-Encoding", "Content-Type"})
        require(count(request, name) <= 1, "what decides is said once");
    const std::string_view length = request.header("Content-Length");
    const std::string_view coding = request.header("Transfer-Encoding");
    require(length.empty() || coding.empty(), "one framing");
    if (!coding.empty()) {
        require(http::equal_ignoring_case(coding, "chunked"), "one coding");
    } else {
        std::size_t bytes = 0;
        const char* const end = length.data() + length.size();
        require(std::from_chars(length.data(), end, bytes).ptr == end, "a length is a number");
        require(bytes == request.body.size(), "a body as long as it says");
    }
}

// One conversation: what reached the handler, and what the client got.
struct Served {
    std::vector<std::string> requests;
    std::string answers;
    bool operator==(const Served&) const = default;
};

Served serve_all(const Talk& talk) {
    Served served;
    served.answers = serve(talk, [&served](Request request, Respond respond) {
        expect_clean(request);
        std::string line = request.method + " " + request.path;
        for (const auto& [name, value] : request.query) line += "?" + name + "=" + value;
        served.requests.push_back(line + "\n" + request.body);
        routes()(std::move(request), std::move(respond));
    });
    // Sent or not, depending on how much of the body came with the head.
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    for (std::size_t at = 0; (at = served.answers.find(go_on)) != std::string::npos;)
        served.answers.erase(at, go_on.size());
    // The clock may have gone on until the next time that the same bytes are served.
    for (std::size_t at = 0; (at = served.answers.find("\r\nDate: ", at)) != std::string::npos;)
        served.answers.erase(at, served.answers.find("\r\n", at + 2) - at);
    return served;
}

// Every request that was handled is answered in order; a refusal may follow, and then nothing.
void expect_answers(const Served& served) {
    std::string_view rest = served.answers;
    std::size_t count = 0;
    bool is_closed = false;
    for (; !rest.empty(); ++count) {
        require(!is_closed, "nothing behind the answer that closes");
        const std::size_t end = std::min(rest.find("\r\n\r\n"), rest.size() - 4) + 4;
        const auto head = http::parse_response_head(rest.substr(0, end), "GET");
        require(head.has_value(), "an answer is strict HTTP");
        rest.remove_prefix(end);
        is_closed = !head->framing.keep_alive;
        // Nothing but the answer to HEAD has a length and no body.
        if (rest.empty() || rest.starts_with("HTTP/")) continue;
        require(head->framing.length <= rest.size(), "an answer is whole");
        const std::string_view body = rest.substr(0, head->framing.length);
        require(http::parse_json(body, {.depth = 18, .members = 80}).has_value(), "JSON");
        rest.remove_prefix(body.size());
    }
    require(count == served.requests.size() || (is_closed && count == served.requests.size() + 1),
            "each request is answered once");
}

// Depends on the input alone, so that a crash can be repeated.
std::size_t piece_of(std::string_view bytes) {
    std::uint32_t hash = 2166136261;
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619;
    return std::max<std::size_t>(1 + hash % 97, bytes.size() / 64);
}

}  // namespace
}  // namespace twophase::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace twophase::fuzz;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const Served whole = serve_all({.bytes = bytes});
    expect_answers(whole);
    const Served pieces = serve_all({.bytes = bytes, .piece = piece_of(bytes)});
    require(pieces == whole, "the same however the bytes arrive");
    const Served silent = serve_all({.bytes = bytes, .falls_silent = true});
    expect_answers(silent);
    require(silent.requests == whole.requests && silent.answers.starts_with(whole.answers),
            "silence adds nothing but a refusal");
    return 0;
}
