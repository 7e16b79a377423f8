// What a person has to know: the core's alerts, and what the service sees by itself.
#include "coordinator/protocol/modes.hpp"
#include "coordinator/service.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Json;

constexpr std::size_t most_told = 1'000;  // at once

/// The whole request, as whoever has to act by hand needs it.
Json request_of(const Transaction& t, BranchIndex index) {
    const BranchRequest& branch = t.started().branches[index];
    Json json{{"branch_id", branch.branch_id},
              {"participant", branch.participant},
              {"operation", branch.operation},
              {"payload", Json::parse(std::string_view(branch.payload), nullptr, false)},
              {"last_error", t.live[index].last_error}};
    if (t.mode() == Mode::eventual && index > 0) {
        json["attempts"] = t.live[index].attempts;
        json["max_retries"] = tries_of(branch) - 1;
    }
    return json;
}

}  // namespace

recovery::AlertOptions Service::alert_options(const Config& config) {
    recovery::AlertOptions options = config.alerts;
    options.source = "/coordinators/" + config.id;
    return options;
}

void Service::perform(const Alert& e) {
    Json data{{"gid", to_text(e.gid)}};
    std::string subject = to_text(e.gid);
    if (const Transaction* t = core_.find(e.gid)) {
        data["mode"] = to_text(t->mode());
        data["business_code"] = t->started().key.code;
        data["business_id"] = t->started().key.id;
        if (e.branch) {
            data.update(request_of(*t, *e.branch));
            subject += "/" + t->started().branches[*e.branch].branch_id;
        }
    }
    alerts_.raise({.kind = std::string(e.kind),
                   .subject = std::move(subject),
                   .text = std::string(e.text),
                   .data = http::dump_replacing(data),
                   .is_event = e.kind == "dead_letter" || e.kind == "resolved_by_hand"});
}

/// What no event tells: how long something takes, and who does not answer.
void Service::look_for_trouble() {
    for (const LaneStatus& lane : lanes_.status())
        if (lane.is_open)
            alerts_.raise({.kind = "breaker_open",
                           .subject = lane.participant,
                           .text = lane.participant + " at " + lane.endpoint +
                                   " gives no answer: " + lane.last_error + "; " +
                                   std::to_string(lane.waiting) + " calls wait",
                           .data = http::dump_replacing(
                               {{"participant", lane.participant}, {"waiting", lane.waiting}})});
    alert_removed();
    if (const std::uint64_t ahead = ids_ahead(); ahead > 0)
        alerts_.raise({.kind = "clock_ahead",
                       .subject = config_.id,
                       .text = "new ids are " + std::to_string(ahead / 3'600'000) +
                               " hours ahead of this clock, and stay so until it has caught up: it "
                               "was ahead once, or it is behind now",
                       .data = http::dump_replacing({{"ids_ahead_ms", ahead}})});
    // The oldest first: gids grow. A dead letter was told of when it died.
    note_oldest_in_doubt();
    const std::uint64_t now = wall_milliseconds();
    const Gid old_below = minted_before(config_.in_doubt_alert);
    std::size_t told = 0;
    for (const auto& [gid, t] : core_.transactions()) {
        const auto limit = static_cast<std::uint64_t>(config_.in_doubt_alert.count());
        // A clock that was ahead when it was minted says nothing of its age.
        const std::uint64_t since = std::min(milliseconds_of(gid), now - std::min(now, limit));
        if ((gid >= old_below && now < milliseconds_of(gid) + limit) || told == most_told) return;
        if (t.is_completed() || t.dead_letters() > 0 || t.phase == Phase::damaged ||
            !is_in_doubt(t))
            continue;
        ++told;
        alerts_.raise({.kind = "in_doubt",
                       .subject = to_text(gid),
                       .text = "unfinished for " + std::to_string((now - since) / 1'000) +
                               " s; recoveryctl show tells what it waits for",
                       .data = http::dump_replacing({{"gid", to_text(gid)},
                                                     {"mode", to_text(t.mode())},
                                                     {"phase", to_text(t.phase)}})});
    }
}

/// Ids never go back: after a clock that was ahead they stay there.
std::uint64_t Service::ids_ahead() const {
    constexpr std::uint64_t day = 86'400'000;
    const std::uint64_t next = milliseconds_of(mint_->next_at_least());
    const std::uint64_t now = wall_milliseconds();
    return next > now + day ? next - now : 0;
}

void Service::alert_removed() {
    for (const auto& [participant, transactions] : removed_participants())
        alerts_.raise({.kind = "unknown_participant",
                       .subject = participant,
                       .text = std::to_string(transactions) + " unfinished transactions name it; " +
                               not_configured_text(participant),
                       .data = http::dump_replacing(
                           {{"participant", participant}, {"transactions", transactions}})});
}

void Service::note_oldest_in_doubt() {
    const auto oldest = std::ranges::find_if(
        core_.transactions(), [this](const auto& each) { return is_in_doubt(each.second); });
    if (oldest == core_.transactions().end())
        oldest_in_doubt_.reset();
    else if (!oldest_in_doubt_ || oldest_in_doubt_->gid != oldest->first)
        oldest_in_doubt_ = {oldest->first, around_.now()};
}

/// By the wall clock, or by the one that doesn't jump where that says more.
recovery::Time Service::age_of_oldest(const Gid& gid) const {
    const std::uint64_t now = wall_milliseconds();
    const recovery::Time by_wall(now - std::min(now, milliseconds_of(gid)));
    if (!oldest_in_doubt_ || oldest_in_doubt_->gid != gid) return by_wall;
    return std::max(by_wall, around_.now() - oldest_in_doubt_->seen_at);
}

/// What is below was minted so long ago at least, by the clock that doesn't jump. Called at every
/// look around.
Gid Service::minted_before(recovery::Time age) {
    const recovery::Time now = around_.now();
    minted_.push_back({now, mint_->next_at_least()});
    while (minted_.size() > 1 && now - minted_[1].at >= age) minted_.pop_front();
    return now - minted_.front().at >= age ? minted_.front().below : Gid{};
}

/// Somebody waits for an end that should have come: not what is planned for a later time.
bool Service::is_in_doubt(const Transaction& t) {
    return t.mode() != Mode::eventual || t.folded.decision != Decision::commit;
}

}  // namespace twophase::coordinator
