// What a participant owns and a branch changes: the part that credit and coupon write themselves.
#pragma once

#include "participants/branch.hpp"
#include "participants/messages.hpp"
#include "participants/rows.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::participants {

/// Finds an opened table by its name.
using TableOf = std::function<wal::Table(std::string_view name)>;

/// One branch's operation as the resource sees it.
struct Work {
    std::string gid;
    std::string branch_id;
    std::string operation;
    std::string payload;  // canonical JSON
    std::string business_code;
    std::string business_id;
    std::string note;    // what the first step left for the second
    std::string reason;  // compensate: why, canonical JSON or empty
    /// Of a direct operation, which has no gid: the lock's that its sender holds.
    std::optional<std::uint64_t> lock_token = {};
};

/// What `branch` is about, for the second step; `reason`: of a compensation.
Work work_of(const std::string& gid,
             const std::string& branch_id,
             const Branch& branch,
             const std::string& reason = "");

struct Refusal {
    unsigned status = 409;
    std::string code = "refused";
    std::string reason;  // the business code
    std::string message;
    std::string field;
    std::uint64_t retry_after_seconds = 0;  // 0: not told
};

/// What the audit tells about a step. States are JSON objects as text; empty where there is none.
struct Change {
    std::string user_id;
    std::int64_t amount = 0;
    std::string transaction_id;
    std::string before_state;
    std::string after_state;
};

struct Step {
    std::optional<Refusal> refusal;
    std::string result;  // canonical JSON for the coordinator, or empty
    std::string note;    // prepare and execute: kept for the second step
    Change change;
};

/// Performs operations inside a unit. A step that refuses has written nothing. Steps look at no
/// clock and draw no chance of their own. Called on the writer's thread, and perhaps twice.
class Resource {
public:
    virtual ~Resource() = default;

    /// Checks the payload and the state, and reserves what commit will need.
    virtual Step prepare(wal::Unit& unit, const Work& work, const Moment& moment) = 0;
    /// Makes a reservation final. After a successful prepare it can't refuse.
    virtual Step commit(wal::Unit& unit, const Work& work, const Moment& moment) = 0;
    /// Gives a reservation back. It can't refuse either.
    virtual Step rollback(wal::Unit& unit, const Work& work, const Moment& moment) = 0;
    /// Does at once what prepare and commit do together.
    virtual Step execute(wal::Unit& unit, const Work& work, const Moment& moment) = 0;
    /// Undoes an execute; refuses with `cannot_compensate` where that is impossible.
    virtual Step compensate(wal::Unit& unit, const Work& work, const Moment& moment) = 0;
    /// The note that prepare or execute left for this branch, found again where the branch's record
    /// is damaged: by what stands behind it, or in the `result` of its execute. Empty: it left
    /// none.
    virtual std::string note_of(const Rows& rows,
                                const Work& work,
                                const std::string& result) const;
};

/// 422 `invalid-payload` naming the field.
Refusal invalid_payload(std::string_view field, std::string_view expected);
/// 422 `unknown-operation`.
Refusal unknown_operation(std::string_view operation);
/// 409 `refused` with a business code.
Refusal refused(std::string_view reason, std::string_view message);
/// 409 `cannot_compensate`.
Refusal cannot_compensate(std::string_view reason, std::string_view message);

}  // namespace twophase::participants
