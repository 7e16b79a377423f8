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

struct Identity {
    LogClaim claim;
    std::string low_water;  // empty: not told
};

/// What a coordinator says of its log; nothing when it is no answer to this question, or when the
/// log may not be listened to yet.
std::optional<Identity> read_identity(const http::Response& response,
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
    std::string low_water = fields.optional_text("low_water", {.max_bytes = 64}).value_or("");
    const bool is_answer = !fields.error() && told_by == coordinator && echoed == nonce;
    if (!is_answer || !is_open || claim.log.empty() || claim.start.empty()) return std::nullopt;
    return Identity{std::move(claim), std::move(low_water)};
}

}  // namespace

struct LogConfirmer::State : std::enable_shared_from_this<State> {
    /// Of one coordinator.
    struct Question {
        std::unique_ptr<recovery::Peer> peer;
        std::vector<std::function<void()>> waiting;  // not empty: it is under way
        unsigned failures = 0;
        recovery::Time not_before{};
        recovery::Time no_mark_before{};
        bool wants_mark = false;
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

    void confirm_mark(const std::string& coordinator) {
        constexpr std::chrono::seconds pause{1};
        const auto found = questions.find(coordinator);
        if (found == questions.end() || around.now() < found->second.no_mark_before) return;
        found->second.no_mark_before = around.now() + pause;
        found->second.wants_mark = true;
        confirm(coordinator, [] {});
    }

    void ask(const std::string& coordinator, Question& question) {
        const std::string nonce = std::to_string(around.random());
        // Who lacks what was seen of its log says that it may not be listened to.
        const std::optional<LogClaim> seen = known_log(coordinator);
        http::Call call;
        call.target = "/v1/identity?nonce=" + nonce + (seen ? "&" + to_query(*seen) : "");
        if (std::exchange(question.wants_mark, false))
            call.target += "&participant=" + options.participant;
        question.peer->send(
            std::move(call),
            options.timeout,
            [self = shared_from_this(), coordinator, nonce, seen](
                http::Result<http::Response> result) {
                if (self->is_stopped) return;
                auto told = result ? read_identity(*result, coordinator, nonce) : std::nullopt;
                if (told && self->may_take(coordinator, told->claim, seen))
                    return self->take(coordinator, *std::move(told), seen);
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

    /// The settings may name the log.
    bool may_take(const std::string& coordinator,
                  const LogClaim& claim,
                  const std::optional<LogClaim>& seen) const {
        return !branches.is_pinned(coordinator) || (seen && seen->log == claim.log);
    }

    void take(const std::string& coordinator, Identity told, const std::optional<LogClaim>& seen) {
        auto is_taken = std::make_shared<bool>(false);
        const std::string log = told.claim.log;
        const bool is_news = !seen || seen->log != log || seen->start != told.claim.start;
        queue.submit({
            .work =
                [self = shared_from_this(),
                 coordinator,
                 told = std::move(told),
                 seen,
                 is_taken,
                 moment = clock()](wal::Unit& unit) {
                    const Branches& rules = self->branches;
                    *is_taken = rules.take_log(unit, coordinator, told.claim, seen, moment);
                    if (*is_taken) rules.take_mark(unit, coordinator, told.claim, told.low_water);
                },
            .then =
                [self = shared_from_this(), coordinator, log, is_taken, is_news](Fate fate) {
                    const bool is_known = fate == Fate::durable && *is_taken;
                    if (is_known && !is_news)
                        spdlog::debug("coordinator {} told its low-water mark", coordinator);
                    else if (is_known)
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

void LogConfirmer::confirm_mark(const std::string& coordinator) {
    state_->confirm_mark(coordinator);
}

void LogConfirmer::stop() {
    state_->is_stopped = true;
    for (auto& [id, question] : state_->questions) {
        question.peer->close();
        question.waiting.clear();
    }
}

}  // namespace twophase::participants
