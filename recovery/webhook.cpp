#include "recovery/webhook.hpp"

#include "http/errc.hpp"
#include "http/problem.hpp"
#include "http/retry_after.hpp"
#include "recovery/lane.hpp"

#include <spdlog/spdlog.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace twophase::recovery {
namespace {

enum class Verb { post };
using EventNumber = std::uint64_t;
using Schedule = Lane<EventNumber, Verb, std::hash<EventNumber>>;

unsigned class_of(Verb) { return 0; }

LaneOptions lane_options(const WebhookOptions& options) {
    LaneOptions lane;
    lane.backoff = options.backoff;
    return lane;
}

bool is_taken(const http::Result<http::Response>& answer) {
    return answer && answer->status >= 200 && answer->status < 300;
}

Outcome outcome_of(const http::Result<http::Response>& answer) {
    if (is_taken(answer)) return Outcome::clear;
    const bool is_late = !answer && answer.error() == http::Errc::timed_out;
    return answer || is_late ? Outcome::unclear : Outcome::unreachable;
}

}  // namespace

struct Webhook::State : std::enable_shared_from_this<State> {
    State(Surroundings& the_surroundings, WebhookOptions with)
        : around(the_surroundings),
          options(std::move(with)),
          schedule(lane_options(options), class_of, around.random()),
          peer(around.peer(options.endpoint, lane_options(options).window)),
          alarm(around.alarm()) {}

    bool take(std::string event) {
        const std::size_t size = event.size();
        if (events.size() >= options.most || size > options.most_bytes - bytes) return false;
        bytes += size;
        events.emplace(++last, std::move(event));
        schedule.want(last, Verb::post, size);
        pump();
        return true;
    }

    void pump() {
        for (Schedule::Request& request : schedule.take(around.now())) post(std::move(request));
        if (const auto due = schedule.next_due())
            alarm->set(*due, [weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->pump();
            });
        else
            alarm->cancel();
    }

    void post(Schedule::Request request) {
        http::Call call{.method = "POST",
                        .target = options.endpoint.base_path().empty() ? "/" : "",
                        .body = events.at(request.calls.front().key),
                        .content_type = "application/cloudevents+json",
                        .needs_body = false};
        peer->send(std::move(call),
                   options.timeout,
                   [weak = weak_from_this(),
                    request = std::move(request)](const http::Result<http::Response>& answer) {
                       const auto self = weak.lock();
                       if (self && !self->is_stopped) self->answered(request, answer);
                   });
    }

    void answered(const Schedule::Request& request, const http::Result<http::Response>& answer) {
        const Schedule::Call& call = request.calls.front();
        const Time wait =
            answer ? http::retry_after(*answer, around.wall_microseconds() / 1'000'000) : Time{0};
        if (is_taken(answer)) {
            schedule.settled(call);
            const auto found = events.find(call.key);
            bytes -= found->second.size();
            events.erase(found);
        } else {
            schedule.unclear(call, around.now(), true, wait);
        }
        note_health(answer);
        schedule.done(request, outcome_of(answer), around.now(), wait);
        pump();
    }

    void note_health(const http::Result<http::Response>& answer) {
        const bool was_failing = std::exchange(is_failing, !is_taken(answer));
        if (is_failing && !was_failing)
            spdlog::warn("the webhook {} does not take an alert: {}",
                         options.endpoint.text(),
                         answer ? http::describe(*answer) : answer.error().message());
        if (was_failing && !is_failing) spdlog::info("the webhook takes alerts again");
    }

    void stop() {
        is_stopped = true;
        alarm->cancel();
        peer->close();
    }

    Surroundings& around;
    WebhookOptions options;
    Schedule schedule;
    std::unique_ptr<Peer> peer;
    std::unique_ptr<Alarm> alarm;
    std::map<EventNumber, std::string> events;  // not taken yet
    std::size_t bytes = 0;                      // of all of them
    EventNumber last = 0;
    bool is_failing = false;
    bool is_stopped = false;
};

Webhook::Webhook(Surroundings& around, WebhookOptions options)
    : state_(std::make_shared<State>(around, std::move(options))) {}

Webhook::~Webhook() { state_->stop(); }

bool Webhook::send(std::string event) { return state_->take(std::move(event)); }

std::size_t Webhook::waiting() const { return state_->events.size(); }

}  // namespace twophase::recovery
