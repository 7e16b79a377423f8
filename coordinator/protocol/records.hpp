// The protocol's words: modes, votes, decisions, and the records of the log.
#pragma once

#include "coordinator/protocol/gid.hpp"
#include "coordinator/protocol/shared_text.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace twophase::coordinator {

// The numbers of all but Verb stand in the log: append only.
enum class Mode : std::uint8_t { two_phase, saga, eventual };
/// `none`: asked, and no answer that counts. `unasked`: the decision came first.
enum class Vote : std::uint8_t { none, prepared, read_only, executed, refused, unasked };
enum class Decision : std::uint8_t { commit, rollback };
enum class Verb : std::uint8_t { prepare, commit, rollback, execute, compensate };
/// How a branch ended. The last three are forced records: a person or a limit ended it.
enum class How : std::uint8_t {
    committed,
    rolled_back,
    executed,
    compensated,
    dead_letter,
    discarded,
    by_hand
};

std::string_view to_text(Mode mode);
std::string_view to_text(Vote vote);
std::string_view to_text(Decision decision);
std::string_view to_text(Verb verb);
std::string_view to_text(How how);
std::optional<Mode> parse_mode(std::string_view text);
std::optional<Vote> parse_vote(std::string_view text);
std::optional<Decision> parse_decision(std::string_view text);
std::optional<How> parse_how(std::string_view text);

using BranchIndex = std::uint32_t;  // place in Started::branches
/// What two requests are compared by. The first byte is the version of the rule by which it was
/// made, 0 where nobody knows the request (settled for a lost log); the rest is a hash.
using Fingerprint = std::array<std::uint8_t, 32>;

/// What a client names its request with; a transaction for each attempt.
struct BusinessKey {
    SharedText code;
    SharedText id;
    std::uint32_t attempt = 1;
    friend auto operator<=>(const BusinessKey&, const BusinessKey&) = default;
};

/// Who asked, for the participants' audit logs.
struct Origin {
    SharedText ip;
    SharedText request_id;
    SharedText actor;
    friend bool operator==(const Origin&, const Origin&) = default;
};

struct BranchRequest {
    SharedText branch_id;
    SharedText participant;
    SharedText operation;
    SharedText payload;             // JSON text, as the client wrote it
    std::vector<SharedText> after;  // saga: branch_ids that come before it
    std::optional<std::uint32_t> max_retries;
    std::optional<std::uint64_t> retry_delay_milliseconds;
    friend bool operator==(const BranchRequest&, const BranchRequest&) = default;
};

/// Why a decision was taken: for people. `branch` is the one that refused, if one did.
struct Why {
    SharedText code;  // "all_voted_yes", "refused", "timed_out", "restarted", "by_hand"
    SharedText message;
    std::optional<BranchIndex> branch;
    friend bool operator==(const Why&, const Why&) = default;
};

/// What is known of one branch's vote when the decision was taken.
struct BranchVote {
    Vote vote = Vote::none;
    SharedText prepare_id;
    SharedText result;  // JSON text, or empty
    SharedText code;    // of a refusal
    SharedText message;
    friend bool operator==(const BranchVote&, const BranchVote&) = default;
};

// clang-format off
/// `timeout_milliseconds`: of a first phase that goes on after a crash; none: it takes its time.
struct Started { Gid gid{}; Mode mode = Mode::two_phase; BusinessKey key; Fingerprint fingerprint{};
                 std::vector<BranchRequest> branches; Origin origin; SharedText traceparent;
                 std::optional<std::uint64_t> timeout_milliseconds;
                 friend bool operator==(const Started&, const Started&) = default; };
struct StepDone { Gid gid{}; BranchIndex branch = 0; SharedText result;
                  friend bool operator==(const StepDone&, const StepDone&) = default; };
struct Decided { Gid gid{}; Decision decision = Decision::rollback; Why why; std::vector<BranchVote> votes;
                 friend bool operator==(const Decided&, const Decided&) = default; };
struct BranchDone { Gid gid{}; BranchIndex branch = 0; How how = How::committed; SharedText result;
                    friend bool operator==(const BranchDone&, const BranchDone&) = default; };
struct DeliveryFailed { Gid gid{}; BranchIndex branch = 0; std::uint32_t attempts = 0; SharedText code; SharedText message;
                        friend bool operator==(const DeliveryFailed&, const DeliveryFailed&) = default; };
struct Resolved { Gid gid{}; std::optional<BranchIndex> branch; SharedText how; SharedText who; SharedText reason;
                  friend bool operator==(const Resolved&, const Resolved&) = default; };
/// `is_heuristic`: a branch was ended by hand, so its participant may still ask: never forgotten.
struct Finished { Gid gid{}; bool is_heuristic = false;
                  friend bool operator==(const Finished&, const Finished&) = default; };
// clang-format on

/// What is durably true. A transaction's state is the fold of its records, in order. A record's
/// place here stands in the log: append only.
using Record =
    std::variant<Started, StepDone, Decided, BranchDone, DeliveryFailed, Resolved, Finished>;

const Gid& gid_of(const Record& record);
/// "started", "decided", ...: the name in the log, in timelines and of crash points. A literal.
const char* name_of(const Record& record);

}  // namespace twophase::coordinator
