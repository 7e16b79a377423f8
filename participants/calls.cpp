#include "participants/calls.hpp"

#include "http/instant.hpp"
#include "http/text.hpp"
#include "participants/record.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <utility>

namespace twophase::participants {

std::string query_text(const http::Request& request, const std::string& name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? "" : found->second;
}

std::optional<http::FieldError> unknown_query(const http::Request& request,
                                              std::initializer_list<std::string_view> known) {
    for (const auto& [name, value] : request.query)
        if (std::ranges::find(known, name) == known.end())
            return http::FieldError{name, "no such query parameter"};
    return std::nullopt;
}

QueryNumber query_number(const http::Request& request,
                         const std::string& name,
                         std::int64_t least,
                         std::int64_t most) {
    QueryNumber read;
    const auto found = request.query.find(name);
    if (found == request.query.end()) return read;
    const std::string& text = found->second;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number >= least &&
        number <= most)
        read.value = number;
    else
        read.error = http::FieldError{
            name, "an integer from " + std::to_string(least) + " to " + std::to_string(most)};
    return read;
}

QueryNumber query_instant(const http::Request& request, const std::string& name) {
    QueryNumber read;
    const auto found = request.query.find(name);
    if (found == request.query.end()) return read;
    read.value = http::parse_instant(found->second);
    if (!read.value) read.error = http::FieldError{name, http::expected_instant};
    return read;
}

PageQuery page_query(const http::Request& request) {
    PageQuery page;
    const QueryNumber before =
        query_number(request, "before", 0, std::numeric_limits<std::int64_t>::max());
    const QueryNumber limit = query_number(request, "limit", 1, 500);
    page.error = before.error ? before.error : limit.error;
    if (before.value) page.before = static_cast<std::uint64_t>(*before.value);
    if (limit.value) page.limit = static_cast<std::size_t>(*limit.value);
    return page;
}

http::Response to_problem(const Refusal& refusal, http::Json more) {
    if (!refusal.reason.empty()) more["reason"] = refusal.reason;
    if (!refusal.field.empty()) more["field"] = refusal.field;
    const std::string seconds = std::to_string(refusal.retry_after_seconds);
    if (refusal.retry_after_seconds > 0) more["retry_after_seconds"] = refusal.retry_after_seconds;
    http::Response response =
        http::problem(refusal.status, refusal.code, refusal.message, std::move(more));
    if (refusal.retry_after_seconds > 0) response.headers.push_back({"Retry-After", seconds});
    return response;
}

Origin origin_of(const http::Request& request) {
    return {.ip = request.remote_address,
            .request_id = http::cut(request.header("X-Request-Id"), 256),
            .actor = http::cut(request.header("X-Actor"), 128)};
}

AuditEntry direct_entry(const Surroundings& around,
                        std::string operation,
                        const Moment& moment,
                        const http::Request& request) {
    AuditEntry entry;
    entry.service = around.participant;
    entry.operation = std::move(operation);
    entry.origin = origin_of(request);
    entry.timestamp = moment.microseconds;
    entry.success = true;
    return entry;
}

http::Response read_or_damaged(const std::function<http::Response()>& read) {
    try {
        return read();
    } catch (const DamagedRecord& damage) {
        spdlog::error("a listing was not given: {}", damage.what());
        return not_done(Fate::damaged);
    }
}

void write_and_respond(RequestQueue& queue,
                       const char* label,
                       std::function<http::Response(wal::Unit&)> work,
                       http::Respond respond) {
    const auto tell =
        [&metrics = queue.metrics(), label, respond = std::move(respond)](http::Response told) {
            metrics.note_direct(label, told.status);
            respond(std::move(told));
        };
    if (!queue.has_space(true)) return tell(overloaded());
    auto response = std::make_shared<http::Response>();
    queue.submit({
        .work = [work = std::move(work), response](wal::Unit& unit) { *response = work(unit); },
        .then =
            [response, tell](Fate fate) {
                tell(fate == Fate::durable ? std::move(*response) : not_done(fate));
            },
        .is_new_work = true,
        .label = label,
    });
}

http::Response try_later(std::string_view code, std::string_view detail) {
    http::Response response = http::problem(503, code, detail, {{"written", false}});
    response.headers.push_back({"Retry-After", "1"});
    return response;
}

http::Response overloaded() {
    return try_later("overloaded", "too many requests wait; nothing was written, try again");
}

http::Response not_done(Fate fate) {
    if (fate == Fate::no_room)
        return try_later("no-room", "the store is nearly full; nothing was written");
    return http::problem(
        500, "damaged-record", "a stored record is damaged; see this program's log");
}

}  // namespace twophase::participants
