#include "coordinator/submissions.hpp"

#include "coordinator/plan.hpp"
#include "coordinator/record_json.hpp"
#include "coordinator/references.hpp"
#include "http/fields.hpp"
#include "http/header_values.hpp"
#include "http/problem.hpp"
#include "http/raw_json.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::FieldError;
using http::Fields;
using http::problem;
using http::Value;

constexpr const char* name_characters = "A-Za-z0-9_-";
constexpr const char* operation_characters = "A-Za-z0-9_.-";
constexpr std::size_t most_branches = 64;
constexpr std::int64_t longest_wait_seconds = 60;
constexpr std::size_t longest_header = 128;
constexpr const char* header_code = "idempotency-key";

std::vector<SharedText> read_after(const Value* json, Fields& fields) {
    std::vector<SharedText> after;
    if (json == nullptr) return after;
    for (const Value& item : *json) {
        if (item.is_text())
            after.emplace_back(item.text());
        else
            fields.fail("after", "an array of branch_ids");
    }
    return after;
}

/// `raw`: the text of `json`.
BranchRequest read_branch(const Value& json,
                          std::string_view raw,
                          std::size_t index,
                          std::optional<FieldError>& error) {
    Fields fields(json, "branches[" + std::to_string(index) + "]");
    BranchRequest branch;
    branch.branch_id =
        fields.optional_text("branch_id", {.max_bytes = 64, .allowed = name_characters})
            .value_or(std::to_string(index + 1));
    branch.participant = fields.text("participant", {.max_bytes = 64, .allowed = name_characters});
    branch.operation = fields.text("operation", {.max_bytes = 64, .allowed = operation_characters});
    if (fields.object("payload") != nullptr)
        branch.payload = with_plain_references(http::raw_member(raw, "payload"));
    branch.after = read_after(fields.optional_array("after", 0, most_branches), fields);
    if (const auto retries = fields.optional_integer("max_retries", 0, 1'000))
        branch.max_retries = static_cast<std::uint32_t>(*retries);
    if (const auto delay = fields.optional_integer("retry_delay_ms", 1, 86'400'000))
        branch.retry_delay_milliseconds = static_cast<std::uint64_t>(*delay);
    if (!error) error = fields.finish();
    return branch;
}

/// "X" as RFC 8941 writes it, or X. nullopt for what two readers could take for different keys: a
/// list, as proxies make of two headers, half a string, or X with what may be parameters.
std::optional<std::string> read_header_key(std::string_view header) {
    if (header.starts_with('"')) return http::parse_string_item(header);
    if (header.find_first_of("\",;") != std::string_view::npos) return std::nullopt;
    return std::string(header);
}

void read_key(const http::Request& request, Fields& fields, BusinessKey& key) {
    const std::string_view header = request.header("Idempotency-Key");
    const auto header_key = read_header_key(header);
    const bool in_body = fields.has("business_code") || fields.has("business_id");
    if (header.empty()) {
        key.code = fields.text("business_code", http::business_key_rule);
        if (key.code == header_code || key.code == unknown_code)
            fields.fail("business_code", "a code of your own: this one is the coordinator's");
        key.id = fields.text("business_id", http::business_key_rule);
    } else if (in_body) {
        fields.fail("business_code", "either business_code and business_id, or Idempotency-Key");
    } else if (!header_key) {
        fields.fail({"Idempotency-Key",
                     "one key, as a string of RFC 8941 (\"order-4711\", printable ASCII in double "
                     "quotes) or without quotes, commas and semicolons"});
    } else if (header_key->empty() || header_key->size() > longest_header ||
               http::has_control(*header_key)) {
        fields.fail({"Idempotency-Key", "1 to 128 bytes without control characters"});
    } else {
        key = {.code = header_code, .id = *header_key};
    }
    key.attempt = static_cast<std::uint32_t>(
        fields.optional_integer("attempt", 1, most_attempts).value_or(1));
}

/// A number of seconds, at most longest_wait_seconds; nullopt when it isn't one.
std::optional<std::chrono::seconds> read_wait(const std::string& text) {
    const bool is_number =
        !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) return std::nullopt;
    std::int64_t seconds = longest_wait_seconds;
    std::from_chars(text.data(), text.data() + text.size(), seconds);  // too large: left as it is
    return std::chrono::seconds(std::min(seconds, longest_wait_seconds));
}

/// Preferences of RFC 7240: wait=N, in seconds; respond-async, which goes on to 202 once that time
/// is over (section 4.3), or at once without one.
void read_waiting(const http::Request& request, Submission& submission, Waiting& waiting) {
    for (const http::Preference& one : http::read_preferences(request.headers)) {
        if (one.name == "respond-async") waiting.responds_async = true;
        if (one.name == "wait") waiting.wait = read_wait(one.value);
    }
    if (waiting.wait) waiting.limit = *waiting.wait;
    if (waiting.responds_async && !waiting.wait) waiting.milestone = Milestone::started;
    submission.is_start_awaited =
        waiting.milestone == Milestone::started || waiting.limit == std::chrono::seconds(0);
}

std::string bounded(std::string_view header) { return http::cut(header, longest_header); }

/// What is well-formed but can't be done here; fills in what the branches leave unsaid.
std::optional<http::Response> impossible(Submission& submission,
                                         bool says_after,
                                         const Config& config) {
    for (const BranchRequest& branch : submission.branches)
        if (!config.participants.contains(branch.participant))
            return problem(422,
                           "unknown-participant",
                           "participant '" + branch.participant +
                               "' is not configured; GET /v1/participants lists those that are");
    if (const auto fault = complete_plan(submission.mode, says_after, submission.branches))
        return problem(422, fault->code, fault->detail);
    return std::nullopt;
}

/// Two-phase commit must not hold what others want for long, so its votes have a deadline always.
/// The other modes hold nothing: they take their time, unless told otherwise.
void read_timeout(Fields& fields, const Config& config, Submission& submission) {
    const auto asked = fields.optional_integer("timeout_ms", 1, 3'600'000);
    const std::int64_t otherwise =
        submission.mode == Mode::two_phase ? config.vote_timeout.count() : 0;
    submission.vote_timeout = std::chrono::milliseconds(asked.value_or(otherwise));
}

void read_wait_for(Fields& fields, Mode mode, Waiting& waiting) {
    const std::string wait_for = fields.optional_text("wait_for", {})
                                     .value_or(mode == Mode::eventual ? "decision" : "completion");
    if (wait_for != "completion" && wait_for != "decision" && wait_for != "undone")
        fields.fail("wait_for", "completion, decision or undone");
    if (wait_for == "decision") waiting.milestone = Milestone::decided;
    if (wait_for == "undone") waiting.milestone = Milestone::undone;
}

}  // namespace

std::string preference_applied(const Waiting& waiting, unsigned status) {
    std::string applied;
    if (waiting.responds_async && status == 202) applied = "respond-async";
    if (waiting.wait)
        applied += (applied.empty() ? "wait=" : ", wait=") + std::to_string(waiting.wait->count());
    return applied;
}

boost::system::result<ReadSubmission, http::Response> read_submission(const http::Request& request,
                                                                      const Config& config) {
    const auto json = http::read_json(request.body, {.long_integers = true});
    if (!json) return problem(json.error());
    Fields fields(json->root());
    ReadSubmission read;
    Submission& submission = read.submission;
    read.waiting.limit = config.wait_limit;
    const auto mode = parse_mode(fields.optional_text("mode", {}).value_or("two_phase"));
    if (!mode) fields.fail("mode", "two_phase, saga or eventual");
    submission.mode = mode.value_or(Mode::two_phase);
    read_key(request, fields, submission.key);
    read_timeout(fields, config, submission);
    read_wait_for(fields, submission.mode, read.waiting);
    bool says_after = false;
    std::optional<FieldError> branch_error;
    http::RawMembers raw_branches(http::raw_member(request.body, "branches"));
    if (const Value* branches = fields.array("branches", 1, most_branches))
        for (const Value& branch : *branches) {
            const std::size_t index = submission.branches.size();
            const std::string_view raw = raw_branches.next().value().value;
            submission.branches.push_back(read_branch(branch, raw, index, branch_error));
            says_after = says_after || branch.find("after") != nullptr;
        }
    if (branch_error) fields.fail(*branch_error);
    if (const auto& error = fields.finish()) return problem(*error);
    if (auto refusal = impossible(submission, says_after, config)) return *std::move(refusal);
    read_waiting(request, submission, read.waiting);
    const auto fingerprint = fingerprint_of(submission.mode, submission.branches);
    if (!fingerprint)
        return problem(FieldError{"branches", "numbers whose exponents have at most 18 digits"});
    submission.fingerprint = *fingerprint;
    submission.origin = {.ip = request.remote_address,
                         .request_id = bounded(request.header("X-Request-Id")),
                         .actor = bounded(request.header("X-Actor"))};
    submission.traceparent = bounded(request.header("traceparent"));
    return read;
}

}  // namespace twophase::coordinator
