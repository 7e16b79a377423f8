#include "tests/conformance/stand_in.hpp"

#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "http/server.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace twophase::conformance {

using http::Json;

struct StandIn::State {
    struct Asked {
        Say say = Say::pending;
        int times = 0;
    };

    State(const ListenAt& at, std::string as, std::uint64_t epoch_to_say)
        : coordinator(std::move(as)),
          epoch(epoch_to_say),
          server(io, {.address = at.address, .port = at.port}, make_router()) {}

    http::Router make_router() {
        http::Router router;
        router.add("GET",
                   "/v1/transactions/{gid}/decision",
                   [this](const http::Request& request, const http::Respond& respond) {
                       respond(decide(request.parameter("gid")));
                   });
        router.add("GET",
                   "/v1/identity",
                   [this](const http::Request& request, const http::Respond& respond) {
                       const auto nonce = request.query.find("nonce");
                       respond(identity(nonce == request.query.end() ? "" : nonce->second));
                   });
        return router;
    }

    http::Response identity(const std::string& nonce) {
        const std::lock_guard guard(mutex);
        ++identity_asked;
        changed.notify_all();
        if (!confirmed || confirmed->log.empty())
            return http::problem(404, "not-found", "nothing here");
        return http::json_response({{"coordinator", coordinator},
                                    {"epoch", epoch.load()},
                                    {"log", confirmed->log},
                                    {"start", confirmed->start},
                                    {"position", confirmed->position},
                                    {"replaces", confirmed->replaces},
                                    {"open", true},
                                    {"nonce", nonce}});
    }

    http::Response decide(const std::string& gid) {
        const Say say = count(gid);
        if (say == Say::not_found) return http::problem(404, "unknown-transaction", "not ours");
        const char* decision = say == Say::pending    ? "pending"
                               : say == Say::rollback ? "rollback"
                                                      : "commit";
        std::string named = gid;
        if (say == Say::another_commit) named.back() = named.back() == '0' ? '1' : '0';
        Json answer{{"gid", named},
                    {"coordinator", coordinator},
                    {"epoch", epoch.load()},
                    {"decision", decision}};
        const std::lock_guard guard(mutex);
        if (log.log.empty()) return http::json_response(answer);
        answer["log"] = log.log;
        answer["start"] = log.start;
        answer["position"] = log.position;
        answer["replaces"] = log.replaces;
        return http::json_response(answer);
    }

    Say count(const std::string& gid) {
        const std::lock_guard guard(mutex);
        Asked& one = asked[gid];
        ++one.times;
        changed.notify_all();
        return one.say;
    }

    std::string coordinator;
    std::atomic<std::uint64_t> epoch;
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, Asked> asked;
    Log log;
    std::optional<Log> confirmed;
    int identity_asked = 0;
    boost::asio::io_context io{1};
    http::Server server;
    std::thread thread;
};

StandIn::StandIn(const ListenAt& at, std::string coordinator, std::uint64_t epoch)
    : state_(std::make_unique<State>(at, std::move(coordinator), epoch)) {
    state_->server.start();
    if (!at.address_file.empty())
        http::write_address_file(at.address_file, at.address, state_->server.port());
    state_->thread = std::thread([this] { state_->io.run(); });
}

StandIn::~StandIn() {
    state_->io.stop();
    state_->thread.join();
}

void StandIn::set_epoch(std::uint64_t epoch) { state_->epoch = epoch; }

void StandIn::set_log(const Log& log) {
    confirm(log);
    const std::lock_guard guard(state_->mutex);
    state_->log = log;
}

void StandIn::confirm(const std::optional<Log>& log) {
    const std::lock_guard guard(state_->mutex);
    state_->confirmed = log;
    state_->identity_asked = 0;
}

bool StandIn::wait_identity_asked(int times, std::chrono::milliseconds limit) {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, limit, [&] { return state_->identity_asked >= times; });
}

void StandIn::answer(const std::string& gid, Say say) {
    const std::lock_guard guard(state_->mutex);
    state_->asked[gid] = {.say = say, .times = 0};
}

bool StandIn::wait_asked(const std::string& gid, int times, std::chrono::milliseconds limit) {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, limit, [&] { return state_->asked[gid].times >= times; });
}

}  // namespace twophase::conformance
