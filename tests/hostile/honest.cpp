#include "tests/hostile/honest.hpp"

#include "tests/hostile/attack.hpp"

#include <memory>
#include <utility>

namespace twophase::hostile {
namespace {

using faults::Exchange;
using faults::Json;

constexpr std::size_t enough = 5;
constexpr std::int64_t price = 10;

std::string ask_anew(const faults::Program& program, const std::string& bytes) {
    RawSocket socket = connect(program);
    return ask(socket, bytes);
}

}  // namespace

Honest::Honest(const faults::Fleet& fleet, std::string prefix)
    : fleet_(fleet),
      prefix_(std::move(prefix)),
      kept_(std::make_unique<RawSocket>(connect(fleet.coordinator))),
      thread_([this] { run(); }) {}

Honest::~Honest() { stop(); }

void Honest::stop() {
    is_stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

std::string Honest::failure() const {
    const std::scoped_lock lock(mutex_);
    return failure_;
}

bool Honest::goes_on() {
    // The one under way may have begun before.
    const std::size_t goal = done_ + 1 + enough;
    const bool is_served =
        faults::eventually(patience, [&] { return done_ >= goal || !failure().empty(); });
    return is_served && failure().empty();
}

void Honest::run() {
    try {
        while (!is_stopping_ && exchange()) ++done_;
    } catch (const std::exception& error) {
        fail(error.what());  // no connection
    }
}

bool Honest::exchange() {
    Exchange exchange{.business_id = prefix_ + std::to_string(done_), .user = "u0", .price = price};
    Json request = faults::Load::request_of(exchange);
    // Slower is no failure here: attacks cost a small machine much of its time.
    request["timeout_ms"] = 60'000;
    const std::string bytes = post("/v1/transactions", request.dump());
    const bool is_kept = done_ % 2 == 0;
    const std::string answer = is_kept ? ask(*kept_, bytes) : ask_anew(fleet_.coordinator, bytes);
    const Json told = Json::parse(body_of(answer), nullptr, false);
    if (status_of(answer) != 200 || !told.is_object() || told.value("state", "") != "committed")
        return fail(exchange.business_id + (is_kept ? " (kept): " : ": ") + answer);
    exchange.gids.insert(told.at("gid").get<std::string>());
    exchange.told.insert("commit");
    exchange.is_over = true;
    exchanges_.emplace(exchange.business_id, std::move(exchange));
    return look(fleet_.credit, "/v1/accounts/u0/points") &&
           look(fleet_.coupon, "/v1/users/u0/coupons?limit=1");
}

bool Honest::look(const faults::Program& program, const std::string& target) {
    const std::string answer = ask_anew(program, get(target));
    return status_of(answer) == 200 || fail(target + ": " + answer);
}

bool Honest::fail(const std::string& what) {
    const std::scoped_lock lock(mutex_);
    failure_ = what;
    return false;
}

}  // namespace twophase::hostile
