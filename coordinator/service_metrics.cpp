// What the service reads of itself when somebody asks for metrics.
#include "coordinator/service.hpp"
#include "recovery/program_metrics.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace twophase::coordinator {
namespace {

constexpr std::array all_modes{Mode::two_phase, Mode::saga, Mode::eventual};
constexpr std::array all_phases{Phase::preparing,
                                Phase::deciding,
                                Phase::delivering,
                                Phase::finishing,
                                Phase::held,
                                Phase::damaged,
                                Phase::unconfirmed};

void read_lanes(recovery::Readings& to, const std::vector<LaneStatus>& lanes) {
    for (const LaneStatus& lane : lanes) {
        const recovery::Readings::Labels labels{{"participant", lane.participant}};
        to.gauge("twophase_lane_depth",
                 "Calls that wait for their end, those in flight included.",
                 static_cast<double>(lane.waiting),
                 labels);
        to.gauge("twophase_lane_requests_in_flight",
                 "Requests to the participant that are under way.",
                 static_cast<double>(lane.in_flight),
                 labels);
        to.gauge("twophase_lane_held",
                 "1 while nothing is sent to the participant: it was not heard since the start, or "
                 "another log or store is seen there.",
                 lane.is_heard && lane.held_for.empty() ? 0 : 1,
                 labels);
        to.gauge("twophase_lane_breaker_open",
                 "1 while the participant gives no answer and only probes leave.",
                 lane.is_open ? 1 : 0,
                 labels);
    }
}

/// Counted in one pass over what is live.
struct Live {
    std::array<std::array<std::size_t, all_phases.size()>, all_modes.size()> by_mode_and_phase{};
    std::size_t need_attention = 0;
    std::size_t dead_letters = 0;
};

void read_live(recovery::Readings& to, const Live& live) {
    for (const Mode mode : all_modes)
        for (const Phase phase : all_phases)
            to.gauge(
                "twophase_transactions_live",
                "Transactions that are not finished.",
                static_cast<double>(live.by_mode_and_phase[static_cast<std::size_t>(mode)]
                                                          [static_cast<std::size_t>(phase)]),
                {{"mode", std::string(to_text(mode))}, {"phase", std::string(to_text(phase))}});
    to.gauge("twophase_transactions_need_attention",
             "Unfinished transactions that a person has to look at.",
             static_cast<double>(live.need_attention));
    to.gauge("twophase_dead_letters_waiting",
             "Deliveries given up that wait for a person.",
             static_cast<double>(live.dead_letters));
}

}  // namespace

void Service::read_metrics(recovery::Readings& to) const {
    recovery::read_alerts(to, alerts_);
    // Until then the log is being read, on another thread.
    if (!is_ready_) return;
    recovery::read_store(to, log_->store());
    read_lanes(to, lanes_.status());
    Live live;
    const bool none_is_removed = removed_participants().empty();
    std::size_t in_doubt = 0;
    const Gid* oldest = nullptr;
    for (const auto& [gid, t] : core_.transactions()) {
        ++live.by_mode_and_phase[static_cast<std::size_t>(t.mode())]
                                [static_cast<std::size_t>(t.phase)];
        const bool is_stuck = t.needs_attention() || (!none_is_removed && is_stranded(t));
        live.need_attention += is_stuck ? 1 : 0;
        live.dead_letters += t.dead_letters();
        if (!is_in_doubt(t)) continue;
        if (in_doubt++ == 0) oldest = &gid;  // gids grow
    }
    read_live(to, live);
    to.gauge(
        "twophase_transactions_in_doubt",
        "Unfinished transactions whose end somebody waits for; deliveries of eventual ones are "
        "not.",
        static_cast<double>(in_doubt));
    const recovery::Time age = oldest == nullptr ? recovery::Time{0} : age_of_oldest(*oldest);
    to.gauge("twophase_transactions_in_doubt_oldest_age_seconds",
             "Age of the oldest of these, 0 where there is none.",
             static_cast<double>(age.count()) / 1'000);
}

}  // namespace twophase::coordinator
