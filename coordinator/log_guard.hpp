// Whether this log may be believed: which ids its starts minted, what participants have seen of it,
// and so what may be presumed. Rules alone: no I/O, no clock.
//
// A log knows nothing of what it lost. Participants do: each message tells them which log speaks,
// which start of it, and how far it has come, and they give back the last that they heard.
#pragma once

#include "coordinator/introduction.hpp"
#include "coordinator/protocol/gid.hpp"
#include "wal/log.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace twophase::coordinator {

/// What one participant's word means for this log.
enum class Testimony {
    fine,         // nothing that this log doesn't know
    not_known,    // it listens to no log of this id yet, or to one that this log replaces
    behind,       // it has seen a start or a position of this log that this log lacks
    other_log,    // it listens to another log of this id
    replaced,     // it listens to a log that took this one's place
    other_store,  // its store is not the one that was there
    old_store,    // its store is an old copy of the one that was there, or there are two
};

struct Judgement {
    Testimony testimony = Testimony::fine;
    std::string text;  // what was seen, and what to do; empty where it is fine
};

/// One thread.
class LogGuard {
public:
    struct Own {
        std::string id;  // the coordinator's
        wal::Token log;
        std::vector<wal::Token> replaces;
        std::uint64_t epoch = 0;
        wal::Token start;
        std::uint64_t from_milliseconds = 0;  // this start mints no id with a lower time part
        std::uint64_t began_at = 0;           // the position of its barrier
    };
    /// `starts`: all earlier ones.
    LogGuard(Own own, std::vector<wal::LogStart> starts);

    /// This start, as the log lists it. Its tag is a part of its token: never 0, and no other
    /// start's.
    const wal::LogStart& start() const { return starts_.back(); }
    const Own& own() const { return own_; }

    /// Minted by this log, so that it knows whatever became of it: by a start of its own, or by one
    /// of a log that it replaces, but for that log's last, which may have gone on.
    /// `next_at_least`: no id of this start is at or above it.
    bool has_minted(const Gid& gid, const Gid& next_at_least) const;
    /// Of a log with predecessors: what is undecided below it may have been decided by them.
    std::optional<Gid> undecided_below() const;
    /// The lowest id that a replaced log may have minted after what is known of it here.
    Gid lost_from() const;
    bool is_own(const wal::Token& log) const { return log == own_.log; }
    bool replaces(const wal::Token& log) const;

    /// What the participant says of this log. `position`: ours now: what it has heard
    /// since it was asked counts too.
    Judgement judge_log(const std::string& participant,
                        const Introduction& told,
                        std::uint64_t position) const;
    /// What it says of its store. `remembered`: what was known when it was asked.
    static Judgement judge_store(const std::string& participant,
                                 const Introduction& told,
                                 const std::optional<wal::SeenStore>& remembered);

private:
    bool knows_start(std::uint64_t epoch, const wal::Token& start) const;
    /// The highest position that this log's start of that epoch made durable, as this log has it.
    /// `position`: ours now.
    std::uint64_t end_of(std::uint64_t epoch, std::uint64_t position) const;

    Own own_;
    std::vector<wal::LogStart> starts_;  // by epoch; the last is this one
    std::unordered_map<std::uint32_t, std::size_t> by_tag_;
};

}  // namespace twophase::coordinator
