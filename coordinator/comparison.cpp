#include "coordinator/comparison.hpp"

#include <algorithm>
#include <utility>

namespace twophase::coordinator {
namespace {

bool has_happened(const std::string& state) { return state == "committed" || state == "executed"; }

/// The state that the participant acknowledged, or promised where nothing was left to tell it.
std::string expected_of(const FoldedBranch& branch, const std::optional<Decision>& decision) {
    if (branch.how) switch (*branch.how) {
            case How::committed:
            case How::rolled_back:
            case How::executed:
            case How::compensated: return std::string(to_text(*branch.how));
            case How::dead_letter:
            case How::discarded:
            case How::by_hand: return "";  // a person's word acknowledges nothing
        }
    const bool is_settled_by_vote =
        branch.vote.vote == Vote::executed && decision == Decision::commit;
    return is_settled_by_vote ? "executed" : "";
}

bool is_as_expected(const std::string& state, const std::string& expected) {
    if (expected.empty() || state == expected) return true;
    // What was undone and what never was look alike afterwards.
    const bool is_undone = state == "rolled_back" || state == "compensated";
    return !has_happened(expected) && is_undone;
}

class Comparison {
public:
    Comparison(const std::set<std::string>& names, const std::map<Gid, LoggedTransaction>& log)
        : names_(names), log_(log) {}

    void add(const ListedBranch& branch) {
        const LoggedTransaction& transaction = log_.at(branch.gid);
        listed_.insert({branch.gid, branch.branch_id});
        if (transaction.kind == LoggedTransaction::Kind::never && has_happened(branch.state))
            return add("unknown", branch, "");
        // Nothing is forgotten before its participants have acknowledged its end.
        if (transaction.kind == LoggedTransaction::Kind::forgotten && branch.state == "prepared")
            return add("unknown", branch, "");
        if (transaction.kind != LoggedTransaction::Kind::over) return;
        if (transaction.settled_by_hand) return add_settled(branch, *transaction.settled_by_hand);
        const auto named = transaction.branches.find(branch.branch_id);
        if (named != transaction.branches.end() && is_us(named->second)) {
            if (!is_as_expected(branch.state, named->second.expected))
                add("different", branch, named->second.expected);
            else if (named->second.decided)
                add_settled(branch, *named->second.decided);
        } else if (has_happened(branch.state)) {
            add(names_us(transaction) ? "doubled" : "unknown", branch, "");
        }
    }

    void add_missing(const std::optional<Gid>& forgotten_up_to) {
        for (const auto& [gid, transaction] : log_) {
            if (transaction.kind != LoggedTransaction::Kind::over) continue;
            if (forgotten_up_to && gid <= *forgotten_up_to) continue;
            for (const auto& [branch_id, branch] : transaction.branches)
                if (is_us(branch) && has_happened(branch.expected) &&
                    !listed_.contains({gid, branch_id}))
                    found_.push_back({"missing", gid, branch_id, "", branch.expected});
        }
    }

    std::vector<Contradiction> take() && { return std::move(found_); }

private:
    void add(const char* kind, const ListedBranch& branch, const std::string& expected) {
        found_.push_back({kind, branch.gid, branch.branch_id, branch.state, expected});
    }

    /// The participant was told what to do, by an inquiry or the sweep.
    void add_settled(const ListedBranch& branch, Decision decision) {
        if (decision == Decision::rollback && branch.state == "committed")
            add("different", branch, "rolled_back");
        if (decision == Decision::commit && branch.state == "rolled_back")
            add("different", branch, "committed");
    }

    bool is_us(const LoggedTransaction::Branch& branch) const {
        return names_.contains(branch.participant);
    }

    bool names_us(const LoggedTransaction& transaction) const {
        return std::ranges::any_of(transaction.branches,
                                   [&](const auto& entry) { return is_us(entry.second); });
    }

    const std::set<std::string>& names_;
    const std::map<Gid, LoggedTransaction>& log_;
    std::set<std::pair<Gid, std::string>> listed_;
    std::vector<Contradiction> found_;
};

}  // namespace

LoggedTransaction logged(const Folded& folded) {
    LoggedTransaction transaction;
    if (!folded.is_finished) return transaction;
    transaction.kind = LoggedTransaction::Kind::over;
    if (folded.started.branches.empty()) transaction.settled_by_hand = folded.decision;
    for (std::size_t i = 0; i < folded.branches.size(); ++i) {
        const BranchRequest& request = folded.started.branches[i];
        const bool is_ended_by_hand =
            folded.started.mode == Mode::two_phase && folded.branches[i].how == How::by_hand;
        transaction.branches[std::string(request.branch_id)] = {
            .participant = std::string(request.participant),
            .expected = expected_of(folded.branches[i], folded.decision),
            .decided = is_ended_by_hand ? folded.decision : std::nullopt};
    }
    return transaction;
}

std::vector<Contradiction> compare(const std::set<std::string>& names,
                                   const std::vector<ListedBranch>& listed,
                                   const std::map<Gid, LoggedTransaction>& log,
                                   const std::optional<Gid>& forgotten_up_to) {
    Comparison comparison(names, log);
    for (const ListedBranch& branch : listed) comparison.add(branch);
    comparison.add_missing(forgotten_up_to);
    return std::move(comparison).take();
}

}  // namespace twophase::coordinator
