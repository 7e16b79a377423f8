#include "tests/bench/books.hpp"

#include "http/json.hpp"

#include <boost/asio/steady_timer.hpp>

#include <stdexcept>
#include <vector>

namespace twophase::bench {
namespace {

using namespace std::chrono_literals;
using http::Json;

constexpr auto call_limit = 60s;
constexpr std::size_t at_once = 16;

std::vector<std::string> all_users() {
    std::vector<std::string> users{poor_user, locked_user};
    for (std::size_t i = 0; i < many_users; ++i) users.push_back("u" + std::to_string(i));
    return users;
}

void post_all(boost::asio::io_context& io,
              http::Client& client,
              const std::vector<std::pair<std::string, Json>>& posts) {
    std::string first_failure;
    run_times(io, at_once, posts.size(), [&](std::size_t number, Done done) {
        const auto& [target, body] = posts[number];
        client.send({.method = "POST", .target = target, .body = body.dump()},
                    call_limit,
                    [&, done = std::move(done)](const http::Result<http::Response>& response) {
                        // 409: it is there already.
                        const bool is_done =
                            response && (response->status / 100 == 2 || response->status == 409);
                        if (!is_done && first_failure.empty())
                            first_failure = response ? response->body : response.error().message();
                        done(is_done);
                    });
    });
    if (!first_failure.empty())
        throw std::runtime_error("the books can't be opened: " + first_failure);
}

std::vector<Json> get_all(boost::asio::io_context& io,
                          http::Client& client,
                          const std::vector<std::string>& targets) {
    std::vector<Json> answers(targets.size());
    const std::size_t failed =
        run_times(io, at_once, targets.size(), [&](std::size_t number, Done done) {
            client.send(
                {.target = targets[number]},
                call_limit,
                [&, number, done = std::move(done)](const http::Result<http::Response>& response) {
                    if (response) answers[number] = Json::parse(response->body, nullptr, false);
                    done(response && response->status == 200);
                });
        });
    if (failed > 0) throw std::runtime_error("the books can't be read");
    return answers;
}

bool is_quiet(Exchanges& exchanges) {
    const auto answer = exchanges.ask(exchanges.coordinator(), {.target = "/v1/status"});
    return Json::parse(answer.body).at("live") == 0;
}

}  // namespace

void open_books(boost::asio::io_context& io, Exchanges& exchanges) {
    std::vector<std::pair<std::string, Json>> accounts;
    std::vector<std::pair<std::string, Json>> grants;
    for (const std::string& user : all_users()) {
        accounts.push_back({"/v1/accounts", {{"user_id", user}, {"credit_type", "points"}}});
        if (user != poor_user)
            grants.push_back(
                {"/v1/accounts/" + user + "/points/grant",
                 {{"amount", granted}, {"business_code", "bench"}, {"business_id", user}}});
    }
    std::vector<std::pair<std::string, Json>> templates;
    for (std::size_t i = 0; i < many_templates; ++i)
        templates.push_back(
            {"/v1/templates",
             {{"template_id", "t" + std::to_string(i)}, {"name", "bench"}, {"stock", granted}}});
    post_all(io, exchanges.credit(), accounts);
    post_all(io, exchanges.credit(), grants);
    post_all(io, exchanges.coupon(), templates);
}

Books read_books(boost::asio::io_context& io, Exchanges& exchanges) {
    std::vector<std::string> accounts;
    std::vector<std::string> templates;
    for (const std::string& user : all_users())
        accounts.push_back("/v1/accounts/" + user + "/points");
    for (std::size_t i = 0; i < many_templates; ++i)
        templates.push_back("/v1/templates/t" + std::to_string(i));
    Books books;
    for (const Json& account : get_all(io, exchanges.credit(), accounts)) {
        const std::string user = account.at("user_id");
        const auto balance = account.at("balance").get<std::int64_t>();
        const std::int64_t gone = (user == poor_user ? 0 : granted) - balance;
        (user == locked_user ? books.deducted_alone : books.deducted) += gone;
        books.held += account.at("frozen").get<std::int64_t>();
    }
    for (const Json& each : get_all(io, exchanges.coupon(), templates)) {
        books.issued += each.at("issued").get<std::int64_t>();
        books.held += each.at("reserved").get<std::int64_t>();
    }
    return books;
}

void wait_until_quiet(boost::asio::io_context& io, Exchanges& exchanges) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (!is_quiet(exchanges)) {
        if (std::chrono::steady_clock::now() > limit)
            throw std::runtime_error("the coordinator still has transactions under way");
        io.restart();
        boost::asio::steady_timer timer(io, 2ms);
        timer.wait();
    }
}

std::string disagreement(const Books& before,
                         const Books& after,
                         std::size_t committed,
                         std::int64_t deducted_alone) {
    const auto told = static_cast<std::int64_t>(committed);
    const auto differs = [](const char* what, std::int64_t is, std::int64_t should) {
        return is == should ? std::string()
                            : std::string(what) + ": " + std::to_string(is) + ", told " +
                                  std::to_string(should) + "; ";
    };
    return differs("points deducted", after.deducted - before.deducted, told * Exchanges::price) +
           differs("coupons issued", after.issued - before.issued, told) +
           differs("deducted under a lock",
                   after.deducted_alone - before.deducted_alone,
                   deducted_alone) +
           differs("still held", after.held, 0);
}

}  // namespace twophase::bench
