#include "participants/branches.hpp"

#include "participants/credible.hpp"
#include "participants/record.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace twophase::participants {
namespace {

Answer refuse(unsigned status, std::string code, std::string message) {
    Answer answer;
    answer.status = status;
    answer.code = std::move(code);
    answer.message = std::move(message);
    return answer;
}

Answer refuse(Refusal refusal) {
    Answer answer = refuse(refusal.status, std::move(refusal.code), std::move(refusal.message));
    answer.reason = std::move(refusal.reason);
    answer.field = std::move(refusal.field);
    return answer;
}

Answer already(BranchState state) {
    const bool is_committed = state == BranchState::committed;
    return refuse(409,
                  is_committed ? "already_committed" : "already_rolled_back",
                  is_committed ? "this branch is committed" : "this branch is rolled back");
}

Answer wrong_verb() {
    return refuse(422,
                  "wrong-verb",
                  "prepare, commit and rollback go together, and execute and compensate do; this "
                  "branch began the other way");
}

Answer voted(Verb verb, const Branch& branch) {
    Answer answer;
    answer.vote = verb == Verb::prepare ? "prepared" : "executed";
    answer.prepare_id = branch.prepare_id;
    answer.result = branch.first_result;
    return answer;
}

Answer ended(const Branch& branch) {
    Answer answer;
    answer.state = branch.state == BranchState::committed     ? "committed"
                   : branch.state == BranchState::compensated ? "compensated"
                                                              : "rolled_back";
    answer.result = branch.last_result;
    return answer;
}

bool began_by_execute(const Branch& branch) {
    return branch.state == BranchState::executed || branch.state == BranchState::compensated;
}

Work work_of(const Message& message, const Branch& branch) {
    return work_of(message.gid, message.branch_id, branch, message.reason);
}

}  // namespace

std::vector<std::string> branch_tables() {
    return {"branches",
            "in_doubt",
            "ended",
            "coordinators",
            "numbers",
            "audit",
            "audit_index",
            "acknowledged"};
}

struct Branches::Turn {
    wal::Unit& unit;
    const Message& message;
    const Moment& moment;
    std::string key;
    std::optional<Coordinator> sender;  // as far as it is known here
    std::optional<Branch> branch;       // as it was before this message
    bool has_mark_ahead = false;        // which only the coordinator can confirm
};

Branches::Branches(Options options, const TableOf& table_of, Resource& resource)
    : options_(std::move(options)),
      resource_(resource),
      audit_(table_of),
      tables_{.branches = table_of("branches"),
              .in_doubt = table_of("in_doubt"),
              .ended = table_of("ended"),
              .coordinators = table_of("coordinators"),
              .numbers = table_of("numbers")} {}

Answer Branches::handle(wal::Unit& unit, const Message& message, const Moment& moment) const {
    Turn turn{.unit = unit,
              .message = message,
              .moment = moment,
              .key = branch_key(message.gid, message.branch_id),
              .sender = {},
              .branch = {}};
    Outcome outcome = decide(turn);
    if (turn.sender) outcome.answer.known_position = turn.sender->position;
    outcome.answer.has_mark_ahead = turn.has_mark_ahead;
    if (is_audited(outcome)) record(turn, outcome);
    return std::move(outcome.answer);
}

/// What changed something, and what the business rules refused. Not the faults of a message: those
/// cost its sender nothing, and anybody could fill the store with them.
bool Branches::is_audited(const Outcome& outcome) const {
    if (outcome.is_tombstone && !options_.has_room()) return false;
    if (outcome.answer.status == 200) return !outcome.is_repeat;
    return !outcome.answer.reason.empty() && options_.has_room();
}

void Branches::record(const Turn& turn, const Outcome& outcome) const {
    const Message& message = turn.message;
    const Answer& answer = outcome.answer;
    // A commit or rollback doesn't repeat what the branch is about.
    const bool names_work = begins_work(message.verb) || !turn.branch;
    AuditEntry entry{
        .service = options_.participant,
        .operation = names_work ? message.operation : turn.branch->operation,
        .verb = to_string(message.verb),
        .business_code = names_work ? message.business_code : turn.branch->business_code,
        .business_id = names_work ? message.business_id : turn.branch->business_id,
        .origin = message.origin,
        .timestamp = turn.moment.microseconds,
        .gid = message.gid,
        .branch_id = message.branch_id,
        .success = answer.status == 200,
        .code = answer.reason.empty() ? answer.code : answer.reason,
        .change = outcome.change};
    audit_.append(turn.unit, entry);
}

Branches::Outcome Branches::decide(Turn& turn) const {
    const Message& message = turn.message;
    if (!is_our_name(message.participant))
        return {refuse(422, "wrong-participant", "this is " + options_.participant)};
    turn.branch = read<Branch>(turn.unit, tables_.branches, turn.key);
    turn.sender = read<Coordinator>(turn.unit, tables_.coordinators, message.coordinator);
    if (auto refusal = objection(turn)) return {*std::move(refusal)};
    if (turn.branch) return on_known(turn, *turn.branch);
    return begins_work(message.verb) ? begin(turn) : end_unknown(turn);
}

/// Why the sender isn't listened to, if so.
std::optional<Answer> Branches::objection(const Turn& turn) const {
    const Message& message = turn.message;
    // Ends are taken from any coordinator: refusing them would keep its transaction open for ever.
    if (begins_work(message.verb) && !options_.coordinators.contains(message.coordinator))
        return refuse(403, "unknown-coordinator", "no inquiry URL is configured for it");
    if (auto other = log_objection(turn)) return other;
    return epoch_objection(turn);
}

/// One log of a coordinator is listened to: another of the same id is a copy, a new one made in its
/// place, or somebody else's.
std::optional<Answer> Branches::log_objection(const Turn& turn) const {
    const Message& message = turn.message;
    // Nothing is kept of one that isn't configured, so there is nothing to hold it to.
    if (!options_.coordinators.contains(message.coordinator)) return std::nullopt;
    const LogClaim seen = seen_of(turn.sender.value_or(Coordinator{}));
    const auto pinned = options_.pinned_logs.find(message.coordinator);
    const bool is_pinned = pinned != options_.pinned_logs.end();
    if (message.log == (is_pinned ? pinned->second : seen.log)) return std::nullopt;
    const bool may_be_confirmed =
        !is_pinned && !message.log.empty() &&
        (seen.log.empty() || LogClaim{.replaces = message.replaces}.does_replace(seen.log));
    if (may_be_confirmed)
        return refuse(
            503, "unconfirmed-log", "this log is new here; its coordinator is being asked");
    Answer other = refuse(
        409, "other_log", "another log of coordinator " + message.coordinator + " is known here");
    other.seen = seen;
    if (is_pinned && seen.log != pinned->second) other.seen = LogClaim{.log = pinned->second};
    return other;
}

std::optional<Answer> Branches::epoch_objection(const Turn& turn) const {
    const Message& message = turn.message;
    const bool is_same_log = turn.sender && turn.sender->log == message.log;
    const std::uint64_t seen = is_same_log ? turn.sender->epoch : 0;
    const bool is_other_start = is_same_log && message.epoch == seen &&
                                !turn.sender->start.empty() && turn.sender->start != message.start;
    const bool is_behind =
        is_same_log && lacks_what_was_seen(*turn.sender, message.epoch, message.began_at);
    if (message.epoch < seen || is_other_start || is_behind) {
        std::string why = "epoch " + std::to_string(seen) + " has been seen";
        if (is_other_start) why = "another start of " + why;
        if (is_behind) why += ", and more of it than this copy of the log holds";
        Answer stale = refuse(409, "stale_epoch", std::move(why));
        stale.seen = seen_of(*turn.sender);
        return stale;
    }
    if (message.epoch > highest_epoch(seen, turn.moment))
        return refuse(422,
                      "epoch-too-high",
                      "no start of a coordinator has epoch " + std::to_string(message.epoch) +
                          " yet; are the clocks of both right?");
    return std::nullopt;
}

/// Keeps what the message tells of its sender, once the message has touched a branch: whoever
/// names none of ours moves no mark.
void Branches::remember(Turn& turn) const {
    const Message& message = turn.message;
    Coordinator sender = turn.sender.value_or(Coordinator{});
    const bool is_new_log = message.log != sender.log;  // a pinned one
    // A mark above the message's own gid contradicts it: that transaction is under way.
    const bool is_higher = message.low_water > sender.low_water && message.low_water <= message.gid;
    const bool mark_grows = is_higher && is_credible(message.low_water, turn.moment);
    turn.has_mark_ahead = is_higher && !mark_grows && is_time_ordered(message.low_water);
    const bool is_news = is_new_log || message.epoch != sender.epoch || mark_grows ||
                         message.position > sender.position;
    if (turn.sender && !is_news) return;
    const std::uint64_t position =
        is_new_log ? message.position : std::max(message.position, sender.position);
    if (is_new_log || message.epoch != sender.epoch || sender.start.empty())
        listen_to(sender,
                  {.log = message.log,
                   .epoch = message.epoch,
                   .start = message.start,
                   .position = position,
                   .replaces = message.replaces});
    sender.position = position;
    if (mark_grows) sender.low_water = message.low_water;
    write(turn.unit, tables_.coordinators, message.coordinator, sender);
    turn.sender = std::move(sender);
}

Branches::Outcome Branches::begin(Turn& turn) const {
    const Message& message = turn.message;
    if (turn.sender && message.gid <= turn.sender->forgotten_up_to)
        return {refuse(refused(
            "too_late",
            "transactions up to " + turn.sender->forgotten_up_to + " are over and forgotten"))};
    const bool is_prepare = message.verb == Verb::prepare;
    Branch branch{.state = is_prepare ? BranchState::prepared : BranchState::executed,
                  .coordinator = message.coordinator,
                  .operation = message.operation,
                  .payload = message.payload,
                  .business_code = message.business_code,
                  .business_id = message.business_id,
                  .begun_at = turn.moment.microseconds,
                  .ended_second = turn.moment.running_seconds};
    const Work work = work_of(message, branch);
    Step step = is_prepare ? resource_.prepare(turn.unit, work, turn.moment)
                           : resource_.execute(turn.unit, work, turn.moment);
    if (step.refusal) return {refuse(std::move(*step.refusal)), std::move(step.change)};

    branch.note = std::move(step.note);
    branch.first_result = std::move(step.result);
    if (is_prepare) {
        branch.prepare_id = options_.participant + "-" +
                            std::to_string(next_number(turn.unit, tables_.numbers, "prepare"));
        write(turn.unit,
              tables_.in_doubt,
              turn.key,
              InDoubt{.coordinator = branch.coordinator,
                      .operation = branch.operation,
                      .prepared_at = branch.begun_at});
    } else {
        note_end(turn, branch);
    }
    write(turn.unit, tables_.branches, turn.key, branch);
    remember(turn);
    return {voted(message.verb, branch), std::move(step.change)};
}

Branches::Outcome Branches::end_unknown(Turn& turn) const {
    const Message& message = turn.message;
    if (message.verb == Verb::commit)
        return {refuse(404, "never_prepared", "no such branch was prepared here")};
    Branch tombstone{.coordinator = message.coordinator, .begun_at = turn.moment.microseconds};
    tombstone.state =
        message.verb == Verb::rollback ? BranchState::rolled_back : BranchState::compensated;
    // Where a late prepare is refused in any case, nothing need be kept to refuse it by.
    const bool is_refused_anyway = !options_.coordinators.contains(message.coordinator) ||
                                   (turn.sender && message.gid <= turn.sender->forgotten_up_to);
    // An end is never refused, and the store's last room is that of ends that are known. A prepare
    // that comes later asks, and hears that it was rolled back; an execute would never ask.
    const bool is_row_needed = message.verb == Verb::compensate || options_.has_room();
    if (is_refused_anyway || !is_row_needed)
        return {.answer = ended(tombstone), .change = {}, .is_repeat = true};
    finish(turn, tombstone, tombstone.state);
    return {.answer = ended(tombstone), .change = {}, .is_tombstone = true};
}

bool Branches::is_known(const wal::Reader& reader, const Message& message) const {
    return read<Branch>(reader, tables_.branches, branch_key(message.gid, message.branch_id))
        .has_value();
}

Branches::Outcome Branches::on_known(Turn& turn, const Branch& branch) const {
    const Message& message = turn.message;
    if (message.coordinator != branch.coordinator)
        return {refuse(422, "wrong-coordinator", "this branch is of " + branch.coordinator)};
    remember(turn);
    switch (message.verb) {
        case Verb::prepare:
        case Verb::execute: return repeat_begin(turn, branch);
        case Verb::commit:
        case Verb::rollback: return end(turn, branch);
        case Verb::compensate: return compensate(turn, branch);
    }
    assert(false);
    return {};
}

Branches::Outcome Branches::repeat_begin(Turn& turn, const Branch& branch) const {
    const Message& message = turn.message;
    if (branch.state == BranchState::rolled_back || branch.state == BranchState::compensated)
        return {already(branch.state)};
    if (began_by_execute(branch) != (message.verb == Verb::execute)) return {wrong_verb()};
    if (branch.operation != message.operation || branch.payload != message.payload)
        return {refuse(422, "payload-changed", "this branch began with another request")};
    return {.answer = voted(message.verb, branch), .change = {}, .is_repeat = true};
}

Branches::Outcome Branches::end(Turn& turn, Branch branch) const {
    const Message& message = turn.message;
    if (began_by_execute(branch)) return {wrong_verb()};
    if (message.prepare_id && !branch.is_tombstone() && *message.prepare_id != branch.prepare_id)
        return {refuse(422, "wrong-prepare-id", "this branch has another prepare_id")};
    const bool is_commit = message.verb == Verb::commit;
    const BranchState wanted = is_commit ? BranchState::committed : BranchState::rolled_back;
    if (branch.state == wanted) return {.answer = ended(branch), .change = {}, .is_repeat = true};
    if (branch.state != BranchState::prepared) return {.answer = already(branch.state)};

    const Work work = work_of(message, branch);
    Step step = is_commit ? resource_.commit(turn.unit, work, turn.moment)
                          : resource_.rollback(turn.unit, work, turn.moment);
    assert(!step.refusal);  // a yes is a promise
    branch.last_result = std::move(step.result);
    turn.unit.erase(tables_.in_doubt, turn.key);
    finish(turn, branch, wanted);
    return {.answer = ended(branch), .change = std::move(step.change)};
}

Branches::Outcome Branches::compensate(Turn& turn, Branch branch) const {
    if (!began_by_execute(branch)) return {wrong_verb()};
    if (branch.state == BranchState::compensated)
        return {.answer = ended(branch), .change = {}, .is_repeat = true};

    Step step = resource_.compensate(turn.unit, work_of(turn.message, branch), turn.moment);
    if (step.refusal)
        return {.answer = refuse(std::move(*step.refusal)), .change = std::move(step.change)};
    branch.last_result = std::move(step.result);
    turn.unit.erase(tables_.ended, ended_key(branch, turn.key));
    finish(turn, branch, BranchState::compensated);
    return {.answer = ended(branch), .change = std::move(step.change)};
}

void Branches::finish(Turn& turn, Branch& branch, BranchState state) const {
    branch.state = state;
    branch.ended_second = turn.moment.running_seconds;
    write(turn.unit, tables_.branches, turn.key, branch);
    note_end(turn, branch);
    remember(turn);
}

/// Puts the branch among those that are forgotten one day. One whose gid is no time stays for ever:
/// by the highest gid forgotten all below it are refused.
void Branches::note_end(Turn& turn, const Branch& branch) const {
    if (is_time_ordered(turn.message.gid))
        turn.unit.put(tables_.ended, ended_key(branch, turn.key), "");
}

}  // namespace twophase::participants
