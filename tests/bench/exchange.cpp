#include "tests/bench/exchange.hpp"

#include "coordinator/protocol/gid.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

namespace twophase::bench {
namespace {

using namespace std::chrono_literals;
constexpr auto call_limit = 60s;

std::uint64_t milliseconds_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

http::ClientOptions one_for_each(std::size_t clients) {
    return {.max_connections = clients, .idle_timeout = 600s};
}

http::Endpoint endpoint_of(const faults::Program& program) {
    return http::Endpoint::parse(program.endpoint()).value();
}

bool is_ok(const http::Result<http::Response>& response) {
    return response && response->status == 200;
}

std::string deduct(const std::string& user) {
    return R"({"user_id":")" + user + R"(","credit_type":"points","amount":)" +
           std::to_string(Exchanges::price) + "}";
}

std::string issue(const std::string& user, const std::string& template_id) {
    return R"({"template_id":")" + template_id + R"(","user_id":")" + user + R"("})";
}

/// The number after "name": in JSON that our own programs wrote.
std::int64_t number_of(const std::string& body, const std::string& name) {
    const auto at = body.find("\"" + name + "\":");
    if (at == std::string::npos) throw std::runtime_error("no " + name + " in " + body);
    return std::stoll(body.substr(at + name.size() + 3));
}

}  // namespace

Exchanges::Exchanges(boost::asio::io_context& io, const Servers& servers, std::size_t most_clients)
    : io_(io),
      coordinator_(io, endpoint_of(servers.by_name("coordinator")), one_for_each(most_clients)),
      credit_(io, endpoint_of(servers.by_name("credit")), one_for_each(most_clients)),
      coupon_(io, endpoint_of(servers.by_name("coupon")), one_for_each(most_clients)),
      run_(std::to_string(milliseconds_now())),
      first_gid_(new_gid()) {}

Exchanges::Names Exchanges::names_of(const Shape& shape, std::size_t number) const {
    Names names{.user = "u" + std::to_string(number % shape.users),
                .template_id = "t" + std::to_string(number % shape.templates),
                .is_refused = number % 100 < shape.refused_in_100};
    if (names.is_refused) names.user = poor_user;
    return names;
}

/// As a coordinator mints them: version 7, growing.
std::string Exchanges::new_gid() {
    coordinator::Gid gid{};
    const std::uint64_t now = milliseconds_now();
    for (int i = 0; i < 6; ++i) gid.at(i) = static_cast<std::uint8_t>(now >> (40 - 8 * i));
    const std::uint64_t number = gids_++;
    gid[6] = static_cast<std::uint8_t>(0x70 | ((number >> 8) & 0xF));
    gid[7] = static_cast<std::uint8_t>(number);
    gid[8] = 0x80;
    for (int i = 0; i < 5; ++i) gid.at(9 + i) = static_cast<std::uint8_t>(number >> (32 - 8 * i));
    gid[15] = 7;
    return coordinator::to_text(gid);
}

http::Response Exchanges::ask(http::Client& client, http::Call call) {
    http::Response answer;
    std::string what = call.method + " " + call.target;
    const bool is_failed =
        run_times(io_, 1, 1, [&](std::size_t, const Done& done) {
            client.send(
                std::move(call), call_limit, [&, done](http::Result<http::Response> response) {
                    if (response) answer = std::move(*response);
                    done(answer.status / 100 == 2 && response.has_value());
                });
        }) > 0;
    if (is_failed)
        throw std::runtime_error(what + ": " + std::to_string(answer.status) + " " + answer.body);
    return answer;
}

/// One exchange of a direct client: what it sends, and what of a phase is still awaited.
struct Exchanges::Direct {
    std::string head;  // of a message, without the participant and what follows
    std::string key;
    Names names;
    std::string branch_of_credit;
    std::string branch_of_coupon;
    int awaited = 0;
    bool is_refused = false;
    bool is_failed = false;
    Done done;
};

Task Exchanges::direct(Shape shape) {
    return [this, shape](std::size_t, Done done) {
        const std::size_t number = begun_++;
        auto direct = std::make_shared<Direct>();
        direct->names = names_of(shape, number);
        const std::string rest = R"(","coordinator":")" + std::string(direct_coordinator) +
                                 R"(","epoch":1,"low_water":")" + first_gid_ + "\"";
        direct->head = R"({"gid":")" + new_gid() + R"(","branch_id":")";
        direct->branch_of_credit = R"(1","participant":"credit)" + rest;
        direct->branch_of_coupon = R"(2","participant":"coupon)" + rest;
        direct->key = R"(,"business_code":"exchange","business_id":"d)" + run_ + "-" +
                      std::to_string(number) + "\"}";
        direct->done = std::move(done);
        step(direct, "prepare");
    };
}

void Exchanges::step(const std::shared_ptr<Direct>& direct, const char* verb) {
    const bool is_prepare = verb == std::string_view("prepare");
    const auto message =
        [&](const std::string& branch, const char* operation, const std::string& payload) {
            http::Call call{.method = "POST", .target = std::string("/") + verb};
            call.target = "/v1/branches" + call.target;
            call.body = direct->head + branch;
            if (is_prepare)
                call.body += std::string(R"(,"operation":")") + operation + R"(","payload":)" +
                             payload + direct->key;
            else
                call.body += "}";
            return call;
        };
    direct->awaited = 2;
    const auto then = [this, direct, verb](const http::Result<http::Response>& response) {
        answered(direct, verb, response);
    };
    credit_.send(message(direct->branch_of_credit, "deduct_credits", deduct(direct->names.user)),
                 call_limit,
                 then);
    coupon_.send(message(direct->branch_of_coupon,
                         "create_coupon",
                         issue(direct->names.user, direct->names.template_id)),
                 call_limit,
                 then);
}

void Exchanges::answered(const std::shared_ptr<Direct>& direct,
                         const char* verb,
                         const http::Result<http::Response>& response) {
    const bool is_prepare = verb == std::string_view("prepare");
    if (is_prepare && response && response->status == 409 && direct->names.is_refused)
        direct->is_refused = true;
    else if (!is_ok(response))
        direct->is_failed = true;
    if (--direct->awaited > 0) return;
    if (direct->is_failed) return direct->done(false);
    if (is_prepare) return step(direct, direct->is_refused ? "rollback" : "commit");
    committed_ += direct->is_refused ? 0 : 1;
    direct->done(true);
}

Task Exchanges::coordinated(Shape shape) {
    return [this, shape](std::size_t, Done done) {
        const std::size_t number = begun_++;
        const Names names = names_of(shape, number);
        std::string body =
            R"({"mode":")" + shape.mode + R"(","wait_for":")" + shape.wait_for +
            R"(","business_code":"exchange","business_id":"c)" + run_ + "-" +
            std::to_string(number) +
            R"(","branches":[{"participant":"credit","operation":"deduct_credits","payload":)" +
            deduct(names.user) +
            R"(},{"participant":"coupon","operation":"create_coupon","payload":)" +
            issue(names.user, names.template_id) + "}]}";
        submit(std::move(body), names.is_refused, shape.is_patient, std::move(done));
    };
}

void Exchanges::submit(std::string body, bool is_refused, bool is_patient, Done done) {
    http::Call call{.method = "POST", .target = "/v1/transactions", .body = body};
    coordinator_.send(
        std::move(call),
        call_limit,
        [this,
         body = is_patient ? std::move(body) : "",
         is_refused,
         is_patient,
         done = std::move(done)](const http::Result<http::Response>& response) {
            if (is_refused) return done(response && response->status == 409);
            // 202: decided, and on its way to the participants.
            const bool is_done = response && (response->status == 200 || response->status == 202) &&
                                 response->body.find(R"("decision":"commit")") != std::string::npos;
            const bool is_later = response && (response->status == 202 || response->status == 503);
            if (!is_done && is_later && is_patient) {
                const auto timer = std::make_shared<boost::asio::steady_timer>(io_, 20ms);
                timer->async_wait([this, body, done, timer](boost::system::error_code) {
                    submit(body, false, true, done);
                });
                return;
            }
            committed_ += is_done ? 1 : 0;
            done(is_done);
        });
}

Task Exchanges::optimistic() {
    return [this](std::size_t, Done done) { adjust(std::move(done)); };
}

/// Reads and sets; somebody else's change in between means: once more.
void Exchanges::adjust(Done done) {
    const std::string account = std::string("/v1/accounts/") + locked_user + "/points";
    credit_.send({.target = account},
                 call_limit,
                 [this, account, done = std::move(done)](const http::Result<http::Response>& read) {
                     if (!is_ok(read)) return done(false);
                     const std::int64_t balance = number_of(read->body, "balance") - 1;
                     http::Call call{.method = "PUT", .target = account};
                     call.headers.push_back({"If-Match", std::string(read->header("ETag"))});
                     call.body = R"({"reason":"bench","balance":)" + std::to_string(balance) + "}";
                     credit_.send(std::move(call),
                                  call_limit,
                                  [this, done](const http::Result<http::Response>& response) {
                                      if (response && response->status == 412) return adjust(done);
                                      if (is_ok(response)) ++deducted_alone_;
                                      done(is_ok(response));
                                  });
                 });
}

Task Exchanges::pessimistic() {
    return [this](std::size_t, const Done& done) {
        const std::string account = std::string("/v1/accounts/") + locked_user + "/points";
        http::Call lock{.method = "POST",
                        .target = account + "/lock",
                        .body = R"({"lease_ms":30000,"wait_ms":30000})"};
        credit_.send(
            std::move(lock),
            call_limit,
            [this, account, done](const http::Result<http::Response>& locked) {
                if (!is_ok(locked)) return done(false);
                const std::string token = std::to_string(number_of(locked->body, "lock_token"));
                http::Call write{.method = "POST", .target = account + "/deduct"};
                write.headers.push_back({"Lock-Token", token});
                write.body = R"({"amount":1,"business_code":"bench","business_id":"l)" + run_ +
                             "-" + std::to_string(begun_++) + "\"}";
                credit_.send(
                    std::move(write),
                    call_limit,
                    [this, account, token, done](const http::Result<http::Response>& written) {
                        if (!is_ok(written)) return done(false);
                        ++deducted_alone_;
                        http::Call unlock{.method = "DELETE", .target = account + "/lock"};
                        unlock.headers.push_back({"Lock-Token", token});
                        credit_.send(std::move(unlock),
                                     call_limit,
                                     [done](const http::Result<http::Response>& released) {
                                         done(is_ok(released));
                                     });
                    });
            });
    };
}

}  // namespace twophase::bench
