#include "participants/second_look.hpp"

#include "http/json.hpp"
#include "participants/branch.hpp"
#include "participants/finding_json.hpp"
#include "participants/record.hpp"

#include <utility>

namespace twophase::participants {
namespace {

using http::Json;

bool has_happened(const Branch& branch) {
    return branch.state == BranchState::committed || branch.state == BranchState::executed;
}

std::string detail_of(const Finding& finding) {
    Json detail{{"account_id", finding.account_id},
                {"recorded_balance", finding.recorded},
                {"calculated_balance", finding.calculated},
                {"difference", finding.difference()}};
    if (is_of_comparison(finding)) {
        detail["coordinator"] = finding.coordinator;
        detail["recorded_state"] = finding.recorded_state;
        detail["expected_state"] = finding.expected_state;
        add_request(detail, finding);
    }
    return http::dump_replacing(detail);
}

}  // namespace

bool is_of_comparison(const Finding& finding) { return !finding.coordinator.empty(); }

SecondLook::SecondLook(Options options,
                       const TableOf& table_of,
                       const Audit& audit,
                       const Books* kind)
    : options_(std::move(options)),
      audit_(audit),
      acknowledgements_(table_of),
      kind_(kind),
      branches_(table_of("branches")),
      coordinators_(table_of("coordinators")) {}

bool SecondLook::settle(wal::Unit& unit, Finding& finding, const Moment& moment) const {
    Books::Second second;
    if (is_of_comparison(finding))
        second.is_still_so = still_contradicts(unit, finding);
    else if (kind_ != nullptr)
        second = kind_->look_again(unit, finding, options_.correct_below, moment);
    if (!second.is_still_so) return false;
    finding.is_corrected = second.is_corrected;
    if (!second.is_corrected) finding.acknowledged = acknowledgements_.reason_of(unit, finding);
    if (!finding.acknowledged.empty()) return true;
    audit_.append(unit, entry_of(finding, moment));
    if (!second.is_corrected) return true;
    AuditEntry correction = entry_of(finding, moment);
    correction.operation = "system_correction";
    correction.success = true;
    correction.change = std::move(second.correction);
    audit_.append(unit, correction);
    return true;
}

/// Only what is over can be a contradiction: a branch that moved on, ended as expected or was
/// forgotten since its page was read is none.
bool SecondLook::still_contradicts(const wal::Unit& unit, Finding& finding) const {
    std::optional<Branch> branch;
    try {
        branch = read<Branch>(unit, branches_, branch_key(finding.gid, finding.branch_id));
    } catch (const DamagedRecord&) {
        // It is there, and was perhaps carried out: whoever believed that it is missing would book
        // it twice. The books tell of the damage.
        return false;
    }
    if (finding.kind == "missing") {
        const auto sender = read<Coordinator>(unit, coordinators_, finding.coordinator);
        return !branch && (!sender || finding.gid > sender->forgotten_up_to);
    }
    if (!branch || branch->coordinator != finding.coordinator) return false;
    if (finding.operation.empty()) {  // what the log can't tell of it
        finding.operation = branch->operation;
        finding.payload = branch->payload;
        finding.business_code = branch->business_code;
        finding.business_id = branch->business_id;
    }
    if (finding.kind == "different") return to_string(branch->state) != finding.expected_state;
    if (finding.recorded_state == to_string(BranchState::prepared))
        return branch->state == BranchState::prepared;
    return has_happened(*branch);
}

AuditEntry SecondLook::acknowledgement_entry(const Finding& finding,
                                             const std::string& reason,
                                             const Origin& who,
                                             const Moment& moment) const {
    AuditEntry entry = entry_of(finding, moment);
    entry.operation = "acknowledge_finding";
    entry.origin = who;
    entry.success = true;
    Json detail = Json::parse(entry.detail);
    detail["subject"] = finding.subject;
    detail["reason"] = reason;
    entry.detail = http::dump_replacing(detail);
    return entry;
}

AuditEntry SecondLook::entry_of(const Finding& finding, const Moment& moment) const {
    AuditEntry entry;
    entry.service = options_.participant;
    entry.operation = "inconsistency";
    entry.origin.actor = "reconciliation";
    entry.timestamp = moment.microseconds;
    entry.gid = finding.gid;
    entry.branch_id = finding.branch_id;
    entry.success = false;
    entry.code = finding.kind;
    entry.change.user_id = finding.user_id;
    entry.change.amount = finding.difference();
    entry.detail = detail_of(finding);
    return entry;
}

}  // namespace twophase::participants
