#include "participants/coupon/coupon.hpp"

#include "http/fields.hpp"
#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "participants/calls.hpp"
#include "participants/coupon/coupon_books.hpp"
#include "participants/operation_routes.hpp"
#include "recovery/page_thread.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace twophase::participants::coupon {
namespace {

using http::Fields;
using http::Json;

constexpr Fields::Text template_rule{.max_bytes = 64, .allowed = id_characters};
constexpr Fields::Text user_rule{.max_bytes = 128, .allowed = id_characters};

/// From the milliseconds that are stored.
std::string validity_text(std::int64_t milliseconds) {
    return http::instant_text(milliseconds * 1'000);
}

Json to_json(const std::string& template_id, const Template& a_template) {
    Json json{{"template_id", template_id},
              {"name", a_template.name},
              {"stock", a_template.stock},
              {"reserved", a_template.reserved},
              {"issued", a_template.issued},
              {"available", a_template.available()},
              {"per_user_limit", a_template.per_user_limit},
              {"version", a_template.version},
              {"created_at", http::instant_text(a_template.created_at)},
              {"updated_at", http::instant_text(a_template.updated_at)}};
    if (a_template.valid_from != 0) json["valid_from"] = validity_text(a_template.valid_from);
    if (a_template.valid_until != 0) json["valid_until"] = validity_text(a_template.valid_until);
    return json;
}

Json to_json(const std::string& code, const Coupon& coupon) {
    return {
        {"code", code},
        {"template_id", coupon.template_id},
        {"user_id", coupon.user_id},
        {"gid", coupon.gid},
        {"branch_id", coupon.branch_id},
        {"state", to_string(coupon.state)},
        {"issued_at", coupon.issued_at == 0 ? Json() : Json(http::instant_text(coupon.issued_at))}};
}

http::Response template_response(const std::string& template_id,
                                 const Template& a_template,
                                 unsigned status = 200) {
    http::Response response = http::json_response(to_json(template_id, a_template), status);
    response.headers.push_back({"ETag", "\"" + std::to_string(a_template.version) + "\""});
    return response;
}

struct ReadTemplate {
    std::string template_id;
    Template a_template;
    std::optional<http::FieldError> error;
};

ReadTemplate read_template(const http::Value& json) {
    ReadTemplate read;
    Template& made = read.a_template;
    Fields fields(json);
    read.template_id = fields.text("template_id", template_rule);
    made.name = fields.text("name", {.max_bytes = 256});
    made.stock = fields.integer("stock", 0, most_stock);
    made.per_user_limit = fields.optional_integer("per_user_limit", 0, most_stock).value_or(0);
    const auto validity = [&fields](const char* name) {
        return fields.optional_instant(name, {.first = 2000, .last = 2200}).value_or(0) / 1'000;
    };
    made.valid_from = validity("valid_from");
    made.valid_until = validity("valid_until");
    if (made.valid_until != 0 && made.valid_until <= made.valid_from)
        fields.fail("valid_until", "a time after valid_from");
    read.error = fields.finish();
    return read;
}

bool is_same(const Template& left, const Template& right) {
    return left.name == right.name && left.stock == right.stock &&
           left.per_user_limit == right.per_user_limit && left.valid_from == right.valid_from &&
           left.valid_until == right.valid_until;
}

http::Response create_in(wal::Unit& unit,
                         const Stock& stock,
                         const Audit& audit,
                         const ReadTemplate& read,
                         AuditEntry entry) {
    if (const auto known = stock.find(unit, read.template_id)) {
        if (is_same(*known, read.a_template)) return template_response(read.template_id, *known);
        entry.success = false;
        entry.code = "template-exists";
        audit.append(unit, entry);
        return http::problem(409, "template-exists", "this template_id names another template");
    }
    Template made = read.a_template;
    made.created_at = made.updated_at = entry.timestamp;
    stock.save(unit, read.template_id, made);
    entry.change.amount = made.stock;
    entry.change.transaction_id = read.template_id;
    entry.change.after_state = state_of(made);
    audit.append(unit, entry);
    return template_response(read.template_id, made, 201);
}

void create_template(const Surroundings& around,
                     const Stock& stock,
                     const http::Request& request,
                     http::Respond respond) {
    const auto json = http::read_json(request.body);
    if (!json) return respond(http::problem(json.error()));
    ReadTemplate read = read_template(json->root());
    if (read.error) return respond(http::problem(*read.error));
    const auto work = [&stock,
                       log = &around.audit,
                       read = std::move(read),
                       entry = direct_entry(around, "create_template", around.clock(), request)](
                          wal::Unit& unit) { return create_in(unit, stock, *log, read, entry); };
    write_and_respond(around.queue, "create_template", work, std::move(respond));
}

http::Response show_template(const Stock& stock,
                             const wal::Store& store,
                             const http::Request& request) {
    const Json id{{"template_id", request.parameter("template_id")}};
    const http::Document document = http::document_of(id);
    Fields fields(document.root());
    const std::string template_id = fields.text("template_id", template_rule);
    if (const auto& error = fields.finish()) return http::problem(*error);
    const auto found = stock.find(store.snapshot(), template_id);
    return found ? template_response(template_id, *found)
                 : http::problem(404, "template_not_found", "no such template");
}

/// Which coupons `?state=` asks for: issued ones unless it says otherwise.
struct WantedState {
    std::optional<CouponState> state = CouponState::issued;
    bool is_readable = true;
};

WantedState wanted_state(const std::string& text) {
    if (text.empty() || text == "issued") return {};
    if (text == "reserved") return {.state = CouponState::reserved};
    if (text == "all") return {.state = std::nullopt};
    return {.is_readable = false};
}

http::Response list_coupons(const Stock& stock,
                            const wal::Store& store,
                            const http::Request& request) {
    const Json id{{"user_id", request.parameter("user_id")}};
    const http::Document document = http::document_of(id);
    Fields fields(document.root());
    const std::string user_id = fields.text("user_id", user_rule);
    if (const auto& error = fields.finish()) return http::problem(*error);
    const PageQuery query = page_query(request);
    if (query.error) return http::problem(*query.error);
    const WantedState wanted = wanted_state(query_text(request, "state"));
    if (!wanted.is_readable)
        return http::problem(http::FieldError{"state", "issued, reserved or all"});
    const auto page =
        stock.list(store.snapshot(), user_id, wanted.state, query.before, query.limit);
    Json items = Json::array();
    for (const auto& [code, coupon] : page.items) items.push_back(to_json(code, coupon));
    return http::json_response({{"items", std::move(items)},
                                {"next", page.next ? Json(std::to_string(*page.next)) : Json()}});
}

}  // namespace

std::vector<std::string> CouponKind::tables() const {
    std::vector<std::string> tables = Stock::tables();
    std::ranges::copy(DirectCalls::tables(), std::back_inserter(tables));
    return tables;
}

Resource& CouponKind::open(const TableOf& table_of) {
    table_of_ = table_of;
    return resource_.emplace(table_of, new_code);
}

std::unique_ptr<Books> CouponKind::books(const TableOf& table_of) const {
    return std::make_unique<CouponBooks>(table_of);
}

void CouponKind::add_routes(const Surroundings& around) {
    using http::Request;
    using http::Respond;
    const Stock& stock = resource_->stock();
    const wal::Store& store = around.queue.store();
    around.router.add("POST", "/v1/templates", [around, &stock](const Request& r, Respond to) {
        create_template(around, stock, r, std::move(to));
    });
    around.router.add("GET",
                      "/v1/templates/{template_id}",
                      [&stock, &store](const Request& r, const Respond& to) {
                          to(read_or_damaged([&] { return show_template(stock, store, r); }));
                      });
    around.router.add_list(
        "/v1/users/{user_id}/coupons",
        [&stock, &store, &pages = around.pages](const Request& r, const Respond& to) {
            pages.answer(
                [&stock, &store, r] {
                    return read_or_damaged([&] { return list_coupons(stock, store, r); });
                },
                to);
        });
    add_operation_routes(around, Operations(*resource_, around.audit, table_of_));
}

}  // namespace twophase::participants::coupon
