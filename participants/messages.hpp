// What coordinator and participant say to each other about a branch, as plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants {

enum class Verb { prepare, commit, rollback, execute, compensate };

/// "prepare", ...: a literal.
const char* to_string(Verb verb);

/// Prepare and execute begin something and may be refused for lack of room; the others end it.
bool begins_work(Verb verb);

/// Who is behind a request; for the audit only.
struct Origin {
    std::string ip;
    std::string request_id;
    std::string actor;
};

/// The time handed to the rules, which look at no clock.
struct Moment {
    std::int64_t microseconds = 0;      // since 1970, for people and validity periods
    std::uint64_t running_seconds = 0;  // of the store in all its starts, for retention
};

/// Gives the time now; a simulator hands in its own.
using Clock = std::function<Moment()>;

/// Which log of a coordinator speaks, and how far it had come: what tells two logs of one id apart.
struct LogClaim {
    std::string log;  // 32 hexadecimal digits; empty: its sender tells of none
    std::uint64_t epoch = 0;
    std::string start;                  // drawn by the start of that epoch; as `log`
    std::uint64_t position = 0;         // of its last durable batch
    std::uint64_t began_at = 0;         // of that start's barrier; 0: not told
    std::vector<std::string> replaces;  // logs whose place it takes, the latest first

    bool does_replace(std::string_view other) const;
};

/// "log=…&epoch=…&start=…&position=…": what was seen of a log, for the coordinator that is asked.
std::string to_query(const LogClaim& seen);

struct Message {
    Verb verb = Verb::prepare;
    std::string gid;
    std::string branch_id;
    std::string participant;  // the one meant
    std::string coordinator;
    std::uint64_t epoch = 0;  // of the coordinator
    std::string log;          // as in LogClaim, down to `replaces`
    std::string start;
    std::uint64_t position = 0;
    std::uint64_t began_at = 0;
    std::vector<std::string> replaces;
    std::string low_water;  // empty: not told
    Origin origin;

    // prepare and execute
    std::string operation;
    std::string payload;  // canonical JSON: sorted keys, no spaces
    std::string business_code;
    std::string business_id;

    // commit and rollback
    std::optional<std::string> prepare_id;

    // compensate: canonical JSON {branch_id, code, message}, or empty
    std::string reason;
};

struct Answer {
    unsigned status = 200;
    std::string code;     // of an answer other than 200
    std::string message;  // for people
    std::string reason;   // the business code of a refusal, such as "insufficient_credits"
    std::string field;    // what is wrong in the request, such as "payload.amount"
    /// The store has no room for what would begin: this message has written nothing.
    bool is_for_room = false;
    /// Of a stale_epoch or other_log: what has been seen of this coordinator.
    std::optional<LogClaim> seen;
    std::uint64_t known_position = 0;  // of a message that was listened to: the highest seen
    bool has_mark_ahead = false;       // of our clock: only the coordinator itself can confirm it

    std::string vote;   // "prepared" or "executed"
    std::string state;  // "committed", "rolled_back" or "compensated"
    std::string prepare_id;
    std::string result;  // canonical JSON, or empty
};

}  // namespace twophase::participants
