#include "participants/operation_routes.hpp"

#include "http/fields.hpp"
#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/text.hpp"
#include "participants/calls.hpp"

#include <limits>
#include <memory>
#include <utility>

namespace twophase::participants {
namespace {

using http::Fields;
using http::Json;

constexpr std::size_t most_operations = 32;

struct ReadRequest {
    OperationsRequest request;
    std::optional<http::FieldError> error;
};

Operation read_operation(Fields& of, const http::Value& json, const std::string& path) {
    Operation operation;
    Fields fields(json, path);
    operation.name = fields.text("operation", {.max_bytes = 64, .allowed = "A-Za-z0-9_.-"});
    if (const http::Value* payload = fields.object("payload"))
        operation.payload = http::dump(*payload);
    if (const auto token =
            fields.optional_integer("lock_token", 1, std::numeric_limits<std::int64_t>::max()))
        operation.lock_token = static_cast<std::uint64_t>(*token);
    if (const auto& error = fields.finish()) of.fail(*error);
    return operation;
}

/// What tells a repeat from another request. A lock's token isn't part of it: a repeat may come
/// when that lock is over.
std::string canonical(const std::vector<Operation>& operations) {
    Json all = Json::array();
    for (const Operation& operation : operations)
        all.push_back({{"operation", operation.name}, {"payload", Json::parse(operation.payload)}});
    return http::dump(all);
}

ReadRequest read_request(const http::Request& http_request) {
    ReadRequest read;
    const auto json = http::read_json(http_request.body);
    if (!json) {
        read.error = json.error();
        return read;
    }
    OperationsRequest& request = read.request;
    Fields fields(json->root());
    request.business_code = fields.text("business_code", http::business_key_rule);
    request.business_id = fields.text("business_id", http::business_key_rule);
    if (const http::Value* operations = fields.array("operations", 1, most_operations))
        for (const http::Value& operation : *operations)
            request.operations.push_back(
                read_operation(fields,
                               operation,
                               "operations[" + std::to_string(request.operations.size()) + "]"));
    // Of several accounts nobody could tell which one a header is about.
    if (!http_request.header("lock-token").empty())
        fields.fail({"Lock-Token", "no such header here, but a lock_token in an operation"});
    read.error = fields.finish();
    if (!read.error) request.canonical = canonical(request.operations);
    return read;
}

/// One request under way. The operations are one job and the audit of their refusal is another,
/// right behind it: a refused job leaves nothing, not even that entry.
struct Exchange {
    OperationsRequest request;
    OperationsOutcome outcome;  // the writer's, until both jobs are done
    Fate fate = Fate::no_room;  // of the operations
};

http::Response refusal_response(const Exchange& exchange) {
    Refusal refusal = *exchange.outcome.refusal;
    const auto& index = exchange.outcome.refused;
    if (!index) return to_problem(refusal);
    if (!refusal.field.empty())
        refusal.field = "operations[" + std::to_string(*index) + "]." + refusal.field;
    return to_problem(
        refusal, {{"index", *index}, {"operation", exchange.request.operations.at(*index).name}});
}

http::Response success_response(const OperationsOutcome& outcome) {
    return http::json_response(
        {{"success", true},
         {"transaction_id", outcome.transaction_id},
         {"idempotent", outcome.is_repeat},
         {"message", outcome.is_repeat ? "carried out before" : "carried out"},
         {"results", Json::parse(outcome.results)}});
}

http::Response to_response(const Exchange& exchange, Fate fate_of_refusal) {
    const bool is_refused = exchange.outcome.refusal && exchange.fate == Fate::no_room;
    if (exchange.fate == Fate::durable) return success_response(exchange.outcome);
    if (!is_refused) return not_done(exchange.fate);
    return fate_of_refusal == Fate::durable ? refusal_response(exchange)
                                            : not_done(fate_of_refusal);
}

void perform(const Surroundings& around,
             const Operations& operations,
             const http::Request& request,
             http::Respond respond) {
    ReadRequest read = read_request(request);
    if (read.error) return respond(http::problem(*read.error));
    const auto tell = [&metrics = around.queue.metrics(),
                       respond = std::move(respond)](http::Response told) {
        metrics.note_direct("operations", told.status);
        respond(std::move(told));
    };
    if (!around.queue.has_space(true, 2)) return tell(overloaded());
    const Moment moment = around.clock();
    const AuditEntry entry = direct_entry(around, "operations", moment, request);
    auto exchange = std::make_shared<Exchange>();
    exchange->request = std::move(read.request);
    std::vector<Piece> pieces;
    pieces.push_back({
        .work =
            [operations, exchange, entry, moment](wal::Unit& unit) {
                exchange->outcome = {};
                exchange->outcome = operations.carry_out(unit, exchange->request, entry, moment);
                if (exchange->outcome.refusal) throw wal::BuildsOnRefused{};  // write nothing
            },
        .then = [exchange](Fate fate) { exchange->fate = fate; },
        .is_new_work = true,
        .label = "operations",
    });
    pieces.push_back({
        .work =
            [operations, exchange, entry](wal::Unit& unit) {
                const OperationsOutcome& outcome = exchange->outcome;
                if (outcome.refusal)
                    operations.record_refusal(unit, exchange->request, outcome, entry);
            },
        .then = [exchange, tell](Fate fate) { tell(to_response(*exchange, fate)); },
        .is_new_work = true,
        .label = "operations_end",
    });
    around.queue.submit(std::move(pieces));
}

/// Both members of the business key, as a direct call may have them.
std::optional<http::FieldError> check_key(const http::Request& request) {
    for (const char* name : {"business_code", "business_id"}) {
        const std::string text = query_text(request, name);
        if (text.empty() || text.size() > http::business_key_rule.max_bytes ||
            http::has_control(text))
            return http::FieldError{name, "text of 1 to 128 bytes"};
    }
    return std::nullopt;
}

http::Response list(const Operations& operations,
                    const wal::Store& store,
                    const http::Request& request) {
    if (const auto error = check_key(request)) return http::problem(*error);
    const auto all = operations.find(
        store.snapshot(), query_text(request, "business_code"), query_text(request, "business_id"));
    Json items = Json::array();
    for (const Operations::Found& found : all) {
        Json item{{"operation", found.operation},
                  {"success", true},
                  {"transaction_id", found.transaction_id},
                  {"request", Json::parse(found.request)}};
        if (!found.results.empty()) item["results"] = Json::parse(found.results);
        if (found.created_at != 0) item["created_at"] = http::instant_text(found.created_at);
        items.push_back(std::move(item));
    }
    return http::json_response({{"items", std::move(items)}});
}

}  // namespace

void add_operation_routes(const Surroundings& around, const Operations& operations) {
    const wal::Store& store = around.queue.store();
    around.router.add("POST",
                      "/v1/operations",
                      [around, operations](const http::Request& request, http::Respond respond) {
                          perform(around, operations, request, std::move(respond));
                      });
    around.router.add(
        "GET",
        "/v1/operations",
        [operations, &store](const http::Request& request, const http::Respond& respond) {
            respond(read_or_damaged([&] { return list(operations, store, request); }));
        });
}

}  // namespace twophase::participants
