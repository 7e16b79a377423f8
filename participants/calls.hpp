// What our direct routes share: reading bodies and queries, and writing through the queue.
// Included by .cpp files only.
#pragma once

#include "http/json.hpp"
#include "http/message.hpp"
#include "http/problem.hpp"
#include "participants/audit.hpp"
#include "participants/kind.hpp"
#include "participants/request_queue.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::participants {

/// A page of a listing: `before` as the number it must be, `limit` from 1 to 500.
struct PageQuery {
    std::optional<std::uint64_t> before;
    std::size_t limit = 100;
    std::optional<http::FieldError> error;
};
PageQuery page_query(const http::Request& request);

/// The query member `name`, empty when absent.
std::string query_text(const http::Request& request, const std::string& name);
/// A parameter that isn't among `known`: a filter that nobody reads would show everything.
std::optional<http::FieldError> unknown_query(const http::Request& request,
                                              std::initializer_list<std::string_view> known);
/// A decimal number of at most `most`; an error where the text is none.
struct QueryNumber {
    std::optional<std::int64_t> value;
    std::optional<http::FieldError> error;
};
QueryNumber query_number(const http::Request& request,
                         const std::string& name,
                         std::int64_t least,
                         std::int64_t most);

/// A time of RFC 3339, as microseconds since 1970; an error where the text is none.
QueryNumber query_instant(const http::Request& request, const std::string& name);

/// A refusal of a direct call as a problem document, with the members of `more`.
http::Response to_problem(const Refusal& refusal, http::Json more = http::Json::object());

/// Who makes a direct call: the connection's address, X-Request-Id (at most 256 bytes) and X-Actor
/// (at most 128), empty where they are absent.
Origin origin_of(const http::Request& request);

/// The audit's entry of a direct call, as far as every call knows it; a success until said
/// otherwise.
AuditEntry direct_entry(const Surroundings& around,
                        std::string operation,
                        const Moment& moment,
                        const http::Request& request);

/// The response of `read`, which looks at a snapshot, or 500 when a record is damaged.
http::Response read_or_damaged(const std::function<http::Response()>& read);

/// Runs `work` on the writer's thread and answers with what it returned, once that is durable; or
/// with 503 when there is no space, and 500 when a record is damaged.
void write_and_respond(RequestQueue& queue,
                       const char* label,
                       std::function<http::Response(wal::Unit&)> work,
                       http::Respond respond);

/// 503 with Retry-After: nothing was done, and soon it may be.
http::Response try_later(std::string_view code, std::string_view detail);

/// The problem documents of a request that was not carried out.
http::Response overloaded();
http::Response not_done(Fate fate);

}  // namespace twophase::participants
