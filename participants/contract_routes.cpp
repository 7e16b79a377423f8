#include "participants/contract_routes.hpp"

#include "http/fields.hpp"
#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/text.hpp"
#include "participants/calls.hpp"
#include "participants/log_routes.hpp"
#include "participants/wire.hpp"
#include "wal/crash_point.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace twophase::participants {
namespace {

using http::Json;

/// One message under way: read from a request, later answered.
struct Exchange {
    Message message;
    Answer answer;
};

Answer unavailable(unsigned status, std::string code, std::string message) {
    Answer answer;
    answer.status = status;
    answer.code = std::move(code);
    answer.message = std::move(message);
    return answer;
}

Answer damaged() {
    return unavailable(500, "damaged-record", "a stored record of this branch is damaged");
}

Answer no_room() {
    Answer answer = unavailable(503, "no-room", "the store is nearly full; nothing was written");
    answer.is_for_room = true;
    return answer;
}

void log(const Exchange& exchange) {
    const auto& [message, answer] = exchange;
    const char* verb = to_string(message.verb);
    if (answer.status == 200)
        spdlog::debug(
            "{} {}/{}: {}{}", verb, message.gid, message.branch_id, answer.vote, answer.state);
    else
        spdlog::info("{} {}/{}: {} {} {}",
                     verb,
                     message.gid,
                     message.branch_id,
                     answer.status,
                     answer.code,
                     answer.reason);
}

/// Answers the messages of one HTTP request when the last of them is durable.
class Gathering : public std::enable_shared_from_this<Gathering> {
public:
    Gathering(const Branches& branches,
              RequestQueue& queue,
              LogConfirmer& confirmer,
              Verb verb,
              bool is_array,
              wal::Urgency urgency,
              http::Respond respond)
        : branches_(branches),
          queue_(queue),
          confirmer_(confirmer),
          verb_(verb),
          is_array_(is_array),
          urgency_(urgency),
          respond_(std::move(respond)) {}

    void read(const http::Value& json) {
        ReadMessage read = read_message(verb_, json);
        exchanges_.push_back({std::move(read.message), std::move(read.refusal).value_or(Answer{})});
    }

    void submit(const Moment& moment) {
        wal::crash_point("receive", to_string(verb_));
        queue_.metrics().received(exchanges_.size());
        const bool is_new_work = begins_work(verb_);
        std::vector<Piece> pieces;
        moment_ = moment;
        for (Exchange& exchange : exchanges_) {
            if (exchange.answer.status != 200) continue;  // unreadable: answered already
            if (!queue_.has_space(is_new_work, pieces.size() + 1))
                exchange.answer = unavailable(503, "overloaded", "too many requests wait");
            else
                pieces.push_back(piece(exchange, is_new_work));
        }
        waiting_ = pieces.size();
        if (waiting_ == 0) return respond();
        queue_.submit(std::move(pieces));
    }

private:
    Piece piece(Exchange& exchange, bool is_new_work) {
        return {
            .work =
                [self = shared_from_this(), &exchange](wal::Unit& unit) {
                    exchange.answer = self->branches_.handle(unit, exchange.message, self->moment_);
                },
            .then = [self = shared_from_this(),
                     &exchange](Fate fate) { self->answer(exchange, fate); },
            .is_new_work = is_new_work,
            .urgency = urgency_,
            .label = to_string(verb_),
        };
    }

    void answer(Exchange& exchange, Fate fate) {
        if (fate == Fate::damaged) exchange.answer = damaged();
        if (fate == Fate::no_room) {
            if (is_repeat(exchange)) return queue_.submit(piece(exchange, false));
            if (exchange.answer.status == 200) exchange.answer = no_room();
        }
        if (--waiting_ == 0) respond();
    }

    /// A branch that is known is answered as before: "nothing was written" is said of none that
    /// was. What can't be read is answered by the unit, as elsewhere.
    bool is_repeat(Exchange& exchange) const {
        try {
            return branches_.is_known(queue_.store().snapshot(), exchange.message);
        } catch (const DamagedRecord&) {
            exchange.answer = damaged();
            return false;
        }
    }

    void respond() {
        for (const Exchange& exchange : exchanges_) {
            log(exchange);
            queue_.metrics().note(verb_, exchange.answer);
        }
        ask_what_is_new();
        wal::crash_point("reply", to_string(verb_));
        http::Response response =
            is_array_ ? array_of_answers()
                      : to_response(exchanges_.front().message, exchanges_.front().answer);
        add_headers(response);
        respond_(std::move(response));
        wal::crash_point("replied", to_string(verb_));
    }

    /// The sender asks again: by then it may be listened to.
    void ask_what_is_new() {
        for (const auto& [message, answer] : exchanges_)
            if (answer.code == "unconfirmed-log")
                return confirmer_.confirm(message.coordinator, [] {});
        for (const auto& [message, answer] : exchanges_)
            if (answer.has_mark_ahead) return confirmer_.confirm_mark(message.coordinator);
    }

    /// One request is of one coordinator, so the last message tells for all.
    void add_headers(http::Response& response) const {
        const auto& [message, answer] = exchanges_.back();
        if (message.log.empty()) return;
        if (answer.status == 200)
            response.headers.push_back({known_header,
                                        message.log + " " + std::to_string(message.epoch) + " " +
                                            message.start + " " +
                                            std::to_string(answer.known_position)});
        response.headers.push_back({store_header, store_text(queue_.store())});
    }

    http::Response array_of_answers() const {
        constexpr std::size_t usual_bytes = 256;
        std::string items;
        items.reserve(usual_bytes * exchanges_.size());
        for (const Exchange& exchange : exchanges_) {
            items += items.empty() ? '[' : ',';
            append_item(items, exchange.message, exchange.answer);
        }
        items += ']';
        return {.status = 200,
                .body = std::move(items),
                .content_type = "application/json",
                .headers = {}};
    }

    const Branches& branches_;
    RequestQueue& queue_;
    LogConfirmer& confirmer_;
    Verb verb_;
    bool is_array_;
    wal::Urgency urgency_;
    Moment moment_;
    http::Respond respond_;
    std::vector<Exchange> exchanges_;  // doesn't grow once pieces point into it
    std::size_t waiting_ = 0;
};

bool begins_with_bracket(std::string_view body) {
    const std::size_t first = body.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && body[first] == '[';
}

http::Handler branch_handler(Verb verb,
                             const Branches& branches,
                             RequestQueue& queue,
                             LogConfirmer& confirmer,
                             Clock clock,
                             std::size_t most_items) {
    return [verb, &branches, &queue, &confirmer, clock = std::move(clock), most_items](
               http::Request request, http::Respond respond) {
        const bool is_array = begins_with_bracket(request.body);
        const wal::Urgency urgency = urgency_of(request.header("Priority"));
        // A payload may have any, and one that we can't use holds up its own branch only.
        http::JsonLimits limits{.long_integers = true};
        if (is_array) ++limits.depth;  // sixteen levels inside each message
        const auto json = http::read_json(request.body, limits);
        if (!json) return respond(http::problem(json.error()));
        const http::Value& root = json->root();
        if (is_array && (root.empty() || root.size() > most_items))
            return respond(http::problem(http::FieldError{
                "", "an array of 1 to " + std::to_string(most_items) + " messages"}));
        auto gathering = std::make_shared<Gathering>(
            branches, queue, confirmer, verb, is_array, urgency, std::move(respond));
        if (is_array)
            for (const http::Value& item : root) gathering->read(item);
        else
            gathering->read(root);
        gathering->submit(clock());
    };
}

Json to_json(const Branches::InDoubtPage& page) {
    Json items = Json::array();
    for (const Branches::InDoubtItem& item : page.items)
        items.push_back({{"gid", item.gid},
                         {"branch_id", item.branch_id},
                         {"coordinator", item.entry.coordinator},
                         {"prepared_at", http::instant_text(item.entry.prepared_at)},
                         {"operation", item.entry.operation}});
    return {{"items", std::move(items)}, {"next", page.next.empty() ? Json() : Json(page.next)}};
}

http::Response list_in_doubt(const Branches& branches,
                             wal::Store& store,
                             const Moment& moment,
                             const http::Request& request) {
    const QueryNumber before = query_instant(request, "prepared_before");
    const QueryNumber limit = query_number(request, "limit", 1, 500);
    if (before.error) return http::problem(*before.error);
    if (limit.error) return http::problem(*limit.error);
    const std::string after = query_text(request, "after");
    if (after.size() > 256) return http::problem(http::FieldError{"after", "a cursor from `next`"});
    const Branches::InDoubtFilter filter{
        .coordinator = query_text(request, "coordinator"),
        .prepared_before = before.value,
        .now = moment.microseconds,
        .after = after,
        .limit = static_cast<std::size_t>(limit.value.value_or(100)),
    };
    Json answer = to_json(branches.in_doubt(store.snapshot(), filter));
    add_introduction(answer, branches, store, request);
    return http::json_response(answer);
}

}  // namespace

wal::Urgency urgency_of(std::string_view priority) {
    constexpr char usual = '3';
    char urgency = usual;
    while (const auto member = http::next_in_list(priority)) {
        const bool is_urgency = member->size() == 3 && member->starts_with("u=");
        if (is_urgency && (*member)[2] >= '0' && (*member)[2] <= '7') urgency = (*member)[2];
    }
    return urgency > usual ? wal::Urgency::lazy : wal::Urgency::forced;
}

void add_contract_routes(http::Router& router,
                         const Branches& branches,
                         RequestQueue& queue,
                         LogConfirmer& confirmer,
                         Clock clock,
                         std::size_t most_items) {
    for (const Verb verb :
         {Verb::prepare, Verb::commit, Verb::rollback, Verb::execute, Verb::compensate})
        router.add("POST",
                   std::string("/v1/branches/") + to_string(verb),
                   branch_handler(verb, branches, queue, confirmer, clock, most_items));
    router.add_list("/v1/branches/in-doubt",
                    [&, clock](const http::Request& request, const http::Respond& respond) {
                        // Who asks what is known hears of all that came before its question.
                        const auto answer = [&, clock, request, respond] {
                            queue.when_caught_up([&, clock, request, respond] {
                                respond(read_or_damaged([&] {
                                    return list_in_doubt(branches, queue.store(), clock(), request);
                                }));
                            });
                        };
                        confirm_first(branches, queue.store(), confirmer, request, answer);
                    });
    add_log_routes(router, branches, queue, clock);
}

}  // namespace twophase::participants
