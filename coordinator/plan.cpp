#include "coordinator/plan.hpp"

#include "coordinator/references.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace twophase::coordinator {
namespace {

using Branches = std::vector<BranchRequest>;

std::string named(const BranchRequest& branch) { return "branch " + branch.branch_id; }

std::optional<PlanFault> check_ids(const Branches& branches) {
    std::set<SharedText> ids;
    for (const BranchRequest& branch : branches)
        if (!ids.insert(branch.branch_id).second)
            return PlanFault{"branch-id-repeated",
                             "branch_id " + branch.branch_id + " is used twice"};
    return std::nullopt;
}

std::optional<PlanFault> check_retries(Mode mode, const Branches& branches) {
    for (const BranchRequest& branch : branches) {
        if (!branch.max_retries && !branch.retry_delay_milliseconds) continue;
        if (mode != Mode::eventual)
            return PlanFault{
                "retries-not-in-" + std::string(mode == Mode::saga ? "saga" : "two-phase"),
                "max_retries and retry_delay_ms belong to eventual; leave them out"};
        if (&branch == &branches.front())
            return PlanFault{"retries-of-key-operation",
                             named(branch) +
                                 " is the key operation: it is asked until it answers, and a "
                                 "refusal is final; leave max_retries and retry_delay_ms out"};
    }
    return std::nullopt;
}

/// The steps of a saga and what comes before each, directly or not.
class Order {
public:
    explicit Order(const Branches& branches) : branches_(branches) {
        for (const BranchRequest& branch : branches) by_id_[branch.branch_id] = &branch;
    }

    std::optional<PlanFault> check() const {
        for (const BranchRequest& branch : branches_) {
            std::set<SharedText> seen;
            for (const SharedText& id : branch.after) {
                if (!by_id_.contains(id))
                    return PlanFault{"after-unknown",
                                     named(branch) + " comes after '" + id +
                                         "', which is no branch of this transaction"};
                if (!seen.insert(id).second)
                    return PlanFault{"after-repeated",
                                     named(branch) + " names '" + id + "' twice in after"};
            }
        }
        for (const BranchRequest& branch : branches_)
            if (before(branch).contains(branch.branch_id))
                return PlanFault{"after-circular",
                                 named(branch) + " would have to come before itself"};
        return std::nullopt;
    }

    /// Ids of all that is over when this branch's turn comes.
    std::set<SharedText> before(const BranchRequest& branch) const {
        std::set<SharedText> found;
        std::vector<const BranchRequest*> left{&branch};
        while (!left.empty()) {
            const BranchRequest* next = left.back();
            left.pop_back();
            for (const SharedText& id : next->after)
                if (found.insert(id).second) left.push_back(by_id_.at(id));
        }
        return found;
    }

private:
    const Branches& branches_;
    std::map<SharedText, const BranchRequest*> by_id_;
};

PlanFault outside(const BranchRequest& branch, const Reference& reference, const char* why) {
    return {"reference-outside-after",
            named(branch) + " uses ${" + reference.branch_id + ".result." + reference.name +
                "}: " + why};
}

std::optional<PlanFault> check_saga(Branches& branches) {
    const Order order(branches);
    if (auto fault = order.check()) return fault;
    for (BranchRequest& branch : branches) {
        const std::set<SharedText> before = order.before(branch);
        std::vector<SharedText> after = branch.after;
        for (const Reference& reference : references_in(branch.payload)) {
            if (!before.contains(reference.branch_id))
                return outside(branch, reference, "a step that it does not come after");
            // Directly, as the core looks there for results that have to be durable first.
            if (std::ranges::find(after, reference.branch_id) == after.end())
                after.push_back(reference.branch_id);
        }
        branch.after = std::move(after);
    }
    return std::nullopt;
}

std::optional<PlanFault> check_unordered(Mode mode, bool says_after, const Branches& branches) {
    if (says_after)
        return PlanFault{
            mode == Mode::eventual ? "after-not-in-eventual" : "after-not-in-two-phase",
            "'after' orders the steps of a saga; leave it out"};
    for (const BranchRequest& branch : branches)
        for (const Reference& reference : references_in(branch.payload)) {
            const bool is_of_key = reference.branch_id == branches.front().branch_id;
            if (mode == Mode::eventual && is_of_key && &branch != &branches.front()) continue;
            return outside(branch,
                           reference,
                           mode == Mode::eventual
                               ? "only the first branch's result is known when the others are "
                                 "delivered"
                               : "two-phase branches are asked all at once, so none has a result "
                                 "yet; a saga's steps have");
        }
    return std::nullopt;
}

}  // namespace

std::optional<PlanFault> complete_plan(Mode mode, bool says_after, Branches& branches) {
    if (auto fault = check_ids(branches)) return fault;
    if (auto fault = check_retries(mode, branches)) return fault;
    if (mode != Mode::saga) return check_unordered(mode, says_after, branches);
    if (!says_after)
        for (std::size_t i = 1; i < branches.size(); ++i)
            branches[i].after = {branches[i - 1].branch_id};
    return check_saga(branches);
}

}  // namespace twophase::coordinator
