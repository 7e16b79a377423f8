#include "coordinator/log_guard.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace twophase::coordinator {
namespace {

constexpr const char* what_now =
    "see recovery/README.md, \"When a log was lost, copied or restored\"";

Gid first_at(std::uint64_t milliseconds) { return GidMint(0, milliseconds, {}, 0).next_at_least(); }

std::uint32_t word(const wal::Token& token, std::size_t index) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | token.bytes.at(4 * index + i);
    return value;
}

}  // namespace

LogGuard::LogGuard(Own own, std::vector<wal::LogStart> starts)
    : own_(std::move(own)), starts_(std::move(starts)) {
    for (std::size_t i = 0; i < starts_.size(); ++i) by_tag_.emplace(starts_[i].tag, i);
    wal::LogStart mine{.epoch = own_.epoch,
                       .start = own_.start,
                       .log = own_.log,
                       .from = own_.from_milliseconds,
                       .began_at = own_.began_at};
    for (std::size_t i = 0; i < 4 && mine.tag == 0; ++i)
        if (!by_tag_.contains(word(own_.start, i))) mine.tag = word(own_.start, i);
    // Four words of 32 random bits, each taken or 0.
    if (mine.tag == 0) throw std::runtime_error("no tag for this start: start again");
    by_tag_.emplace(mine.tag, starts_.size());
    starts_.push_back(mine);
}

bool LogGuard::replaces(const wal::Token& log) const {
    return std::ranges::find(own_.replaces, log) != own_.replaces.end();
}

bool LogGuard::has_minted(const Gid& gid, const Gid& next_at_least) const {
    const auto found = by_tag_.find(tag_of(gid));
    if (found == by_tag_.end()) return false;
    const wal::LogStart& start = starts_[found->second];
    if (gid < first_at(start.from)) return false;
    if (&start == &starts_.back()) return gid < next_at_least;
    const wal::LogStart& next = starts_[found->second + 1];
    // A replaced log's last start may have gone on after what is known of it.
    if (start.log != own_.log && next.log != start.log) return false;
    return gid < first_at(next.from);
}

std::optional<Gid> LogGuard::undecided_below() const {
    if (own_.replaces.empty()) return std::nullopt;
    return first_at(std::ranges::find(starts_, own_.log, &wal::LogStart::log)->from);
}

Gid LogGuard::lost_from() const {
    // Of a replaced log none of whose starts is known here, anything may be lost.
    std::uint64_t from = UINT64_MAX;
    for (const wal::Token& log : own_.replaces) {
        const auto last = std::find_if(
            starts_.rbegin(), starts_.rend(), [&](const auto& each) { return each.log == log; });
        from = std::min(from, last == starts_.rend() ? 0 : last->from);
    }
    return from == UINT64_MAX || from == 0 ? Gid{} : first_at(from);
}

bool LogGuard::knows_start(std::uint64_t epoch, const wal::Token& start) const {
    if (start.is_none()) return true;
    // The oldest are dropped from the list once all that they minted is forgotten.
    if (epoch < starts_.front().epoch) return true;
    const auto found = std::ranges::find(starts_, epoch, &wal::LogStart::epoch);
    return found != starts_.end() && found->start == start;
}

// Each opening takes at least one position for its barrier, so those that stand in no list (of
// recoveryctl) are counted by their epochs. Without this a copy that lacks the last batch would
// have caught up by its own barrier.
std::uint64_t LogGuard::end_of(std::uint64_t epoch, std::uint64_t position) const {
    const auto next = std::ranges::upper_bound(starts_, epoch, {}, &wal::LogStart::epoch);
    if (next == starts_.end() || next->began_at == 0) return position;
    const std::uint64_t openings = next->epoch - epoch;
    return next->began_at > openings ? next->began_at - openings : 0;
}

Judgement LogGuard::judge_log(const std::string& participant,
                              const Introduction& told,
                              std::uint64_t position) const {
    if (told.is_foreign) return {};
    if (!told.known) return {Testimony::not_known, ""};
    const Seen& known = *told.known;
    const std::string ours = "coordinator " + own_.id + "'s log " + to_text(own_.log);
    const std::string theirs = participant + " listens to log " + to_text(known.log);
    if (known.log == own_.log) {
        const bool lacks_start = !knows_start(known.epoch, known.start);
        const std::uint64_t end = end_of(known.epoch, position);
        if (!lacks_start && known.position <= end) return {};
        return {Testimony::behind,
                ours + " is behind: " + participant + " has heard from " +
                    (lacks_start ? "a start of it (epoch " + std::to_string(known.epoch) +
                                       ") that is not in it"
                                 : "position " + std::to_string(known.position) + " of its epoch " +
                                       std::to_string(known.epoch) + ", which ends at " +
                                       std::to_string(end) + " in it") +
                    ". This is an old copy, or another process works on a copy. Start the newest "
                    "copy in its place; " +
                    what_now};
    }
    if (replaces(known.log)) return {Testimony::not_known, ""};
    if (known.does_replace(own_.log))
        return {Testimony::replaced, theirs + ", which took the place of " + ours};
    return {
        Testimony::other_log,
        theirs + " of coordinator " + own_.id + ", not to " + to_text(own_.log) + "; " + what_now};
}

Judgement LogGuard::judge_store(const std::string& participant,
                                const Introduction& told,
                                const std::optional<wal::SeenStore>& remembered) {
    if (told.is_foreign || !remembered) return {};
    const Seen& now = told.store;
    if (now.log != remembered->store) {
        if (now.does_replace(remembered->store)) return {};
        return {Testimony::other_store,
                participant + " has another store than before (" + to_text(now.log) + ", not " +
                    to_text(remembered->store) +
                    "): what it promised may be gone. Put the store back or restore its backup; "
                    "recoveryctl accept-store " +
                    participant + " takes the new one as it is"};
    }
    // Each start since takes a position of its own, by which an old copy would have caught up.
    const std::uint64_t starts = now.epoch - remembered->epoch;
    const bool has_restarted = now.epoch > remembered->epoch && now.began_at != 0;
    const std::uint64_t end =
        has_restarted ? now.began_at - std::min(now.began_at, starts) : now.position;
    bool is_older = now.epoch < remembered->epoch || end < remembered->position;
    bool is_twin = now.epoch == remembered->epoch && now.start != remembered->start;
    // It says itself how far that start came: work of an old copy's own can't hide what it lacks.
    if (told.then) {
        is_twin = told.then->start != remembered->start;
        is_older = is_older || told.then->position < remembered->position;
    }
    if (!is_older && !is_twin) return {};
    return {Testimony::old_store,
            participant + "'s store is " +
                (is_twin ? "there twice" : "an older copy of the one that was there") + " (epoch " +
                std::to_string(now.epoch) + ", position " + std::to_string(now.position) +
                "; seen were " + std::to_string(remembered->epoch) + " and " +
                std::to_string(remembered->position) +
                "): put the newest one back; recoveryctl accept-store " + participant +
                " takes this one as it is"};
}

}  // namespace twophase::coordinator
