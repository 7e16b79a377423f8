#include "participants/credit/lock_routes.hpp"

#include "http/fields.hpp"
#include "http/problem.hpp"
#include "participants/calls.hpp"
#include "participants/credit/account_wire.hpp"

#include <cassert>
#include <utility>

namespace twophase::participants::credit {
namespace {

using http::Json;

constexpr std::int64_t most_wait_ms = 60'000;

http::Response locked_response(const AccountName& name, const LockAnswer& answer) {
    Json body = to_json(name, answer.account);
    body["lock_token"] = answer.lock.token;
    body["lease_ms"] = answer.lock.lease_ms;
    http::Response response = account_response(name, answer.account);
    response.body = http::dump(body);
    response.headers.push_back({"Lock-Token", std::to_string(answer.lock.token)});
    return response;
}

http::Response to_response(const AccountName& name, const LockAnswer& answer) {
    switch (answer.how) {
        case LockFate::granted: return locked_response(name, answer);
        case LockFate::no_account: return no_account();
        case LockFate::still_locked: return to_problem(account_locked(answer.seconds_left));
        case LockFate::crowded:
            return try_later("lock-queue-full", "as many wait for locks already as may");
        case LockFate::stopping: return try_later("stopping", "this program is about to end");
        case LockFate::overloaded: return overloaded();
        case LockFate::not_done: return not_done(answer.fate);
    }
    assert(false);
    return {};
}

http::Response to_response(const ReleaseAnswer& answer) {
    switch (answer.how) {
        case ReleaseFate::released: return http::json_response({{"released", true}});
        case ReleaseFate::already_over: return http::json_response({{"released", false}});
        case ReleaseFate::stale: return to_problem(stale_token());
        case ReleaseFate::no_account: return no_account();
        case ReleaseFate::overloaded: return overloaded();
        case ReleaseFate::not_done: return not_done(answer.fate);
    }
    assert(false);
    return {};
}

void acquire(const Surroundings& around,
             LockLines& lines,
             const http::Request& request,
             http::Respond respond) {
    const NamedAccount named = name_in_path(request);
    if (named.error) return respond(http::problem(*named.error));
    const auto json = http::read_json(request.body);
    if (!json) return respond(http::problem(json.error()));
    LockWish wish;
    wish.name = named.name;
    http::Fields fields(json->root());
    wish.lease_ms = fields.integer("lease_ms", 1, most_lease_ms);
    wish.wait_ms = fields.optional_integer("wait_ms", 0, most_wait_ms).value_or(0);
    if (const auto& error = fields.finish()) return respond(http::problem(*error));
    wish.entry = direct_entry(around, "lock", around.clock(), request);
    lines.acquire(std::move(wish),
                  [name = named.name, respond = std::move(respond)](const LockAnswer& answer) {
                      respond(to_response(name, answer));
                  });
}

void release(const Surroundings& around,
             LockLines& lines,
             const http::Request& request,
             http::Respond respond) {
    const NamedAccount named = name_in_path(request);
    if (named.error) return respond(http::problem(*named.error));
    const HeaderNumber token = read_lock_token(request);
    if (token.error) return respond(http::problem(*token.error));
    if (!token.value)
        return respond(http::problem(
            428, "precondition-required", "say in Lock-Token which lock is to be released"));
    lines.release(named.name,
                  *token.value,
                  direct_entry(around, "unlock", around.clock(), request),
                  [respond = std::move(respond)](const ReleaseAnswer& answer) {
                      respond(to_response(answer));
                  });
}

}  // namespace

void add_lock_routes(const Surroundings& around, const std::shared_ptr<LockLines>& lines) {
    const std::string lock = "/v1/accounts/{user_id}/{credit_type}/lock";
    around.router.add(
        "POST", lock, [around, lines](const http::Request& request, http::Respond respond) {
            acquire(around, *lines, request, std::move(respond));
        });
    around.router.add(
        "DELETE", lock, [around, lines](const http::Request& request, http::Respond respond) {
            release(around, *lines, request, std::move(respond));
        });
}

}  // namespace twophase::participants::credit
