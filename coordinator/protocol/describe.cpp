#include "coordinator/protocol/describe.hpp"

namespace twophase::coordinator {
namespace {

std::string at(const Gid& gid) { return " " + to_text(gid); }
std::string at(const Gid& gid, BranchIndex branch) {
    return at(gid) + " branch " + std::to_string(branch);
}
std::string at(const Gid& gid, const std::optional<BranchIndex>& branch) {
    return branch ? at(gid, *branch) : at(gid);
}
std::string text(std::string_view view) { return std::string(view); }

struct DescribeRecord {
    std::string operator()(const Started& r) const {
        std::string line = "started" + at(r.gid) + " " + text(to_text(r.mode));
        for (const BranchRequest& branch : r.branches) line += " " + branch.participant;
        return line;
    }
    std::string operator()(const StepDone& r) const { return "step_done" + at(r.gid, r.branch); }
    std::string operator()(const Decided& r) const {
        return "decided" + at(r.gid) + " " + text(to_text(r.decision)) + " " + r.why.code;
    }
    std::string operator()(const BranchDone& r) const {
        return "branch_done" + at(r.gid, r.branch) + " " + text(to_text(r.how));
    }
    std::string operator()(const DeliveryFailed& r) const {
        return "delivery_failed" + at(r.gid, r.branch) + " " + r.code;
    }
    std::string operator()(const Resolved& r) const {
        return "resolved" + at(r.gid, r.branch) + " " + r.how + " by " + r.who;
    }
    std::string operator()(const Finished& r) const { return "finished" + at(r.gid); }
};

struct DescribeEvent {
    std::string operator()(const Submitted& e) const { return "submitted" + at(e.started.gid); }
    std::string operator()(const Logged& e) const { return "logged " + describe(e.record); }
    std::string operator()(const Unlogged& e) const { return "unlogged" + at(e.gid); }
    std::string operator()(const Voted& e) const {
        std::string line = "voted" + at(e.gid, e.branch) + " " + text(to_text(e.vote.vote));
        return e.vote.code.empty() ? line : line + " " + e.vote.code;
    }
    std::string operator()(const Acknowledged& e) const {
        return "acknowledged" + at(e.gid, e.branch) + " " + text(to_text(e.verb));
    }
    std::string operator()(const NoRoom& e) const {
        return "no room" + at(e.gid, e.branch) + " " + text(to_text(e.verb)) + " attempt " +
               std::to_string(e.attempts);
    }
    std::string operator()(const Unclear& e) const {
        return "unclear" + at(e.gid, e.branch) + " " + text(to_text(e.verb)) + " attempt " +
               std::to_string(e.attempts) + ": " + e.error;
    }
    std::string operator()(const Contradicted& e) const {
        return "contradicted" + at(e.gid, e.branch) + " " + text(to_text(e.verb)) + ": " + e.code;
    }
    std::string operator()(const Ticked&) const { return "ticked"; }
    std::string operator()(const ResolveAsked& e) const {
        return "resolve asked" + at(e.gid, e.branch) + " " + e.how + " by " + e.who;
    }
};

std::string_view to_text(Milestone milestone) {
    switch (milestone) {
        case Milestone::started: return "started";
        case Milestone::decided: return "decided";
        case Milestone::completed: return "completed";
        case Milestone::undone: return "undone";
        case Milestone::resolved: return "resolved";
        case Milestone::failed: return "failed";
    }
    return "?";
}

struct DescribeEffect {
    std::string operator()(const Append& e) const {
        return std::string(e.is_forced ? "force " : "append ") + describe(e.record) + " n " +
               std::to_string(e.n);
    }
    std::string operator()(const Send& e) const {
        std::string line = "send" + at(e.gid, e.branch) + " " + text(coordinator::to_text(e.verb));
        return e.delay > Time{0} ? line + " in " + std::to_string(e.delay.count()) + " ms" : line;
    }
    std::string operator()(const Withdraw& e) const { return "withdraw" + at(e.gid, e.branch); }
    std::string operator()(const Tell& e) const {
        return "tell" + at(e.gid) + " " + text(to_text(e.milestone));
    }
    std::string operator()(const Alert& e) const {
        return "alert " + e.kind + at(e.gid, e.branch) + ": " + e.text;
    }
};

}  // namespace

std::string describe(const Event& event) { return std::visit(DescribeEvent{}, event); }
std::string describe(const Effect& effect) { return std::visit(DescribeEffect{}, effect); }
std::string describe(const Record& record) { return std::visit(DescribeRecord{}, record); }

}  // namespace twophase::coordinator
