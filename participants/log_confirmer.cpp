#include "participants/log_confirmer.hpp"

#include "http/document.hpp"
#include "http/fields.hpp"
#include "http/problem.hpp"
#include "participants/wire.hpp"

#include <spdlog/spdlog.h>

#include <limits>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace twophase::participants {
namespace {

/// What a coordinator says of its log; nothing when it is no answer to this question, or when the
/// log may not be listened to yet.
std::optional<LogClaim> read_identity(const http::Response& response,
                                      const std::string& coordinator,
                                      const std::string& nonce) {
    if (response.status != 200) return std::nullopt;
    const auto json = http::read_json(response.body);
    if (!json) return std::nullopt;
    http::Fields fields(json->root());
    const std::string told_by = fields.text("coordinator", {.max_bytes = 64});
    const std::string echoed = fields.text("nonce", {.max_bytes = 64});
    const bool is_open = fields.optional_boolean("open").value_or(false);
    LogClaim claim = read_log_claim(fields);
    claim.epoch = static_cast<std::uint64_t>(
        fields.integer("epoch", 1, std::numeric_limits<std::int64_t>::max()));
    const bool is_answer = !fields.error() && told_by == coordinator && echoed == nonce;
    if (!is_answer || !is_open || claim.log.empty() || claim.start.empty()) return std::nullopt;
    return claim;
}

}  // namespace

struct LogConfirmer::State : std::enable_shared_from_this<State> {
    /// Of one coordinator.
    struct Question {
        std::unique_ptr<recovery::Peer> peer;
        std::vector<std::function<void()>> waiting;  // not empty: it is under way
        unsigned failures = 0;
        recovery::Time not_before{};
    };

    State(recovery::Surroundings& the_surroundings,
          LogConfirmerOptions with,
          const Branches& the_branches,
          RequestQueue& the_queue,
          Clock the_clock)
        : around(the_surroundings),
          options(std::move(with)),
          branches(the_branches),
          queue(the_queue),
          clock(std::move(the_clock)),
          random(around.random()) {
        for (const auto& [id, endpoint] : options.coordinators)
            questions[id].peer = around.peer(endpoint, 1);
    }

    void confirm(const std::string& coordinator, std::function<void()> then) {
        const auto found = questions.find(coordinator);
        if (found == questions.end() || is_stopped) return then();
        Question& question = found->second;
        if (question.waiting.empty() && around.now() < question.not_before) return then();
        question.waiting.push_back(std::move(then));
        if (question.waiting.size() == 1) ask(coordinator, question);
    }

    void ask(const std::string& coordinator, Question& question) {
        const std::string nonce = std::to_string(around.random());
        // Who lacks what was seen of its log says that it may not be listened to.
        const std::optional<LogClaim> seen = known_log(coordinator);
        http::Call call;
        call.target = "/v1/identity?nonce=" + nonce + (seen ? "&" + to_query(*seen) : "");
        question.peer->send(
            std::move(call),
            options.timeout,
            [self = shared_from_this(), coordinator, nonce, seen](
                http::Result<http::Response> result) {
                if (self->is_stopped) return;
                auto claim = result ? read_identity(*result, coordinator, nonce) : std::nullopt;
                if (claim) return self->take(coordinator, *std::move(claim), seen);
                spdlog::info("coordinator {} was asked which log it works on: {}",
                             coordinator,
                             result ? "no answer that counts, " + http::describe(*result)
                                    : result.error().message());
                self->end(coordinator, false);
            });
    }

    std::optional<LogClaim> known_log(const std::string& coordinator) const {
        try {
            return branches.known_log(queue.store().snapshot(), coordinator);
        } catch (const DamagedRecord&) {
            return std::nullopt;
        }
    }

    void take(const std::string& coordinator, LogClaim claim, const std::optional<LogClaim>& seen) {
        auto is_taken = std::make_shared<bool>(false);
        const std::string log = claim.log;
        queue.submit({
            .work =
                [self = shared_from_this(),
                 coordinator,
                 claim = std::move(claim),
                 seen,
                 is_taken,
                 moment = clock()](wal::Unit& unit) {
                    *is_taken = self->branches.take_log(unit, coordinator, claim, seen, moment);
                },
            .then =
                [self = shared_from_this(), coordinator, log, is_taken](Fate fate) {
                    const bool is_known = fate == Fate::durable && *is_taken;
                    if (is_known)
                        spdlog::info("listening to log {} of coordinator {}", log, coordinator);
                    else
                        spdlog::warn("log {} of coordinator {} is not listened to: another one is",
                                     log,
                                     coordinator);
                    self->end(coordinator, is_known);
                },
            .label = "take_log",
        });
    }

    void end(const std::string& coordinator, bool is_known) {
        Question& question = questions.at(coordinator);
        question.failures = is_known ? 0 : question.failures + 1;
        question.not_before = {};
        if (!is_known)
            question.not_before =
                around.now() + recovery::backoff(options.backoff, question.failures, random);
        for (const auto& then : std::exchange(question.waiting, {})) then();
    }

    recovery::Surroundings& around;
    LogConfirmerOptions options;
    const Branches& branches;
    RequestQueue& queue;
    Clock clock;
    std::map<std::string, Question> questions;
    std::mt19937_64 random;
    bool is_stopped = false;
};

LogConfirmer::LogConfirmer(recovery::Surroundings& around,
                           LogConfirmerOptions options,
                           const Branches& branches,
                           RequestQueue& queue,
                           Clock clock)
    : state_(
          std::make_shared<State>(around, std::move(options), branches, queue, std::move(clock))) {}

LogConfirmer::~LogConfirmer() { stop(); }

void LogConfirmer::confirm(const std::string& coordinator, std::function<void()> then) {
    state_->confirm(coordinator, std::move(then));
}

void LogConfirmer::stop() {
    state_->is_stopped = true;
    for (auto& [id, question] : state_->questions) {
        question.peer->close();
        question.waiting.clear();
    }
}

}  // namespace twophase::participants
