#include "tests/conformance/fake_participant.hpp"

#include "http/client.hpp"
#include "http/instant.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "tests/conformance/fake_rules.hpp"
#include "tests/conformance/type_blind.hpp"
#include "tests/http/live.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

namespace twophase::conformance {
namespace {

using http::Json;
using Reply = FakeRules::Reply;
using namespace std::chrono_literals;

/// How long a flaw that races goes on with what it saw before.
constexpr auto gap = 50ms;

std::string query(const http::Request& request, const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? "" : found->second;
}

std::optional<std::int64_t> number(const std::string& text) {
    std::int64_t value = 0;
    if (text.empty()) return std::nullopt;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// The gid of a message that our own reader refuses, as another reader takes it.
Json gid_in(const std::string& body) {
    const Json json = Json::parse(body, nullptr, false);
    if (!json.is_object() || !json.contains("gid")) return Json::object();
    return {{"gid", json["gid"]}};
}

}  // namespace

struct FakeParticipant::State {
    State(std::string flaw, const std::filesystem::path& coordinator_file)
        : rules(std::move(flaw)), coordinator_address(coordinator_file) {
        loop.run([this] {
            coordinator.emplace(
                loop.io, http::Endpoint::parse("file:" + coordinator_address.string()).value());
            server.emplace(loop.io, http::ServerOptions{.max_body_bytes = 4 << 20}, routes());
            server->start();
            inquiries.emplace(loop.io);
            ask_later();
        });
        if (has("any-content-type")) in_front.emplace(server->port());
    }
    ~State() {
        in_front.reset();
        loop.run([this] {
            inquiries.reset();
            coordinator.reset();
            server.reset();
        });
    }

    bool has(const char* flaw) const { return rules.has(flaw); }

    http::Router routes() {
        http::Router router;
        for (const char* verb : {"prepare", "commit", "rollback", "execute", "compensate"})
            router.add("POST", std::string("/") + verb, [this, verb](auto request, auto respond) {
                take(verb, std::move(request), std::move(respond));
            });
        if (has("unknown-method-501"))
            for (const char* method : {"GET", "PUT", "DELETE"})
                for (const char* verb : {"/commit", "/rollback"})
                    router.add(method, verb, [](auto, auto respond) { respond({.status = 501}); });
        if (has("get-commits"))
            router.add("GET", "/commit", [](auto, auto respond) { respond({.body = "{}"}); });
        router.add("GET", "/in-doubt", [this](const auto& request, const auto& respond) {
            respond(http::json_response(rules.in_doubt(
                query(request, "coordinator"),
                http::parse_instant(query(request, "prepared_before")),
                query(request, "after"),
                static_cast<std::size_t>(number(query(request, "limit")).value_or(100)),
                query(request, "nonce"))));
        });
        return router;
    }

    void take(const std::string& verb, http::Request request, http::Respond respond) {
        if (has("deep-500") && std::ranges::count(request.body, '[') > 1'000)
            return respond({.status = 500});
        if (has("empty-body-415") && request.body.empty()) return respond({.status = 415});
        const auto json = http::parse_json(request.body, {.depth = 17});
        if (!json && has("echoes-any-gid"))
            return respond(http::problem(400, "invalid-field", "read it", gid_in(request.body)));
        if (!json && has("bad-json-500")) return respond({.status = 500});
        if (!json) return respond(http::problem(json.error()));
        if (json->is_array()) return respond(answer_array(verb, *json));
        if (races(verb, *json)) return answer_late(verb, *json, std::move(respond));
        const Reply reply = rules.handle(verb, *json);
        respond(response(reply));
        if (reply.status == 503 && !has("never-confirms")) confirm();
        count(verb);
    }

    /// Asks which log the coordinator works on.
    void confirm() {
        if (std::exchange(is_confirming, true)) return;
        const std::string nonce = std::to_string(++nonces);
        coordinator->send({.target = "/v1/identity?nonce=" + nonce},
                          1s,
                          [this, nonce](const http::Result<http::Response>& answer) {
                              is_confirming = false;
                              if (!answer || answer->status != 200) return;
                              const Json body = Json::parse(answer->body, nullptr, false);
                              if (body.value("nonce", "") == nonce && body.value("open", false))
                                  rules.take_log(body);
                          });
    }

    static http::Response response_of(const Reply& reply, const char* content_type) {
        return {.status = reply.status,
                .body = http::dump(reply.body),
                .content_type = content_type,
                .headers = {}};
    }
    http::Response response(const Reply& reply) const {
        const bool is_plain = reply.status == 200 || has("plain-problems");
        return response_of(reply, is_plain ? "application/json" : "application/problem+json");
    }

    // --- arrays ---

    http::Response answer_array(const std::string& verb, const Json& messages) {
        std::vector<Json> items;
        std::set<std::string> seen;
        for (const Json& message : messages) {
            if (has("batch-malformed-whole") && !message.is_object())
                return response({400, {{"code", "invalid-field"}, {"message", "no object"}}});
            if (has("batch-twice-anew") && message.is_object() &&
                !seen.insert(rules.key_of(message)).second)
                rules.put_back(rules.key_of(message), std::nullopt);
            Reply reply = rules.handle(verb, message);
            if (has("batch-fails-whole") && reply.status != 200) return response(reply);
            if (!has("batch-without-status")) reply.body["status"] = reply.status;
            if (has("batch-other-answer")) reply.body.erase("prepare_id");
            items.push_back(std::move(reply.body));
        }
        if (has("batch-reversed")) std::ranges::reverse(items);
        if (has("batch-one-as-object") && items.size() == 1) return response({200, items.front()});
        return response({200, items});
    }

    // --- flaws that race ---

    bool races(const std::string& verb, const Json& message) {
        if (!message.is_object() || !message.contains("gid")) return false;
        const bool of_prepares = has("prepare-races-prepare") || has("prepare-races-rollback") ||
                                 has("one-at-a-time") || has("holds-in-race");
        const bool of_commits = has("commit-races-commit") || has("commit-races-rollback");
        return (of_prepares && verb == "prepare") || (of_commits && verb == "commit") ||
               (has("rollback-is-busy") && verb == "rollback") ||
               (has("execute-races") && verb == "execute");
    }

    void answer_late(const std::string& verb, const Json& message, http::Respond respond) {
        const std::string key = rules.key_of(message);
        const bool is_alone = under_way.empty();
        const bool is_first_of_its_branch = under_way.insert(key).second;
        std::optional<FakeRules::Stored> seen;
        if (rules.branches().contains(key)) seen = rules.branches().at(key);
        if (has("one-at-a-time") && !is_alone && is_first_of_its_branch)
            return respond(response({409,
                                     {{"gid", message["gid"]},
                                      {"branch_id", message["branch_id"]},
                                      {"code", "refused"},
                                      {"message", "busy"}}}));
        if (has("rollback-is-busy") && !is_first_of_its_branch) return respond({.status = 500});
        auto timer = std::make_shared<boost::asio::steady_timer>(loop.io, gap);
        timer->async_wait([=, this](auto) {
            under_way.erase(key);
            const auto found = rules.branches().find(key);
            const std::string now = found == rules.branches().end() ? "" : found->second.state;
            if (acts_on_what_it_saw(now)) rules.put_back(key, seen);
            respond(response(rules.handle(verb, message)));
            count(verb);
            timer->cancel();
        });
    }

    bool acts_on_what_it_saw(const std::string& now) const {
        return ((has("prepare-races-prepare") || has("holds-in-race")) && now == "prepared") ||
               (has("prepare-races-rollback") && now == "rolled_back") ||
               (has("commit-races-commit") && now == "committed") ||
               (has("commit-races-rollback") && now == "rolled_back") ||
               (has("execute-races") && now == "executed");
    }

    // --- inquiries ---

    void ask_later() {
        inquiries->expires_after(10ms);
        inquiries->async_wait([this](boost::system::error_code error) {
            if (error || !inquiries) return;
            for (const auto& [key, branch] : rules.branches())
                if (branch.state == "prepared" && !has("asks-never")) ask(key);
            ask_later();
        });
    }

    void ask(const std::string& key) {
        if (!asking.insert(key).second) return;
        const std::string gid = key.substr(0, key.find('/'));
        coordinator->send({.target = "/v1/transactions/" + gid + "/decision"},
                          1s,
                          [this, key, gid](const http::Result<http::Response>& answer) {
                              asking.erase(key);
                              if (answer) learn(key, gid, *answer);
                          });
    }

    void learn(const std::string& key, const std::string& gid, const http::Response& answer) {
        const Json body = Json::parse(answer.body, nullptr, false);
        std::string decision = answer.status == 200 ? body.value("decision", "") : "";
        if (answer.status == 404 && has("404-is-rollback")) decision = "rollback";
        if (decision == "pending" && has("pending-is-rollback")) decision = "rollback";
        const bool is_about_it = answer.status != 200 || body.value("gid", "") == gid;
        if (!is_about_it && !has("ignores-gid")) return;
        if (decision != "commit" && decision != "rollback") return;
        if (has(("ignores-" + decision).c_str())) return;
        Json message = rules.known_log();
        message.update({{"gid", gid},
                        {"branch_id", key.substr(key.find('/') + 1)},
                        {"participant", "fake"},
                        {"coordinator", "conformance"},
                        {"epoch", rules.epoch()}});
        rules.handle(decision, message);
    }

    // --- the restart ---

    void count(const std::string& verb) {
        const std::lock_guard guard(mutex);
        if (verb == "prepare") ++prepares;
        changed.notify_all();
    }

    void restart() {
        // The second one comes in the middle of traffic, of which there has to be some.
        if (++restarts == 2 && server) {
            std::unique_lock lock(mutex);
            const int before = prepares;
            changed.wait_for(lock, 5s, [&] { return prepares >= before + 2; });
        }
        loop.run([this] {
            rules.restart();
            if (has("comes-not-back")) server.reset();
        });
    }

    FakeRules rules;
    std::filesystem::path coordinator_address;
    std::set<std::string> under_way;
    std::set<std::string> asking;
    bool is_confirming = false;
    int nonces = 0;
    std::mutex mutex;
    std::condition_variable changed;
    int prepares = 0;
    int restarts = 0;
    std::optional<boost::asio::steady_timer> inquiries;
    std::optional<http::Client> coordinator;
    std::optional<http::Server> server;
    std::optional<TypeBlind> in_front;
    http::test::Loop loop;
};

FakeParticipant::FakeParticipant(std::string flaw, std::filesystem::path coordinator_file)
    : state_(std::make_unique<State>(std::move(flaw), coordinator_file)) {}

FakeParticipant::~FakeParticipant() = default;

http::Endpoint FakeParticipant::endpoint() const {
    const std::uint16_t port = state_->in_front ? state_->in_front->port() : state_->server->port();
    return http::Endpoint::parse("http://127.0.0.1:" + std::to_string(port)).value();
}

void FakeParticipant::restart() { state_->restart(); }

void FakeParticipant::fill() {
    state_->loop.run([this] {
        state_->rules.fill();
        return 0;
    });
}

std::string FakeParticipant::observe() {
    return state_->loop.run([this] { return state_->rules.observe(); });
}

}  // namespace twophase::conformance
