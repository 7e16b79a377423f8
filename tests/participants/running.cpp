#include "tests/participants/running.hpp"

#include "http/client.hpp"
#include "http/problem.hpp"
#include "http/server.hpp"
#include "participants/program.hpp"
#include "tests/participants/bench.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <stdexcept>
#include <thread>
#include <utility>

namespace twophase::participants::testing {

using namespace std::chrono_literals;

struct RunningParticipant::State {
    State(std::unique_ptr<Kind> the_kind, Config config)
        : kind(std::move(the_kind)),
          program(io, std::move(config), *kind, [this](int) { io.stop(); }) {}

    boost::asio::io_context io;
    std::unique_ptr<Kind> kind;
    Program program;
    std::thread thread;
    http::Endpoint endpoint;
};

RunningParticipant::RunningParticipant(std::unique_ptr<Kind> kind,
                                       Config config,
                                       const std::filesystem::path& directory) {
    config.data = directory / "store";
    config.port = 0;
    config.any_filesystem = true;
    if (config.map_bytes == Config().map_bytes) config.map_bytes = std::size_t{1} << 28;
    config.address_file = directory / "address";
    state_ = std::make_unique<State>(std::move(kind), std::move(config));
    state_->program.start();
    state_->endpoint = http::Endpoint::parse("file:" + (directory / "address").string()).value();
    state_->thread = std::thread([this] { state_->io.run(); });
    if (!eventually([&] { return get(endpoint(), "/readyz").status == 200; }))
        throw std::runtime_error("the participant does not get ready");
}

RunningParticipant::~RunningParticipant() {
    boost::asio::post(state_->io, [this] { state_->program.stop([this] { state_->io.stop(); }); });
    state_->thread.join();
}

const http::Endpoint& RunningParticipant::endpoint() const { return state_->endpoint; }

struct StandInCoordinator::State {
    explicit State(Answer the_answer)
        : server(
              io,
              {},
              [answer = std::move(the_answer)](const http::Request& request,
                                               const http::Respond& respond) {
                  http::Response response = answer(request.path);
                  const auto nonce = request.query.find("nonce");
                  http::Json body = http::Json::parse(response.body, nullptr, false);
                  if (nonce != request.query.end() && body.is_object() && !body.contains("nonce")) {
                      body["nonce"] = nonce->second;
                      response.body = body.dump();
                  }
                  respond(std::move(response));
              }) {}
    boost::asio::io_context io;
    http::Server server;
    std::thread thread;
};

StandInCoordinator::StandInCoordinator(Answer answer)
    : state_(std::make_unique<State>(std::move(answer))) {
    state_->server.start();
    state_->thread = std::thread([this] { state_->io.run(); });
}

StandInCoordinator::~StandInCoordinator() {
    state_->io.stop();
    state_->thread.join();
}

std::string StandInCoordinator::url() const {
    return "http://127.0.0.1:" + std::to_string(state_->server.port());
}

std::string Reply::header(const std::string& name) const {
    return std::string(response.header(name));
}

namespace {

Reply call(const http::Endpoint& to, http::Call what) {
    const auto result = http::call_once(to, std::move(what), 30s);
    Reply reply;
    if (!result) return reply;
    reply.status = result->status;
    reply.body = http::Json::parse(result->body, nullptr, false);
    reply.response = *result;
    return reply;
}

}  // namespace

Reply get(const http::Endpoint& to, const std::string& target) {
    http::Call what;
    what.target = target;
    return call(to, std::move(what));
}

Reply post(const http::Endpoint& to, const std::string& target, const http::Json& body) {
    return send(to, "POST", target, body);
}

Reply send(const http::Endpoint& to,
           const std::string& method,
           const std::string& target,
           const http::Json& body,
           std::vector<http::Header> headers) {
    http::Call what;
    what.method = method;
    what.target = target;
    if (!body.is_null()) what.body = body.dump();
    what.headers = std::move(headers);
    return call(to, std::move(what));
}

bool eventually(const std::function<bool()>& is_done) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < end) {
        if (is_done()) return true;
        std::this_thread::yield();
    }
    return false;
}

http::Json branch_message(const std::string& gid, const std::string& participant) {
    return {{"gid", gid},
            {"branch_id", "1"},
            {"participant", participant},
            {"coordinator", "main"},
            {"epoch", 1},
            {"low_water", gid},
            {"origin", {{"ip", "127.0.0.1"}, {"request_id", "r"}, {"actor", "test"}}}};
}

http::Json deduct(int n, std::int64_t amount) {
    http::Json message = branch_message(gid(n), "credit");
    message["operation"] = "deduct_credits";
    message["payload"] = {{"user_id", "ann"}, {"credit_type", "points"}, {"amount", amount}};
    message["business_code"] = "order";
    message["business_id"] = gid(n);
    return message;
}

}  // namespace twophase::participants::testing
