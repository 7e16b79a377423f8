#include "coordinator/protocol/folded.hpp"

#include "coordinator/protocol/modes.hpp"

#include <algorithm>

namespace twophase::coordinator {
namespace {

/// Why `record` can't be the next one, or nothing.
std::string objection(const Folded& f, const Record& record) {
    const bool starts = std::holds_alternative<Started>(record);
    if (starts && f.is_started) return "started twice";
    if (!starts && !f.is_started) return std::string(name_of(record)) + " without started";
    if (starts) return {};
    if (gid_of(record) != f.started.gid) return "a record of another transaction";
    if (f.is_finished) return std::string(name_of(record)) + " after finished";
    const std::size_t branches = f.started.branches.size();
    if (const auto* r = std::get_if<Decided>(&record)) {
        if (f.decision) return "decided twice";
        if (r->votes.size() != branches) return "votes for another number of branches";
    } else if (const auto* done = std::get_if<BranchDone>(&record)) {
        if (done->branch >= branches) return "a branch that was never started";
        if (!f.decision) return "a branch ended before the decision";
    } else if (const auto* step = std::get_if<StepDone>(&record)) {
        if (step->branch >= branches) return "a step that was never started";
    } else if (const auto* failed = std::get_if<DeliveryFailed>(&record)) {
        if (failed->branch >= branches) return "a failed branch that was never started";
    } else if (const auto* by_hand = std::get_if<Resolved>(&record)) {
        if (by_hand->branch && *by_hand->branch >= branches)
            return "a resolved branch that was never started";
    } else if (std::holds_alternative<Finished>(record)) {
        if (!f.decision || !f.is_delivered()) return "finished with a branch open";
    }
    return {};
}

/// A dead letter that a person took up is none any more.
void resolve(FoldedBranch& branch, std::string_view how, Mode mode) {
    if (branch.how == How::dead_letter) branch.how.reset();
    if (how == "retry") branch.failed_attempts = 0;
    if (how == "gone")
        branch.is_gone = true;
    else if (how != "retry" && mode != Mode::two_phase)  // which compensates nothing
        branch.closing = parse_how(how);
}

}  // namespace

std::string Folded::fold(const Record& record) {
    if (std::string why_not = objection(*this, record); !why_not.empty()) return why_not;
    if (const auto* r = std::get_if<Started>(&record)) {
        if (started.gid != r->gid) started = *r;
        branches.resize(r->branches.size());
        is_started = true;
    } else if (const auto* decided = std::get_if<Decided>(&record)) {
        decision = decided->decision;
        why = decided->why;
        for (std::size_t i = 0; i < branches.size(); ++i) branches[i].vote = decided->votes[i];
    } else if (const auto* done = std::get_if<BranchDone>(&record)) {
        FoldedBranch& branch = branches[done->branch];
        branch.result = done->result;
        // A delivery that a person ended before it died is to be compensated all the same. Earlier
        // builds could write that.
        if (done->how != How::dead_letter || !branch.closing) branch.how = done->how;
    } else if (const auto* step = std::get_if<StepDone>(&record)) {
        branches[step->branch].vote = {.vote = Vote::executed, .result = step->result};
    } else if (const auto* failed = std::get_if<DeliveryFailed>(&record)) {
        FoldedBranch& branch = branches[failed->branch];
        branch.failed_attempts = failed->attempts;
        branch.failure_code = failed->code;
        branch.failure_message = failed->message;
    } else if (const auto* by_hand = std::get_if<Resolved>(&record)) {
        resolved.push_back(*by_hand);
        if (by_hand->branch) resolve(branches[*by_hand->branch], by_hand->how, started.mode);
    } else {
        is_finished = true;
    }
    ++records;
    return {};
}

bool Folded::is_settled(BranchIndex branch) const {
    const FoldedBranch& b = branches[branch];
    if (b.how) return true;
    return decision && !b.closing && !delivery(started.mode, *decision, branch, b.vote.vote);
}

bool Folded::is_delivered() const {
    for (BranchIndex i = 0; i < branches.size(); ++i)
        if (!is_settled(i) || branches[i].how == How::dead_letter) return false;
    return true;
}

bool Folded::is_heuristic() const {
    return std::ranges::any_of(branches, [](const FoldedBranch& b) {
        return b.how == How::by_hand || b.how == How::discarded;
    });
}

}  // namespace twophase::coordinator
