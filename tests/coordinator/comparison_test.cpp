// What a participant's list of branches says against the log, and what it doesn't.
#include "coordinator/comparison.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

using Kind = LoggedTransaction::Kind;
using Texts = std::vector<std::string>;

Gid number(std::uint8_t n) {
    Gid gid{};
    gid.back() = n;
    return gid;
}

/// A finished transaction whose branch "1" is credit's and whose branch "2" is coupon's.
LoggedTransaction over(const std::string& credit, const std::string& coupon = "") {
    return {.kind = Kind::over, .branches = {{"1", {"credit", credit}}, {"2", {"coupon", coupon}}}};
}

/// "different 1/1 rolled_back committed": kind, gid/branch, theirs, ours.
Texts compared(const std::vector<ListedBranch>& listed,
               const std::map<Gid, LoggedTransaction>& log,
               std::optional<Gid> forgotten_up_to = {}) {
    Texts texts;
    for (const Contradiction& found : compare({"credit"}, listed, log, forgotten_up_to))
        texts.push_back(found.kind + " " + std::to_string(found.gid.back()) + "/" +
                        found.branch_id + " " + found.recorded_state + " " + found.expected_state);
    return texts;
}

/// What credit's branch in `state` says against a transaction.
Texts one(const std::string& state, const LoggedTransaction& transaction) {
    return compared({{number(1), "1", state}}, {{number(1), transaction}});
}

TEST(ComparisonTest, WhatAgreesIsNoFinding) {
    for (const char* state : {"committed", "rolled_back", "executed", "compensated"})
        EXPECT_EQ(one(state, over(state)), Texts{}) << state;
    EXPECT_EQ(one("compensated", over("rolled_back")), Texts{});
    EXPECT_EQ(one("rolled_back", over("compensated")), Texts{});
}

TEST(ComparisonTest, AnotherEndIsDifferent) {
    EXPECT_EQ(one("rolled_back", over("committed")), Texts{"different 1/1 rolled_back committed"});
    EXPECT_EQ(one("committed", over("rolled_back")), Texts{"different 1/1 committed rolled_back"});
    EXPECT_EQ(one("prepared", over("committed")), Texts{"different 1/1 prepared committed"});
    EXPECT_EQ(one("executed", over("compensated")), Texts{"different 1/1 executed compensated"});
    EXPECT_EQ(one("compensated", over("executed")), Texts{"different 1/1 compensated executed"});
}

TEST(ComparisonTest, WhatAPersonEndedOrWhatWasGivenUpBindsNoParticipant) {
    for (const char* state : {"prepared", "committed", "rolled_back", "executed", "compensated"})
        EXPECT_EQ(one(state, over("")), Texts{}) << state;
    EXPECT_EQ(compared({}, {{number(1), over("")}}), Texts{});
}

TEST(ComparisonTest, AParticipantIsKnownByEachNameThatItHad) {
    const std::map<Gid, LoggedTransaction> log{{number(1), over("committed")},
                                               {number(2), over("committed")}};
    const std::vector<ListedBranch> listed{{number(1), "1", "committed"}};
    const auto kinds = [&](const std::set<std::string>& names) {
        Texts texts;
        for (const Contradiction& found : compare(names, listed, log, {}))
            texts.push_back(found.kind + " " + std::to_string(found.gid.back()));
        return texts;
    };
    EXPECT_EQ(kinds({"points"}), Texts{"unknown 1"});
    EXPECT_EQ(kinds({"points", "credit"}), Texts{"missing 2"});
}

TEST(ComparisonTest, WhatIsNotOverIsNoFinding) {
    for (const char* state : {"prepared", "committed", "rolled_back", "executed", "compensated"})
        EXPECT_EQ(one(state, {.kind = Kind::open}), Texts{}) << state;
}

TEST(ComparisonTest, WhatHappenedWithoutTheLogIsUnknownUnlessForgotten) {
    EXPECT_EQ(one("committed", {.kind = Kind::never}), Texts{"unknown 1/1 committed "});
    EXPECT_EQ(one("executed", {.kind = Kind::never}), Texts{"unknown 1/1 executed "});
    for (const char* state : {"prepared", "rolled_back", "compensated"})
        EXPECT_EQ(one(state, {.kind = Kind::never}), Texts{}) << state;
    for (const char* state : {"committed", "executed", "rolled_back", "compensated"})
        EXPECT_EQ(one(state, {.kind = Kind::forgotten}), Texts{}) << state;
}

TEST(ComparisonTest, WhatIsPreparedIsForgottenByNobody) {
    EXPECT_EQ(one("prepared", {.kind = Kind::forgotten}), Texts{"unknown 1/1 prepared "});
}

TEST(ComparisonTest, WhatTheLogHasAndTheParticipantDoesNotIsMissing) {
    EXPECT_EQ(compared({}, {{number(1), over("committed")}}), Texts{"missing 1/1  committed"});
    EXPECT_EQ(compared({}, {{number(1), over("executed")}}), Texts{"missing 1/1  executed"});
    EXPECT_EQ(compared({}, {{number(1), over("rolled_back")}}), Texts{});
    EXPECT_EQ(compared({}, {{number(1), over("compensated")}}), Texts{});
    EXPECT_EQ(compared({}, {{number(1), over("", "committed")}}), Texts{});
}

TEST(ComparisonTest, WhatTheParticipantHasForgottenIsNotMissing) {
    const std::map<Gid, LoggedTransaction> log{{number(1), over("committed")},
                                               {number(2), over("committed")}};
    EXPECT_EQ(compared({}, log, number(1)), Texts{"missing 2/1  committed"});
    EXPECT_EQ(compared({}, log, number(2)), Texts{});
}

TEST(ComparisonTest, ABranchBesideTheOneThatIsNamedIsDoubled) {
    EXPECT_EQ(compared({{number(1), "1", "committed"}, {number(1), "7", "committed"}},
                       {{number(1), over("committed")}}),
              Texts{"doubled 1/7 committed "});
    // The number of a branch that is another participant's.
    EXPECT_EQ(compared({{number(1), "1", "committed"}, {number(1), "2", "executed"}},
                       {{number(1), over("committed", "committed")}}),
              Texts{"doubled 1/2 executed "});
    EXPECT_EQ(compared({{number(1), "1", "committed"}, {number(1), "7", "rolled_back"}},
                       {{number(1), over("committed")}}),
              Texts{});
}

TEST(ComparisonTest, ATransactionThatNamesOthersOnlyDoesNotKnowTheBranch) {
    const LoggedTransaction others{.kind = Kind::over,
                                   .branches = {{"2", {"coupon", "committed"}}}};
    EXPECT_EQ(one("committed", others), Texts{"unknown 1/1 committed "});
    EXPECT_EQ(one("rolled_back", others), Texts{});
}

TEST(ComparisonTest, APersonsWordOnALostTransactionCounts) {
    LoggedTransaction settled{.kind = Kind::over};
    settled.settled_by_hand = Decision::rollback;
    EXPECT_EQ(one("committed", settled), Texts{"different 1/1 committed rolled_back"});
    EXPECT_EQ(one("rolled_back", settled), Texts{});
    settled.settled_by_hand = Decision::commit;
    EXPECT_EQ(one("rolled_back", settled), Texts{"different 1/1 rolled_back committed"});
    EXPECT_EQ(one("committed", settled), Texts{});
}

// What a person has ended binds nobody to a state, but for the decision that its participant was
// told.
TEST(ComparisonTest, APersonsEndHidesNoOppositeEnd) {
    LoggedTransaction ended = over("");
    ended.branches.at("1").decided = Decision::commit;
    EXPECT_EQ(one("rolled_back", ended), Texts{"different 1/1 rolled_back committed"});
    EXPECT_EQ(one("committed", ended), Texts{});
    EXPECT_EQ(one("prepared", ended), Texts{});
    ended.branches.at("1").decided = Decision::rollback;
    EXPECT_EQ(one("committed", ended), Texts{"different 1/1 committed rolled_back"});
}

/// The log's records of a transaction with one branch of credit's, folded.
Folded folded(Mode mode, Decision decision, BranchVote vote, std::optional<How> how) {
    Started started{.gid = number(1), .mode = mode};
    started.branches.push_back({.branch_id = "1", .participant = "credit"});
    Folded f;
    EXPECT_EQ(f.fold(started), "");
    EXPECT_EQ(f.fold(Decided{number(1), decision, {}, {std::move(vote)}}), "");
    if (how) {
        EXPECT_EQ(f.fold(BranchDone{number(1), 0, *how, ""}), "");
    }
    EXPECT_EQ(f.fold(Finished{number(1)}), "");
    return f;
}

std::string expected(Mode mode, Decision decision, Vote vote, std::optional<How> how) {
    return logged(folded(mode, decision, {.vote = vote}, how)).branches.at("1").expected;
}

TEST(LoggedTest, KnowsWhatWasDecidedOfABranchThatAPersonEnded) {
    const auto decided = [](Mode mode, How how) {
        return logged(folded(mode, Decision::commit, {.vote = Vote::prepared}, how))
            .branches.at("1")
            .decided;
    };
    EXPECT_EQ(decided(Mode::two_phase, How::by_hand), Decision::commit);
    EXPECT_EQ(decided(Mode::two_phase, How::committed), std::nullopt);
    EXPECT_EQ(decided(Mode::saga, How::by_hand), std::nullopt) << "a person undid it";
}

TEST(LoggedTest, ExpectsWhatItsParticipantAcknowledged) {
    const auto two_phase = Mode::two_phase;
    const auto commit = Decision::commit;
    const auto rollback = Decision::rollback;
    EXPECT_EQ(expected(two_phase, commit, Vote::prepared, How::committed), "committed");
    EXPECT_EQ(expected(two_phase, rollback, Vote::prepared, How::rolled_back), "rolled_back");
    EXPECT_EQ(expected(two_phase, commit, Vote::read_only, std::nullopt), "");
    EXPECT_EQ(expected(Mode::saga, commit, Vote::executed, std::nullopt), "executed");
    EXPECT_EQ(expected(Mode::saga, rollback, Vote::executed, How::compensated), "compensated");
    EXPECT_EQ(expected(Mode::eventual, commit, Vote::executed, std::nullopt), "executed");
    EXPECT_EQ(expected(Mode::eventual, rollback, Vote::refused, How::compensated), "compensated");
    EXPECT_EQ(expected(two_phase, commit, Vote::prepared, How::by_hand), "");
    EXPECT_EQ(expected(two_phase, commit, Vote::prepared, How::discarded), "");
}

TEST(LoggedTest, WhatIsUnfinishedIsOpen) {
    Folded f;
    EXPECT_EQ(logged(f).kind, Kind::open);
    EXPECT_EQ(f.fold(Started{.gid = number(1), .branches = {{.branch_id = "1"}}}), "");
    EXPECT_EQ(logged(f).kind, Kind::open);
    EXPECT_EQ(logged(folded(Mode::two_phase, Decision::commit, {}, How::committed)).kind,
              Kind::over);
}

}  // namespace
}  // namespace twophase::coordinator
