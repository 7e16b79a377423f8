#include "participants/credit/adjust_route.hpp"

#include "http/fields.hpp"
#include "http/problem.hpp"
#include "participants/calls.hpp"
#include "participants/credit/account_wire.hpp"

#include <utility>

namespace twophase::participants::credit {
namespace {

using http::Json;

struct ReadAdjustment {
    Adjustment adjustment;
    std::optional<http::Response> refusal;
};

ReadAdjustment refuse(const http::FieldError& error) {
    return {.adjustment = {}, .refusal = http::problem(error)};
}

ReadAdjustment read_adjustment(const http::Request& request) {
    const NamedAccount named = name_in_path(request);
    if (named.error) return refuse(*named.error);
    const HeaderNumber version = read_if_match(request);
    if (version.error) return refuse(*version.error);
    if (!version.value)
        return {.adjustment = {},
                .refusal = http::problem(428,
                                         "precondition-required",
                                         "say in If-Match which version this balance is based on: "
                                         "the ETag that the account was read with")};
    const HeaderNumber token = read_lock_token(request);
    if (token.error) return refuse(*token.error);
    const auto json = http::read_json(request.body);
    if (!json) return refuse(json.error());
    ReadAdjustment read;
    read.adjustment.name = named.name;
    read.adjustment.seen_version = *version.value;
    read.adjustment.lock_token = token.value;
    http::Fields fields(json->root());
    read.adjustment.balance = fields.integer("balance", 0, most_balance);
    read.adjustment.reason = fields.text("reason", {.max_bytes = 256});
    if (const auto& error = fields.finish()) return refuse(*error);
    return read;
}

http::Response to_response(const AccountName& name, const Adjusted& adjusted) {
    if (!adjusted.refusal) return account_response(name, *adjusted.account);
    if (adjusted.refusal->code != concurrent_modification) return to_problem(*adjusted.refusal);
    const std::uint64_t version = adjusted.account->version;
    http::Response response = to_problem(*adjusted.refusal, {{"current_version", version}});
    response.headers.push_back({"ETag", "\"" + std::to_string(version) + "\""});
    return response;
}

void adjust(const Surroundings& around,
            const Adjustments& adjustments,
            const http::Request& request,
            http::Respond respond) {
    ReadAdjustment read = read_adjustment(request);
    if (read.refusal) return respond(std::move(*read.refusal));
    const Moment moment = around.clock();
    const auto work = [adjustments,
                       moment,
                       wanted = std::move(read.adjustment),
                       entry = direct_entry(around, "adjust", moment, request)](wal::Unit& unit) {
        return to_response(wanted.name, adjustments.adjust(unit, wanted, entry, moment));
    };
    write_and_respond(around.queue, "adjust", work, std::move(respond));
}

}  // namespace

void add_adjust_route(const Surroundings& around, const Adjustments& adjustments) {
    around.router.add("PUT",
                      "/v1/accounts/{user_id}/{credit_type}",
                      [around, adjustments](const http::Request& request, http::Respond respond) {
                          adjust(around, adjustments, request, std::move(respond));
                      });
}

}  // namespace twophase::participants::credit
