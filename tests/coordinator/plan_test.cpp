// Which orders, references and retries a transaction may have, by mode.
#include "coordinator/plan.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

using After = std::vector<SharedText>;

BranchRequest branch(const char* id, After after = {}, const char* payload = "{}") {
    return {.branch_id = id, .payload = payload, .after = std::move(after)};
}

/// The code of what is wrong, or "fine".
std::string fault(Mode mode, std::vector<BranchRequest> branches, bool says_after = true) {
    const auto found = complete_plan(mode, says_after, branches);
    return found ? found->code : "fine";
}

const char* const uses_a = R"({"x":"${a.result.id}"})";

TEST(PlanTest, StepsThatSayNothingComeOneAfterTheOther) {
    std::vector<BranchRequest> branches{branch("a"), branch("b"), branch("c", {}, uses_a)};
    ASSERT_FALSE(complete_plan(Mode::saga, false, branches));
    EXPECT_EQ(branches[0].after, After{});
    EXPECT_EQ(branches[1].after, After{"a"});
    EXPECT_EQ(branches[2].after, (After{"b", "a"})) << "the core looks there for results";
}

TEST(PlanTest, OrdersThatNobodyCanFollowAreRefused) {
    EXPECT_EQ(fault(Mode::saga, {branch("a"), branch("b", {"a"})}), "fine");
    EXPECT_EQ(fault(Mode::saga, {branch("a", {"x"})}), "after-unknown");
    EXPECT_EQ(fault(Mode::saga, {branch("a", {"a"})}), "after-circular");
    EXPECT_EQ(fault(Mode::saga, {branch("a", {"b"}), branch("b", {"a"})}), "after-circular");
    EXPECT_EQ(fault(Mode::saga, {branch("a"), branch("b", {"a", "a"})}), "after-repeated");
    EXPECT_EQ(fault(Mode::saga, {branch("a"), branch("a")}), "branch-id-repeated");
    EXPECT_EQ(fault(Mode::two_phase, {branch("a"), branch("b", {"a"})}), "after-not-in-two-phase");
    EXPECT_EQ(fault(Mode::eventual, {branch("a"), branch("b", {"a"})}), "after-not-in-eventual");
}

TEST(PlanTest, AReferenceHasToBeToSomethingThatIsOverByThen) {
    const char* outside = "reference-outside-after";
    EXPECT_EQ(fault(Mode::saga, {branch("a"), branch("b", {}, uses_a)}), outside);
    EXPECT_EQ(fault(Mode::saga, {branch("a", {}, uses_a)}), outside);
    EXPECT_EQ(fault(Mode::saga, {branch("a"), branch("b", {"a"}), branch("c", {"b"}, uses_a)}),
              "fine");
    EXPECT_EQ(fault(Mode::eventual, {branch("a"), branch("b", {}, uses_a)}, false), "fine");
    EXPECT_EQ(fault(Mode::eventual, {branch("b", {}, uses_a), branch("a")}, false), outside);
    EXPECT_EQ(fault(Mode::eventual, {branch("k"), branch("a"), branch("b", {}, uses_a)}, false),
              outside);
    EXPECT_EQ(fault(Mode::two_phase, {branch("a"), branch("b", {}, uses_a)}, false), outside);
}

TEST(PlanTest, RetriesBelongToDeliveries) {
    BranchRequest counted = branch("b");
    counted.max_retries = 1;
    EXPECT_EQ(fault(Mode::eventual, {branch("a"), counted}, false), "fine");
    EXPECT_EQ(fault(Mode::eventual, {counted, branch("a")}, false), "retries-of-key-operation");
    EXPECT_EQ(fault(Mode::saga, {branch("a"), counted}, false), "retries-not-in-saga");
    EXPECT_EQ(fault(Mode::two_phase, {branch("a"), counted}, false), "retries-not-in-two-phase");
}

}  // namespace
}  // namespace twophase::coordinator
