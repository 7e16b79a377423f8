// How a damaged branch is written anew, by the coordinator's log and a person's word.
#include "http/json.hpp"
#include "participants/branches.hpp"
#include "participants/credible.hpp"
#include "participants/record.hpp"

#include <optional>
#include <utility>

namespace twophase::participants {
namespace {

using Settlement = Branches::Settlement;

/// A row that may be damaged.
template <class Record>
struct Probed {
    std::optional<Record> record;
    bool is_damaged = false;
};

template <class Record>
Probed<Record> probe(const Rows& rows, wal::Table table, std::string_view key) {
    try {
        return {.record = read<Record>(rows, table, key)};
    } catch (const DamagedRecord&) {
        return {.record = std::nullopt, .is_damaged = true};
    }
}

Settlement settled_as(BranchState state) { return {.refusal = "", .message = "", .state = state}; }

Settlement refuse(const char* code, std::string message) {
    return {.refusal = code, .message = std::move(message)};
}

/// Of a branch that was executed at once.
Settlement outcome_of_step(const BranchEvidence& evidence) {
    if (evidence.end == "executed") return settled_as(BranchState::executed);
    if (evidence.end == "compensated") return settled_as(BranchState::compensated);
    if (!evidence.end.empty())
        return refuse("ended-by-hand",
                      "the log has it as " + evidence.end +
                          ": what became of it here, a person said and the log doesn't know");
    if (evidence.vote == "executed" && evidence.decision != "rollback")
        return settled_as(BranchState::executed);
    return refuse("not-over", "its end is not in the coordinator's log yet");
}

/// The state that the branch has to have by the log.
Settlement outcome_of(const BranchEvidence& evidence, bool is_promised) {
    if (evidence.mode != "two_phase" && is_promised)
        return refuse(
            "contradiction",
            "it is in doubt here, and in the log it is a branch of mode " + evidence.mode);
    if (evidence.mode != "two_phase") return outcome_of_step(evidence);
    if (evidence.decision == "commit") return settled_as(BranchState::committed);
    if (evidence.decision == "rollback") return settled_as(BranchState::rolled_back);
    return refuse("not-decided", "the coordinator has not decided yet: try again when it has");
}

/// As far as the log tells of it.
Branch branch_of(const BranchEvidence& evidence, const Moment& moment) {
    return {.coordinator = evidence.coordinator,
            .operation = evidence.operation,
            .payload = evidence.payload,
            .business_code = evidence.business_code,
            .business_id = evidence.business_id,
            .prepare_id = evidence.prepare_id,
            .first_result = evidence.result,
            .last_result = evidence.end_result,
            .begun_at = moment.microseconds};
}

}  // namespace

Branches::Condition Branches::condition(const Rows& rows,
                                        const std::string& gid,
                                        const std::string& branch_id) const {
    const std::string key = branch_key(gid, branch_id);
    if (!rows.get(tables_.branches, key)) return Condition::absent;
    const bool is_damaged = probe<Branch>(rows, tables_.branches, key).is_damaged ||
                            probe<InDoubt>(rows, tables_.in_doubt, key).is_damaged;
    return is_damaged ? Condition::damaged : Condition::sound;
}

Settlement Branches::settle(wal::Unit& unit,
                            const BranchEvidence& evidence,
                            const std::string& reason,
                            const Origin& who,
                            const Moment& moment) const {
    const Rows rows(unit);
    const std::string key = branch_key(evidence.gid, evidence.branch_id);
    if (condition(rows, evidence.gid, evidence.branch_id) != Condition::damaged)
        return refuse("not-damaged", "its record can be read: nothing to settle");
    const auto known = probe<Branch>(rows, tables_.branches, key).record;
    const auto entry = probe<InDoubt>(rows, tables_.in_doubt, key).record;
    const std::string owner = known ? known->coordinator : entry ? entry->coordinator : "";
    if (!owner.empty() && owner != evidence.coordinator)
        return refuse("wrong-coordinator", "this branch is of coordinator " + owner);
    // Then its entry among those in doubt alone is damaged, and should not be there.
    const bool has_ended = known && known->state != BranchState::prepared;
    const bool is_promised = !has_ended && unit.get(tables_.in_doubt, key).has_value();
    const Settlement settled =
        has_ended ? settled_as(known->state) : outcome_of(evidence, is_promised);
    if (!settled.refusal.empty()) return settled;
    Branch branch = known.value_or(branch_of(evidence, moment));
    if (!known)
        branch.note = resource_.note_of(
            rows, work_of(evidence.gid, evidence.branch_id, branch), evidence.result);
    branch.state = settled.state;
    Change change;
    if (is_promised) {
        const Work work = work_of(evidence.gid, evidence.branch_id, branch);
        Step step = branch.state == BranchState::committed ? resource_.commit(unit, work, moment)
                                                           : resource_.rollback(unit, work, moment);
        branch.last_result = std::move(step.result);
        change = std::move(step.change);
    }
    unit.erase(tables_.in_doubt, key);
    if (!has_ended) write_settled(unit, key, branch, moment);
    audit_.append(unit,
                  {.service = options_.participant,
                   .operation = "settle_damaged",
                   .business_code = branch.business_code,
                   .business_id = branch.business_id,
                   .origin = who,
                   .timestamp = moment.microseconds,
                   .gid = evidence.gid,
                   .branch_id = evidence.branch_id,
                   .success = true,
                   .change = std::move(change),
                   .detail = http::dump_replacing(http::Json{{"coordinator", evidence.coordinator},
                                                             {"state", to_string(branch.state)},
                                                             {"reason", reason}})});
    return settled;
}

/// With its place among those that ended, where it has one.
void Branches::write_settled(wal::Unit& unit,
                             const std::string& key,
                             Branch& branch,
                             const Moment& moment) const {
    const auto ended = second_of_end(unit, branch.coordinator, key);
    branch.ended_second = ended.value_or(moment.running_seconds);
    write(unit, tables_.branches, key, branch);
    if (!ended && is_time_ordered(split_branch_key(key).first))
        unit.put(tables_.ended, ended_key(branch, key), "");
}

/// Looks through all of that coordinator's: a person asks for it, seldom.
std::optional<std::uint64_t> Branches::second_of_end(const wal::Unit& unit,
                                                     const std::string& coordinator,
                                                     const std::string& key) const {
    std::optional<std::uint64_t> second;
    const std::string prefix = ended_prefix(coordinator);
    unit.scan(tables_.ended, prefix, end_of(prefix), [&](std::string_view found, std::string_view) {
        if (found.size() < prefix.size() + 8 || found.substr(prefix.size() + 8) != key) return true;
        second = number_in(found.substr(0, prefix.size() + 8));
        return false;
    });
    return second;
}

}  // namespace twophase::participants
