#include "participants/inquirer.hpp"

#include "http/fields.hpp"
#include "http/problem.hpp"
#include "http/retry_after.hpp"
#include "participants/wire.hpp"
#include "wal/crash_point.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <utility>

namespace twophase::participants {
namespace {

using Inquired = ParticipantMetrics::Inquired;

/// How often something failed in a row, and when it may be tried again.
struct Attempts {
    unsigned failures = 0;
    recovery::Time not_before{};
    std::size_t in_flight = 0;
    bool is_heard = false;  // the last one was answered
};

/// What a coordinator answered, checked; nothing when it is no decision.
std::optional<Message> read_decision(const http::Response& response,
                                     const Branches::InDoubtItem& item) {
    if (response.status != 200) return std::nullopt;
    const auto json = http::read_json(response.body);
    if (!json) return std::nullopt;
    http::Fields fields(json->root());
    Message message;
    message.gid = fields.text("gid", {.max_bytes = 64});
    message.coordinator = fields.text("coordinator", {.max_bytes = 64});
    message.epoch = static_cast<std::uint64_t>(
        fields.integer("epoch", 0, std::numeric_limits<std::int64_t>::max()));
    LogClaim claim = read_log_claim(fields);
    message.log = std::move(claim.log);
    message.start = std::move(claim.start);
    message.position = claim.position;
    message.began_at = claim.began_at;
    message.replaces = std::move(claim.replaces);
    const std::string decision = fields.text("decision", {.max_bytes = 16});
    const bool is_known = decision == "commit" || decision == "rollback";
    // Another service on that port, or another transaction's answer, decides nothing.
    if (fields.error() || !is_known || message.gid != item.gid ||
        message.coordinator != item.entry.coordinator)
        return std::nullopt;
    message.verb = decision == "commit" ? Verb::commit : Verb::rollback;
    message.branch_id = item.branch_id;
    message.origin.actor = "inquiry";
    return message;
}

}  // namespace

struct Inquirer::State : std::enable_shared_from_this<State> {
    State(recovery::Surroundings& the_surroundings,
          InquirerOptions with,
          const Branches& the_branches,
          RequestQueue& the_queue,
          Clock the_clock)
        : around(the_surroundings),
          options(std::move(with)),
          branches(the_branches),
          queue(the_queue),
          clock(std::move(the_clock)),
          alarm(around.alarm()),
          random(around.random()) {
        for (const auto& [id, endpoint] : options.coordinators)
            peers.emplace(id, around.peer(endpoint, options.most_in_flight));
    }

    void look_later() {
        alarm->set(around.now() + options.look_every, [self = shared_from_this()] {
            if (self->is_stopped) return;
            self->look();
            self->look_later();
        });
    }

    /// Goes round and round through the list, page by page, as far as there are free places.
    void look() {
        constexpr int most_pages = 200;
        forget_settled();
        const auto age =
            std::chrono::duration_cast<std::chrono::microseconds>(options.inquire_after);
        Branches::InDoubtFilter filter;
        filter.now = clock().microseconds;
        filter.prepared_before = *filter.now - age.count() + 1;
        filter.limit = 2 * options.most_in_flight;
        for (int pages = 0; pages < most_pages && in_flight < options.most_in_flight; ++pages) {
            filter.after = after;
            const Branches::InDoubtPage page = branches.in_doubt(queue.store().snapshot(), filter);
            after = page.next;
            ask_those_of(page);
            if (after.empty()) return;
        }
    }

    void ask_those_of(const Branches::InDoubtPage& page) {
        for (const Branches::InDoubtItem& item : page.items) {
            if (in_flight >= options.most_in_flight) {
                after = previous(item);
                return;
            }
            if (may_ask(item)) ask(item);
        }
    }

    /// A place is free: goes on at once where this round isn't over.
    void go_on() {
        --in_flight;
        if (!after.empty() && !is_stopped) look();
    }

    /// A cursor from which `item` comes next. Only its order counts, not whether it exists.
    static std::string previous(const Branches::InDoubtItem& item) {
        std::string key = branch_key(item.gid, item.branch_id);
        key.pop_back();
        return key;
    }

    bool may_ask(const Branches::InDoubtItem& item) {
        const std::string& coordinator = item.entry.coordinator;
        if (!peers.contains(coordinator)) return false;
        const Attempts& lane = lanes[coordinator];
        const auto now = around.now();
        if (now < lane.not_before) return false;
        // One probe at a time for a coordinator that didn't answer the last one, or was never
        // asked: the places are for all coordinators, and one that can't be found must not take
        // them.
        if (!lane.is_heard && lane.in_flight > 0) return false;
        const auto asked = pending.find(branch_key(item.gid, item.branch_id));
        return asked == pending.end() ||
               (asked->second.in_flight == 0 && now >= asked->second.not_before);
    }

    void ask(const Branches::InDoubtItem& item) {
        ++in_flight;
        ++lanes[item.entry.coordinator].in_flight;
        ++pending[branch_key(item.gid, item.branch_id)].in_flight;
        wal::crash_point("inquire");
        http::Call call;
        call.target = "/v1/transactions/" + item.gid + "/decision" + witness(item);
        peers.at(item.entry.coordinator)
            ->send(std::move(call),
                   options.timeout,
                   [self = shared_from_this(), item](http::Result<http::Response> result) {
                       if (!self->is_stopped) self->answered(item, result);
                   });
    }

    /// What is known of the log that is to answer: if it knows less, it must not presume.
    std::string witness(const Branches::InDoubtItem& item) const {
        try {
            const auto known = branches.known_log(queue.store().snapshot(), item.entry.coordinator);
            if (!known) return "";
            return "?participant=" + options.participant + "&" + to_query(*known);
        } catch (const DamagedRecord&) {
            return "";
        }
    }

    void answered(const Branches::InDoubtItem& item, const http::Result<http::Response>& result) {
        wal::crash_point("inquired");
        Attempts& lane = lanes[item.entry.coordinator];
        --lane.in_flight;
        if (!result || result->status >= 500 || result->status == 429) {
            fail(lane, result ? retry_after(*result) : recovery::Time{0});
            lane.is_heard = false;
            spdlog::info("inquiry {}/{}: no answer: {}",
                         item.gid,
                         item.branch_id,
                         result ? http::describe(*result) : result.error().message());
            queue.metrics().note(Inquired::no_answer);
            return settle(item);
        }
        lane.failures = 0;
        lane.not_before = {};
        lane.is_heard = true;
        std::optional<Message> decision = read_decision(*result, item);
        if (!decision) {
            queue.metrics().note(Inquired::undecided);
            fail(pending[branch_key(item.gid, item.branch_id)]);
            return release(item);
        }
        queue.metrics().note(decision->verb == Verb::commit ? Inquired::commit
                                                            : Inquired::rollback);
        carry_out(item, std::move(*decision));
    }

    void carry_out(const Branches::InDoubtItem& item, Message decision) {
        decision.participant = options.participant;
        auto message = std::make_shared<Message>(std::move(decision));
        auto answer = std::make_shared<Answer>();
        queue.submit({
            .work =
                [self = shared_from_this(), message, answer, moment = clock()](wal::Unit& unit) {
                    *answer = self->branches.handle(unit, *message, moment);
                },
            .then =
                [self = shared_from_this(), item, message, answer](Fate fate) {
                    const bool is_done = fate == Fate::durable && answer->status == 200;
                    spdlog::info("inquiry {}/{}: {} {}",
                                 item.gid,
                                 item.branch_id,
                                 to_string(message->verb),
                                 is_done ? "done" : "not taken: " + answer->code);
                    if (is_done) return self->settle(item);
                    self->fail(self->pending[branch_key(item.gid, item.branch_id)]);
                    self->release(item);
                },
            .label = to_string(message->verb),
        });
    }

    /// `at_least`: how long the coordinator asked to be left alone.
    void fail(Attempts& attempts, recovery::Time at_least = {}) {
        const recovery::Time wait = recovery::backoff(options.backoff, ++attempts.failures, random);
        const recovery::Time until =
            around.now() + std::max(wait, std::min(at_least, options.backoff.most));
        attempts.not_before = std::max(attempts.not_before, until);
    }

    recovery::Time retry_after(const http::Response& response) const {
        return http::retry_after(response, around.wall_microseconds() / 1'000'000);
    }

    /// This inquiry is over; the branch keeps its own waiting time.
    void release(const Branches::InDoubtItem& item) {
        --pending[branch_key(item.gid, item.branch_id)].in_flight;
        go_on();
    }

    void settle(const Branches::InDoubtItem& item) {
        pending.erase(branch_key(item.gid, item.branch_id));
        go_on();
    }

    /// Bounds the memory of waiting times: losing them only asks sooner.
    void forget_settled() {
        constexpr std::size_t most_pending = 100'000;
        if (pending.size() < most_pending) return;
        std::erase_if(pending, [](const auto& entry) { return entry.second.in_flight == 0; });
    }

    recovery::Surroundings& around;
    InquirerOptions options;
    const Branches& branches;
    RequestQueue& queue;
    Clock clock;
    std::unique_ptr<recovery::Alarm> alarm;
    std::map<std::string, std::unique_ptr<recovery::Peer>> peers;
    std::map<std::string, Attempts> lanes;    // by coordinator
    std::map<std::string, Attempts> pending;  // by branch: asked and not settled
    std::mt19937_64 random;
    std::string after;
    std::size_t in_flight = 0;
    bool is_stopped = false;
};

Inquirer::Inquirer(recovery::Surroundings& around,
                   InquirerOptions options,
                   const Branches& branches,
                   RequestQueue& queue,
                   Clock clock)
    : state_(
          std::make_shared<State>(around, std::move(options), branches, queue, std::move(clock))) {}

Inquirer::~Inquirer() { stop(); }

void Inquirer::start() { state_->look_later(); }

void Inquirer::stop() {
    state_->is_stopped = true;
    state_->alarm->cancel();
    for (auto& [id, peer] : state_->peers) peer->close();
}

}  // namespace twophase::participants
