#include "coordinator/sweep.hpp"

#include "http/document.hpp"
#include "http/text.hpp"

#include <utility>

namespace twophase::coordinator {
namespace {

using recovery::Time;

constexpr int items_in_page = 500;
constexpr std::size_t most_pages = 1'000;
constexpr Time page_pause{250};

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
      page_alarm_(around.alarm()) {}

void Sweep::start() {
    if (is_stopped_) return;  // the alarm may have been under way
    begin();
    begin_later();
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
    http::Call call{.method = "GET", .target = after.empty() ? path_ : path_ + "&after=" + after};
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
}

/// Without somebody who waits, most of what it would tell is being told anyway, and the rest asks
/// for itself: it leaves the loop to live traffic.
void Sweep::ask_next(const std::string& after) {
    if (hooks_.is_urgent()) return ask(after);
    page_alarm_->set(around_.now() + page_pause,
                     [self = shared_from_this(), after] { self->ask(after); });
}

/// Hands up one page; false when it was none.
bool Sweep::read(const http::Result<http::Response>& response, std::string& next) {
    if (!response || response->status != 200) return false;
    const auto body = http::read_json(response->body);
    const http::Value* items = body ? body->root().find("items") : nullptr;
    if (!items || !items->is_array()) return false;
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
