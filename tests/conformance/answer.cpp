#include "tests/conformance/answer.hpp"

#include "http/json.hpp"
#include "http/text.hpp"

namespace twophase::conformance {
namespace {

using http::Json;

std::string text_in(const Json& body, const char* name) {
    const auto found = body.find(name);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void read_members(const Json& body, Answer& answer) {
    answer.is_object = true;
    answer.gid = text_in(body, "gid");
    answer.branch_id = text_in(body, "branch_id");
    answer.vote = text_in(body, "vote");
    answer.state = text_in(body, "state");
    answer.prepare_id = text_in(body, "prepare_id");
    answer.code = text_in(body, "code");
    answer.message = text_in(body, "message");
    const auto written = body.find("written");
    answer.has_written_nothing = written != body.end() && *written == false;
    answer.next = text_in(body, "next");
}

Answer read_item(const Answer& of, Json item) {
    Answer answer;
    answer.sent = of.sent;
    answer.body = http::dump_replacing(item);
    if (item.is_object()) {
        const auto status = item.find("status");
        answer.has_own_status = status != item.end() && status->is_number_unsigned();
        if (answer.has_own_status) answer.status = status->get<unsigned>();
        item.erase("status");
        read_members(item, answer);
    }
    answer.whole = http::dump_replacing(item);
    return answer;
}

void read_body(const Json& body, Answer& answer) {
    answer.whole = http::dump_replacing(body);
    if (body.is_object()) read_members(body, answer);
    const auto listed = body.is_object() ? body.find("items") : body.end();
    const Json& items = listed != body.end() ? *listed : body;
    answer.has_items = items.is_array();
    if (!answer.has_items) return;
    for (const Json& item : items) answer.items.push_back(read_item(answer, item));
}

}  // namespace

Answer read_answer(const Request& request, const http::Result<http::Response>& response) {
    Answer answer;
    answer.sent = sent(request);
    answer.about = request.about;
    if (!response) {
        answer.failure = response.error().message();
        return answer;
    }
    answer.status = response->status;
    answer.content_type = response->content_type;
    answer.body = response->body;
    if (const auto body = http::parse_json(response->body, {.depth = 18, .members = 64}))
        read_body(*body, answer);
    return answer;
}

std::string came(const Answer& answer) {
    if (!answer.failure.empty()) return "no answer: " + answer.failure;
    return std::to_string(answer.status) + " " + http::for_log(answer.body);
}

std::string sent(const Request& request) {
    return request.method + " " + request.target + " " + http::for_log(request.body);
}

}  // namespace twophase::conformance
