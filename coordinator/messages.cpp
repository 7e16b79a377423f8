#include "coordinator/messages.hpp"

#include "http/document.hpp"
#include "http/json_text.hpp"
#include "http/problem.hpp"
#include "http/raw_json.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Value;

constexpr std::size_t most_code = 128;
constexpr std::size_t most_message = 1024;
constexpr std::size_t most_prepare_id = 256;
constexpr std::size_t most_result = 64 * 1024;

std::string json_quoted(std::string_view text) {
    std::string json;
    http::append_quoted(json, text);
    return json;
}

/// Room for what most messages take: one allocation for each.
constexpr std::size_t usual_bytes = 768;

/// All but the end of the object.
std::string opening(const Envelope& e) {
    std::string text;
    text.reserve(usual_bytes);
    http::ObjectText object(text);
    object.text("gid", e.gid);
    object.text("branch_id", e.branch_id);
    object.text("participant", e.participant);
    object.text("coordinator", e.coordinator);
    object.number("epoch", e.epoch);
    if (!e.log.empty()) {
        object.text("log", e.log);
        object.text("start", e.start);
        object.number("position", e.position);
        object.number("began_at", e.began_at);
    }
    object.text("low_water", e.low_water);
    object.begin("origin");
    http::ObjectText origin(text);
    origin.text("ip", e.origin.ip);
    origin.text("request_id", e.origin.request_id);
    origin.text("actor", e.origin.actor);
    origin.close();
    if (e.replaces.empty()) return text;
    text += R"(,"replaces":[)";
    for (const std::string& log : e.replaces) {
        if (text.back() != '[') text += ',';
        http::append_quoted(text, log);
    }
    text += ']';
    return text;
}

std::string_view text_in(const Value& body, const char* name) {
    const Value* found = body.find(name);
    return found ? found->text() : std::string_view();
}

bool echoes(const Value& body, const Subject& subject) {
    return text_in(body, "gid") == subject.gid && text_in(body, "branch_id") == subject.branch_id;
}

/// One message's answer: what it says, and the text that says it.
struct Said {
    const Value& json;
    std::string_view raw;
};

/// As it was written: a later step may get a part of it.
std::string result_in(const Said& body) {
    const Value* found = body.json.find("result");
    if (!found || found->is_null()) return {};
    const std::string_view raw = http::raw_member(body.raw, "result");
    if (raw.size() <= most_result) return std::string(raw);
    // It goes into the log and into every answer.
    std::string result = http::without_blanks(raw);
    return result.size() <= most_result ? result : R"({"omitted":"larger than 64 KiB"})";
}

SharedText text_in(const Value& body, const char* name, std::size_t most_bytes) {
    return http::cut(text_in(body, name), most_bytes);
}

Answer unclear(SharedText message) { return {.message = std::move(message)}; }

bool is_question(Verb verb) { return verb == Verb::prepare || verb == Verb::execute; }

Answer read_success(Verb verb, const Said& said) {
    const Value& body = said.json;
    if (is_question(verb)) {
        const auto vote = parse_vote(text_in(body, "vote"));
        const bool fits = verb == Verb::execute ? vote == Vote::executed
                                                : vote == Vote::prepared || vote == Vote::read_only;
        if (!fits) return unclear("200 without a vote");
        const std::string_view prepare_id = text_in(body, "prepare_id");
        if (prepare_id.size() > most_prepare_id) return unclear("prepare_id above 256 bytes");
        return {.kind = Answer::Kind::voted,
                .vote = {.vote = *vote, .prepare_id = prepare_id, .result = result_in(said)}};
    }
    const char* state = verb == Verb::commit     ? "committed"
                        : verb == Verb::rollback ? "rolled_back"
                                                 : "compensated";
    if (text_in(body, "state") != state) return unclear("200 with another state");
    return {.kind = Answer::Kind::acknowledged, .result = result_in(said)};
}

/// The participant says that it went another way than the decision.
bool contradicts(Verb verb, unsigned status, std::string_view code) {
    if (is_question(verb)) return false;
    if (status == 404) return code == "never_prepared";
    if (status != 409) return false;
    return (verb == Verb::commit && code == "already_rolled_back") ||
           (verb == Verb::rollback && code == "already_committed") ||
           (verb == Verb::compensate && code == "cannot_compensate");
}

/// Ours say `message`, RFC 9457 says `detail`.
SharedText message_in(const Value& body) {
    const SharedText message = text_in(body, "message", most_message);
    return message.empty() ? SharedText(http::cut(http::detail_of(body), most_message)) : message;
}

Answer read_problem(Verb verb, unsigned status, const Value& body) {
    Answer answer{.code = text_in(body, "code", most_code), .message = message_in(body)};
    if (answer.code.empty()) return unclear(http::describe(status, body) + " without a code");
    constexpr unsigned faults[] = {400, 401, 403, 413, 415, 422};
    const bool is_no =
        status == 409 && (answer.code == "refused" || answer.code == "already_rolled_back");
    answer.is_fault = std::ranges::find(faults, status) != std::end(faults);
    if (status == 409 && (answer.code == "stale_epoch" || answer.code == "other_log")) {
        answer.kind = Answer::Kind::stale_epoch;
        answer.message = http::describe(status, body);
        if (const Value* seen = body.find("epoch"))
            if (const auto number = seen->exact_integer(); number && *number >= 0)
                answer.seen_epoch = static_cast<std::uint64_t>(*number);
    } else if (is_question(verb) && (is_no || answer.is_fault)) {
        answer.kind = Answer::Kind::voted;
        // A business code, where the participant gives one, says more than "refused".
        SharedText reason = text_in(body, "reason", most_code);
        answer.vote = {.vote = Vote::refused,
                       .code = reason.empty() ? answer.code : std::move(reason),
                       .message = answer.message};
    } else if (contradicts(verb, status, answer.code)) {
        answer.kind = Answer::Kind::contradicted;
        answer.message = http::for_log(answer.message);
    } else {
        answer.message = http::describe(status, body);
    }
    return answer;
}

/// A peer that has enough to do says nothing of what it was asked.
bool is_busy(unsigned status) { return status == 429 || status == 503; }

/// What an item of an array says in place of the header (RFC 9110, section 10.2.3).
std::chrono::seconds retry_after_in(const Value& item, unsigned status) {
    constexpr std::int64_t most = std::int64_t{24} * 60 * 60;
    const Value* found = item.find("retry_after_seconds");
    const auto told = found && is_busy(status) ? found->exact_integer() : std::nullopt;
    return std::chrono::seconds(std::clamp<std::int64_t>(told.value_or(0), 0, most));
}

/// Whatever says 503 may have carried out what it was asked, but a participant that says this.
bool has_no_room(Verb verb, const Value& body) {
    const Value* written = body.find("written");
    return is_question(verb) && text_in(body, "code") == "no-room" && written &&
           written->is_boolean() && !written->boolean();
}

Answer read_one(Verb verb, const Subject& subject, unsigned status, const Said& said) {
    const Value& body = said.json;
    if (!echoes(body, subject))
        return unclear(http::describe(status, body) +
                       " (and a body that does not name this branch)");
    if (status == 200) return read_success(verb, said);
    if (status >= 400 && status < 500 && status != 429) return read_problem(verb, status, body);
    Answer answer = unclear(http::describe(status, body));
    if (status == 503 && has_no_room(verb, body)) answer.kind = Answer::Kind::no_room;
    return answer;
}

std::vector<Answer> all_unclear(std::size_t count, SharedText message, bool alone) {
    Answer answer = unclear(std::move(message));
    answer.is_to_go_alone = alone;
    return std::vector<Answer>(count, answer);
}

std::vector<Answer> read_array(Verb verb,
                               const std::vector<Subject>& subjects,
                               unsigned status,
                               const Said& said) {
    const Value& body = said.json;
    if (status != 200 || !body.is_array() || body.size() != subjects.size())
        return all_unclear(subjects.size(),
                           http::describe(status, body) + " (and no array of answers)",
                           !is_busy(status));
    std::vector<Answer> answers;
    answers.reserve(subjects.size());
    http::RawMembers raw_items(said.raw);
    for (const Value& item : body) {
        const std::string_view raw = raw_items.next().value().value;
        const Value* found = item.find("status");
        const auto its = found ? found->exact_integer() : std::nullopt;
        const Subject& subject = subjects[answers.size()];
        if (!its || !std::in_range<unsigned>(*its)) {
            answers.push_back(unclear("an item without a status"));
            continue;
        }
        answers.push_back(read_one(verb, subject, static_cast<unsigned>(*its), {item, raw}));
        answers.back().retry_after = retry_after_in(item, static_cast<unsigned>(*its));
    }
    return answers;
}

std::vector<Answer> read_body(Verb verb,
                              const std::vector<Subject>& subjects,
                              bool is_array,
                              const http::Response& response) {
    // An array adds a level of depth to the contract's own.
    const auto body =
        http::read_json(response.body, {.depth = 18, .members = 64, .long_integers = true});
    const bool may_be_array = is_array && !is_busy(response.status);
    if (!body)
        return all_unclear(subjects.size(),
                           "status " + std::to_string(response.status) + " and no JSON",
                           may_be_array);
    const Said said{body->root(), response.body};
    if (is_array) return read_array(verb, subjects, response.status, said);
    return {read_one(verb, subjects.front(), response.status, said)};
}

}  // namespace

std::string ask_message(const Envelope& envelope,
                        const BranchRequest& branch,
                        std::string_view payload,
                        const BusinessKey& key,
                        const std::optional<Retries>& retries) {
    std::string text = opening(envelope);
    text += R"(,"operation":)";
    http::append_quoted(text, branch.operation);
    text += R"(,"payload":)";
    text += payload;
    text += R"(,"business_code":)";
    http::append_quoted(text, key.code);
    text += R"(,"business_id":)";
    http::append_quoted(text, key.id);
    if (retries)
        text += R"(,"retry_count":)" + std::to_string(retries->retry_count) + R"(,"max_retries":)" +
                std::to_string(retries->max_retries);
    text += '}';
    return text;
}

std::string compensate_message(const Envelope& envelope,
                               std::string_view branch_id,
                               std::string_view code,
                               std::string_view message) {
    // Escaped it is at most six times as long, and a participant keeps 4 KiB.
    constexpr std::size_t most_text = 512;
    return opening(envelope) + R"(,"reason":{"branch_id":)" + json_quoted(branch_id) +
           R"(,"code":)" + json_quoted(http::cut(code, most_code)) + R"(,"message":)" +
           json_quoted(http::cut(message, most_text)) + "}}";
}

std::string tell_message(const Envelope& envelope, std::string_view prepare_id) {
    if (prepare_id.empty()) return opening(envelope) + "}";
    return opening(envelope) + R"(,"prepare_id":)" + json_quoted(prepare_id) + "}";
}

std::vector<Answer> read_answers(Verb verb,
                                 const std::vector<Subject>& subjects,
                                 bool is_array,
                                 const http::Result<http::Response>& response,
                                 std::chrono::seconds retry_after) {
    if (!response) return all_unclear(subjects.size(), response.error().message(), false);
    std::vector<Answer> answers = read_body(verb, subjects, is_array, *response);
    for (Answer& answer : answers) answer.retry_after = std::max(answer.retry_after, retry_after);
    return answers;
}

}  // namespace twophase::coordinator
