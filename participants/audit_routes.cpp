#include "participants/audit_routes.hpp"

#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "participants/calls.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace twophase::participants {
namespace {

using http::Json;

constexpr std::size_t most_export_bytes = std::size_t{1} << 20;
constexpr std::int64_t most_export_entries = 1'000;

/// The filter that a request's query asks for, or what is wrong with it.
std::optional<http::FieldError> read_filter(const http::Request& request, Audit::Filter& filter) {
    const PageQuery page = page_query(request);
    const QueryNumber from = query_instant(request, "from");
    const QueryNumber to = query_instant(request, "to");
    filter = {.gid = query_text(request, "gid"),
              .user_id = query_text(request, "user_id"),
              .business_code = query_text(request, "business_code"),
              .business_id = query_text(request, "business_id"),
              .from = from.value,
              .to = to.value,
              .before = page.before,
              .limit = page.limit};
    if (auto unknown = unknown_query(
            request,
            {"gid", "user_id", "business_code", "business_id", "from", "to", "before", "limit"}))
        return unknown;
    if (page.error) return page.error;
    if (from.error) return from.error;
    if (to.error) return to.error;
    if (filter.business_code.empty() != filter.business_id.empty())
        return http::FieldError{filter.business_code.empty() ? "business_code" : "business_id",
                                "both halves of the business key, or none"};
    return std::nullopt;
}

/// An entry for people: with its time as everywhere in the API. What is hashed, and exported, has
/// it in microseconds since 1970.
Json shown(const std::string& entry) {
    Json json = Json::parse(entry);
    Json& time = json["timestamp"];
    if (time.is_number_integer()) time = http::instant_text(time.get<std::int64_t>());
    return json;
}

http::Response list(const Audit& audit, const wal::Store& store, const http::Request& request) {
    Audit::Filter filter;
    if (const auto error = read_filter(request, filter)) return http::problem(*error);
    const Audit::Page page = audit.list(store.snapshot(), filter);
    Json items = Json::array();
    for (const std::string& item : page.items) items.push_back(shown(item));
    return http::json_response({{"items", std::move(items)},
                                {"next", page.next ? Json(std::to_string(*page.next)) : Json()}});
}

http::Response export_page(const Audit& audit,
                           const wal::Store& store,
                           const http::Request& request) {
    const QueryNumber after =
        query_number(request, "after", 0, std::numeric_limits<std::int64_t>::max() - 1);
    const QueryNumber limit = query_number(request, "limit", 1, most_export_entries);
    if (const auto unknown = unknown_query(request, {"after", "limit"}))
        return http::problem(*unknown);
    if (after.error) return http::problem(*after.error);
    if (limit.error) return http::problem(*limit.error);
    Audit::Lines lines =
        audit.export_lines(store.snapshot(),
                           static_cast<std::uint64_t>(after.value.value_or(0)),
                           static_cast<std::size_t>(limit.value.value_or(most_export_entries)),
                           most_export_bytes);
    http::Response response;
    response.content_type = "application/x-ndjson";
    response.body = std::move(lines.text);
    if (!lines.is_end) response.headers.push_back({"X-Next", std::to_string(lines.last)});
    return response;
}

http::Response head(const Audit& audit, const wal::Store& store) {
    const AuditHead head = audit.head(store.snapshot());
    return http::json_response({{"count", head.count}, {"hash", head.hash}});
}

}  // namespace

void add_audit_routes(http::Router& router,
                      const Audit& audit,
                      const wal::Store& store,
                      recovery::PageThread& pages) {
    router.add_list("/v1/audit", [&](const http::Request& request, const auto& respond) {
        pages.answer(
            [&audit, &store, request] {
                return read_or_damaged([&] { return list(audit, store, request); });
            },
            respond);
    });
    router.add_list("/v1/audit/export", [&](const http::Request& request, const auto& respond) {
        pages.answer(
            [&audit, &store, request] {
                return read_or_damaged([&] { return export_page(audit, store, request); });
            },
            respond,
            recovery::PageSize::bulk);
    });
    router.add("GET", "/v1/audit/head", [&](const http::Request&, const auto& respond) {
        respond(read_or_damaged([&] { return head(audit, store); }));
    });
}

}  // namespace twophase::participants
