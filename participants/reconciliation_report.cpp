#include "participants/reconciliation_report.hpp"

#include "participants/credible.hpp"
#include "recovery/alerts.hpp"

#include <algorithm>

namespace twophase::participants {

bool ReconciliationReport::is_whole() const {
    return fault.empty() && std::ranges::all_of(compared, &Compared::is_whole);
}

bool ReconciliationReport::is_final() const {
    return fault.empty() && std::ranges::all_of(compared, [](const Compared& with) {
               return with.is_through || with.is_damaged;
           });
}

std::string ReconciliationReport::Compared::ahead_text() const {
    if (ahead == 0) return "";
    return std::to_string(ahead) + " branches of coordinator " + coordinator +
           " have ids ahead of this clock, up to " + ahead_up_to() +
           ": its clock was ahead once, or this one is behind";
}

std::string ReconciliationReport::Compared::ahead_up_to() const {
    if (ahead == 0) return "";
    const auto milliseconds = static_cast<std::int64_t>(milliseconds_of(highest_ahead));
    return recovery::time_text(milliseconds * 1'000);
}

}  // namespace twophase::participants
