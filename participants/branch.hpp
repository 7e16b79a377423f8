// What a participant keeps of a branch and of a coordinator.
#pragma once

#include "participants/messages.hpp"
#include "participants/record.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace twophase::participants {

/// Stored as numbers: append only.
enum class BranchState : std::uint8_t {
    prepared = 1,
    committed = 2,
    rolled_back = 3,
    executed = 4,
    compensated = 5,
};

/// "prepared", "committed", ...: a literal.
inline const char* to_string(BranchState state) {
    switch (state) {
        case BranchState::prepared: return "prepared";
        case BranchState::committed: return "committed";
        case BranchState::rolled_back: return "rolled_back";
        case BranchState::executed: return "executed";
        case BranchState::compensated: return "compensated";
    }
    return "";
}

/// A branch that was promised, ended, or told to end before it began (then it has no operation).
struct Branch {
    BranchState state = BranchState::prepared;
    std::string coordinator;
    std::string operation;
    std::string payload;  // canonical JSON
    std::string business_code;
    std::string business_id;
    std::string prepare_id;
    std::string note;                // the resource's
    std::string first_result;        // of prepare or execute
    std::string last_result;         // of commit, rollback or compensate
    std::int64_t begun_at = 0;       // microseconds since 1970
    std::uint64_t ended_second = 0;  // by running seconds; of an executed one, when it ran

    bool is_tombstone() const { return operation.empty(); }

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.state);
        visit(self.coordinator);
        visit(self.operation);
        visit(self.payload);
        visit(self.business_code);
        visit(self.business_id);
        visit(self.prepare_id);
        visit(self.note);
        visit(self.first_result);
        visit(self.last_result);
        visit(self.begun_at);
        visit(self.ended_second);
    }
};

/// The entry of a prepared branch in the index of those in doubt.
struct InDoubt {
    std::string coordinator;
    std::string operation;
    std::int64_t prepared_at = 0;  // microseconds since 1970

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.coordinator);
        visit(self.operation);
        visit(self.prepared_at);
    }
};

/// What a participant remembers of a coordinator.
struct Coordinator {
    std::uint64_t epoch = 0;      // the highest seen
    std::string low_water;        // the highest told
    std::string forgotten_up_to;  // the highest gid forgotten
    std::string log;              // the one that is listened to; empty: it never told of one
    std::string start;            // of the highest epoch
    std::uint64_t position = 0;   // the highest seen of that log
    std::string replaces;         // logs whose place that one took, separated by blanks

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.epoch);
        visit(self.low_water);
        visit(self.forgotten_up_to);
        visit(self.log);
        visit(self.start);
        visit(self.position);
        visit(self.replaces);
    }
};

/// What is remembered of the log that a coordinator works on.
LogClaim seen_of(const Coordinator& coordinator);
/// A later start of the log that is listened to, of a copy that lacks what an earlier one had when
/// it was heard: the position of its barrier tells.
bool lacks_what_was_seen(const Coordinator& coordinator,
                         std::uint64_t epoch,
                         std::uint64_t began_at);
/// Listens to this log from now on, and to no other of the same coordinator.
void listen_to(Coordinator& coordinator, const LogClaim& claim);

/// gid/branch_id: neither may hold a slash.
inline std::string branch_key(std::string_view gid, std::string_view branch_id) {
    return std::string(gid).append("/").append(branch_id);
}

/// {gid, branch_id} of a branch_key().
inline std::pair<std::string, std::string> split_branch_key(std::string_view key) {
    const std::size_t slash = key.find('/');
    if (slash == std::string_view::npos) return {std::string(key), ""};
    return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

/// All ended branches of a coordinator begin with this in the index of those ended.
inline std::string ended_prefix(std::string_view coordinator) {
    return std::string(coordinator).append("/");
}

/// In the order of their end: the coordinator, the second, the branch's own key.
inline std::string ended_key(const Branch& branch, std::string_view key) {
    return ended_prefix(branch.coordinator).append(key_of(branch.ended_second)).append(key);
}

}  // namespace twophase::participants
