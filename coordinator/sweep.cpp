#include "coordinator/sweep.hpp"

#include "http/document.hpp"
#include "http/problem.hpp"
#include "http/retry_after.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <utility>

namespace twophase::coordinator {
namespace {

using recovery::Time;

constexpr int items_in_page = 500;
constexpr std::size_t most_pages = 1'000;
constexpr Time page_pause{250};
constexpr Time first_pause{50};

/// "Does not know the question": all that a participant of others may say to it. What passes by
/// itself, and what only a proxy in between says, is no answer.
bool is_foreign(unsigned status) {
    return status == 501 || (status >= 400 && status < 500 && status != 408 && status != 429);
}

}  // namespace

Sweep::Sweep(recovery::Surroundings& around,
             recovery::Peer& peer,
             const Config& config,
             std::string participant,
             Hooks hooks)
    : around_(around),
      peer_(peer),
      participant_(std::move(participant)),
      path_("/in-doubt?coordinator=" + config.id + "&limit=" + std::to_string(items_in_page)),
      call_timeout_(config.call_timeout),
      interval_(config.sweep_interval),
      hooks_(std::move(hooks)),
      alarm_(around.alarm()),
      page_alarm_(around.alarm()),
      longest_pause_(std::min(config.probe_most, config.sweep_interval)),
      longest_wait_(config.retry_most) {}

void Sweep::start() {
    if (is_stopped_) return;  // the alarm may have been under way
    is_soon_ = false;
    if (around_.now() < not_before_) {
        alarm_->set(not_before_, [self = shared_from_this()] { self->start(); });
        return;
    }
    begin();
    begin_later();
}

void Sweep::start_soon() {
    if (is_stopped_ || is_under_way_ || is_soon_) return;
    if (failures_ == 0) return start();
    is_soon_ = true;
    const Time pause = std::min(longest_pause_, first_pause * (1U << std::min(failures_, 10U)));
    alarm_->set(around_.now() + pause, [self = shared_from_this()] { self->start(); });
}

void Sweep::start_now() {
    failures_ = 0;
    is_soon_ = false;
    // What is under way was asked before there was a reason to ask again.
    is_wanted_again_ = is_under_way_;
    start_soon();
}

void Sweep::start_anew() {
    not_before_ = {};
    start_now();
}

void Sweep::stop() {
    is_stopped_ = true;
    alarm_->cancel();
    page_alarm_->cancel();
}

void Sweep::begin() {
    if (!std::exchange(is_under_way_, true)) ask({});
}

void Sweep::begin_later() {
    alarm_->set(around_.now() + interval_, [self = shared_from_this()] { self->start(); });
}

void Sweep::ask(const std::string& after) {
    if (is_stopped_) return;
    http::Call call{.method = "GET", .target = path_};
    if (after.empty()) {
        question_ = hooks_.question();
        call.target += "&nonce=" + question_->nonce + question_->claim;
        if (question_->remembered)
            call.target += "&store_epoch=" + std::to_string(question_->remembered->epoch);
    } else {
        call.target += "&after=" + after;
    }
    peer_.send(std::move(call),
               call_timeout_,
               [self = shared_from_this()](const http::Result<http::Response>& response) {
                   self->handle(response);
               });
}

void Sweep::handle(const http::Result<http::Response>& response) {
    if (is_stopped_) return;
    std::string next;
    const bool is_answered = read(response, next);
    if (is_stopped_) return;
    // A cursor that stands still, or pages without end, are not followed: the next sweep begins
    // anew.
    const bool goes_on = next != last_page_ && ++pages_ < most_pages;
    last_page_ = next;
    if (is_answered && !next.empty() && goes_on) return ask_next(next);
    pages_ = 0;
    last_page_.clear();
    is_under_way_ = false;
    if (is_answered) hooks_.ended();
    if (is_stopped_) return;
    if (std::exchange(is_wanted_again_, false)) return start();
    failures_ = hooks_.is_urgent() ? failures_ + 1 : 0;
    if (failures_ > 0) start_soon();
}

/// Without somebody who waits, most of what it would tell is being told anyway, and the rest asks
/// for itself: it leaves the loop to live traffic.
void Sweep::ask_next(const std::string& after) {
    if (hooks_.is_urgent()) return ask(after);
    page_alarm_->set(around_.now() + page_pause,
                     [self = shared_from_this(), after] { self->ask(after); });
}

/// Hands up what came of the question; false when nothing did.
bool Sweep::introduce(const Introduction& introduction) {
    const Question question = *std::exchange(question_, std::nullopt);
    return hooks_.introduced(question, introduction) && !is_stopped_;
}

bool Sweep::fail(const std::string& why) {
    hooks_.failed("asked what it holds in doubt: " + why);
    return false;
}

/// Hands up one page; false when it was none.
bool Sweep::read(const http::Result<http::Response>& response, std::string& next) {
    if (!response) return fail(response.error().message());
    const Time wait = http::retry_after(*response, around_.wall_microseconds() / 1'000'000);
    // A second is the least that can be asked for: it says "soon", and the pauses between questions
    // are made for that.
    if (wait > Time{1'000}) not_before_ = around_.now() + std::min(wait, longest_wait_);
    // One that has told of its store before knows the question.
    const bool may_be_foreign = question_ && !question_->remembered;
    if (may_be_foreign && is_foreign(response->status)) return introduce({});
    if (response->status != 200) return fail(http::describe(*response));
    const auto body = http::read_json(response->body);
    const http::Value* items = body ? body->root().find("items") : nullptr;
    if (!items || !items->is_array()) return fail("status 200 without \"items\"");
    if (question_) {
        const auto introduction = read_introduction(body->root(), question_->nonce);
        if (!introduction || (introduction->is_foreign && !may_be_foreign))
            return fail("status 200, and not to the question that was asked");
        if (!introduce(*introduction)) return false;
    }
    for (const http::Value& item : *items) {
        const http::Value* gid = item.find("gid");
        const http::Value* branch_id = item.find("branch_id");
        if (!gid || !gid->is_text() || !branch_id || !is_name(std::string(branch_id->text())))
            continue;
        hooks_.found({participant_, std::string(gid->text()), std::string(branch_id->text())});
    }
    const http::Value* cursor = body->root().find("next");
    if (cursor && cursor->is_text()) next = http::percent_encode(cursor->text());
    return true;
}

}  // namespace twophase::coordinator
