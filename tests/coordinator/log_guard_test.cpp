// What participants' words mean for a log, and which ids it is sure of: the rules alone.
#include "coordinator/log_guard.hpp"

#include "coordinator/lost.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

wal::Token token(std::uint8_t number) {
    wal::Token made;
    made.bytes.fill(number);
    return made;
}

wal::LogStart start(std::uint64_t epoch,
                    const wal::Token& log,
                    std::uint32_t tag,
                    std::uint64_t from) {
    return {.epoch = epoch,
            .start = token(static_cast<std::uint8_t>(epoch)),
            .log = log,
            .tag = tag,
            .from = from};
}

const wal::Token ours = token(100);
const wal::Token lost = token(101);
const wal::Token strange = token(102);

LogGuard::Own own(std::vector<wal::Token> replaces = {}) {
    return {.id = "main",
            .log = ours,
            .replaces = std::move(replaces),
            .epoch = 9,
            .start = token(9),
            .from_milliseconds = 9'000};
}

/// Third start of a log that began at 1,000 ms.
LogGuard third_start() { return {own(), {start(7, ours, 70, 1'000), start(8, ours, 80, 5'000)}}; }

Gid minted(std::uint32_t tag, std::uint64_t milliseconds) {
    GidMint mint(
        1, milliseconds, [] { return std::uint64_t{3}; }, tag);
    return mint.mint(milliseconds, UINT64_MAX).value();
}

const Gid end_of_time = minted(1, 1'000'000);

Introduction knows(const wal::Token& log,
                   std::uint64_t epoch,
                   std::uint64_t position,
                   std::vector<wal::Token> replaces = {}) {
    return {.is_foreign = false,
            .known = Seen{.log = log,
                          .epoch = epoch,
                          .start = token(static_cast<std::uint8_t>(epoch)),
                          .position = position,
                          .replaces = std::move(replaces)},
            .store = {}};
}

Testimony judge(const LogGuard& guard, const Introduction& told, std::uint64_t position = 50) {
    return guard.judge_log("credit", told, position).testimony;
}

// --- ids ---

TEST(LogGuardTest, OnlyIdsOfItsOwnStartsAreItsOwn) {
    const LogGuard guard = third_start();
    const std::uint32_t tag = guard.start().tag;
    EXPECT_TRUE(guard.has_minted(minted(70, 1'500), end_of_time));
    EXPECT_TRUE(guard.has_minted(minted(80, 5'500), end_of_time));
    EXPECT_TRUE(guard.has_minted(minted(tag, 9'500), end_of_time));
    EXPECT_FALSE(guard.has_minted(minted(81, 5'500), end_of_time)) << "of a start it never made";
    EXPECT_FALSE(guard.has_minted(minted(0, 5'500), end_of_time)) << "no start has tag 0";
    EXPECT_FALSE(guard.has_minted(minted(tag, 9'500), minted(tag, 9'400))) << "not minted yet";
}

TEST(LogGuardTest, AStartMintedNothingBeforeItOrAfterTheNext) {
    const LogGuard guard = third_start();
    EXPECT_FALSE(guard.has_minted(minted(80, 4'999), end_of_time));
    EXPECT_FALSE(guard.has_minted(minted(70, 5'001), end_of_time));
}

TEST(LogGuardTest, TheTagIsAPartOfTheTokenAndNoOtherStarts) {
    const std::uint32_t word = 0x09090909;
    EXPECT_EQ(third_start().start().tag, word);
    LogGuard::Own mine = own();
    mine.start = wal::Token{{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}};
    const LogGuard guard(mine, {start(8, ours, 0x01010101, 1)});
    EXPECT_EQ(guard.start().tag, 0x02020202U) << "0 and one that is taken are passed over";
}

TEST(LogGuardTest, AReplacedLogsLastStartMayHaveGoneOn) {
    const LogGuard guard(own({lost}), {start(7, lost, 70, 1'000), start(8, lost, 80, 5'000)});
    EXPECT_TRUE(guard.has_minted(minted(70, 1'500), end_of_time)) << "it ended before the backup";
    EXPECT_FALSE(guard.has_minted(minted(80, 5'500), end_of_time));
    EXPECT_EQ(guard.lost_from(), GidMint(0, 5'000, {}, 0).next_at_least());
    EXPECT_EQ(guard.undecided_below(), GidMint(0, 9'000, {}, 0).next_at_least());
    EXPECT_FALSE(third_start().undecided_below());
    EXPECT_EQ(LogGuard(own({strange}), {}).lost_from(), Gid{}) << "of that one nothing is known";
}

// --- what is said of the log ---

TEST(LogGuardTest, WhatItHasItselfIsFine) {
    EXPECT_EQ(judge(third_start(), knows(ours, 8, 50)), Testimony::fine);
    EXPECT_EQ(judge(third_start(), knows(ours, 9, 50)), Testimony::fine) << "this start";
    EXPECT_EQ(judge(third_start(), knows(ours, 3, 50)), Testimony::fine) << "long forgotten";
    EXPECT_EQ(judge(third_start(), Introduction{}), Testimony::fine) << "a participant of others";
}

TEST(LogGuardTest, ALogThatLacksAPositionIsBehind) {
    EXPECT_EQ(judge(third_start(), knows(ours, 8, 51)), Testimony::behind);
}

// The barrier of its own start takes a position, by which a copy would have caught up.
TEST(LogGuardTest, ALogThatLacksOnlyItsLastBatchIsBehind) {
    LogGuard::Own mine = own();
    mine.began_at = 28;  // the start before ended at 27
    wal::LogStart before = start(8, ours, 80, 5'000);
    before.began_at = 20;
    const LogGuard guard(mine, {before});
    EXPECT_EQ(judge(guard, knows(ours, 8, 27)), Testimony::fine);
    EXPECT_EQ(judge(guard, knows(ours, 8, 28)), Testimony::behind);
    EXPECT_EQ(judge(guard, knows(ours, 9, 28)), Testimony::fine) << "of this start";
}

TEST(LogGuardTest, ALogThatLacksAStartIsBehind) {
    EXPECT_EQ(judge(third_start(), knows(ours, 10, 5)), Testimony::behind);
    Introduction twin = knows(ours, 8, 5);
    twin.known->start = token(77);
    EXPECT_EQ(judge(third_start(), twin), Testimony::behind) << "the same epoch, another start";
}

TEST(LogGuardTest, AnotherLogOfTheIdIsTold) {
    const Judgement judgement = third_start().judge_log("credit", knows(strange, 8, 5), 50);
    EXPECT_EQ(judgement.testimony, Testimony::other_log);
    EXPECT_NE(judgement.text.find(to_text(strange)), std::string::npos) << judgement.text;
    EXPECT_NE(judgement.text.find(to_text(ours)), std::string::npos) << judgement.text;
}

TEST(LogGuardTest, ASuccessorOfOursReplacesUs) {
    EXPECT_EQ(judge(third_start(), knows(strange, 8, 5, {lost, ours})), Testimony::replaced);
}

TEST(LogGuardTest, WhoListensToOneThatWeReplaceIsToBeMovedOver) {
    const LogGuard guard(own({lost}), {});
    EXPECT_EQ(judge(guard, knows(lost, 80, 5'000)), Testimony::not_known);
    EXPECT_EQ(judge(guard, {.is_foreign = false, .known = {}, .store = {}}), Testimony::not_known);
    EXPECT_EQ(judge(guard, knows(strange, 8, 5)), Testimony::other_log);
}

// Of two successors of one log a participant takes the first; the other must name it.
TEST(LogGuardTest, ASecondSuccessorOfOneLogIsAnother) {
    const LogGuard guard(own({lost}), {});
    EXPECT_EQ(judge(guard, knows(strange, 8, 5, {lost})), Testimony::other_log);
    const LogGuard naming(own({strange, lost}), {});
    EXPECT_EQ(judge(naming, knows(strange, 8, 5, {lost})), Testimony::not_known);
}

// --- what is said of the participant's store ---

Testimony judge_store(const wal::SeenStore& now,
                      const std::optional<wal::SeenStore>& before,
                      std::vector<wal::Token> replaces = {}) {
    const Introduction told{.is_foreign = false,
                            .known = {},
                            .store = {.log = now.store,
                                      .epoch = now.epoch,
                                      .start = now.start,
                                      .position = now.position,
                                      .replaces = std::move(replaces)}};
    return LogGuard::judge_store("credit", told, before).testimony;
}

TEST(LogGuardTest, AParticipantsStoreThatGrewIsTheSame) {
    const wal::SeenStore before{token(1), 4, token(4), 100};
    EXPECT_EQ(judge_store(before, {}), Testimony::fine) << "seen for the first time";
    EXPECT_EQ(judge_store({token(1), 4, token(4), 100}, before), Testimony::fine);
    EXPECT_EQ(judge_store({token(1), 5, token(5), 101}, before), Testimony::fine);
    EXPECT_EQ(judge_store({token(2), 9, token(9), 1}, before, {token(1)}), Testimony::fine)
        << "made out of a backup of it";
}

// Its start's barrier takes a position too, so that by this alone it would have caught up.
TEST(LogGuardTest, AParticipantsStoreThatLacksOneBatchIsTold) {
    Introduction told{.is_foreign = false, .known = {}, .store = {}};
    told.store.log = token(1);
    told.store.start = token(5);
    told.store.epoch = 5;
    told.store.position = told.store.began_at = 100;  // it ended at 99
    EXPECT_EQ(
        LogGuard::judge_store("credit", told, wal::SeenStore{token(1), 4, token(4), 100}).testimony,
        Testimony::old_store);
    EXPECT_EQ(
        LogGuard::judge_store("credit", told, wal::SeenStore{token(1), 4, token(4), 99}).testimony,
        Testimony::fine);
}

// An old copy that has worked on its own since has caught up by its numbers, not by what it tells
// of the start that was heard.
TEST(LogGuardTest, AStoreTellsHowFarTheRememberedStartCame) {
    const wal::SeenStore before{token(1), 4, token(4), 100};
    Introduction told{.is_foreign = false, .known = {}, .store = {}};
    told.store.log = token(1);
    told.store.start = token(7);
    told.store.epoch = 7;
    told.store.position = 300;
    told.store.began_at = 250;
    const auto judged = [&](const std::optional<EarlierStart>& then) {
        told.then = then;
        return LogGuard::judge_store("credit", told, before).testimony;
    };
    EXPECT_EQ(judged({}), Testimony::fine) << "it is not told";
    EXPECT_EQ(judged(EarlierStart{token(4), 100}), Testimony::fine);
    EXPECT_EQ(judged(EarlierStart{token(4), 99}), Testimony::old_store);
    EXPECT_EQ(judged(EarlierStart{token(9), 200}), Testimony::old_store) << "a start of a copy";
    EXPECT_EQ(judged(EarlierStart{}), Testimony::old_store) << "it had none of that epoch";
}

TEST(LogGuardTest, AnEmptyCopiedOrDoubledStoreIsTold) {
    const wal::SeenStore before{token(1), 4, token(4), 100};
    EXPECT_EQ(judge_store({token(2), 1, token(9), 1}, before), Testimony::other_store);
    EXPECT_EQ(judge_store({token(1), 5, token(5), 99}, before), Testimony::old_store);
    EXPECT_EQ(judge_store({token(1), 3, token(3), 200}, before), Testimony::old_store);
    EXPECT_EQ(judge_store({token(1), 4, token(8), 200}, before), Testimony::old_store) << "a twin";
}

// --- what a lost transaction's branches prove ---

std::optional<Decision> proven(const std::vector<std::string>& states) {
    std::vector<wal::LostBranch> branches;
    for (const std::string& state : states) branches.push_back({.state = state});
    return proven_by(branches);
}

TEST(LostTest, CommittedAnywhereProvesCommitAndRolledBackProvesRollback) {
    EXPECT_EQ(proven({"prepared", "committed"}), Decision::commit);
    EXPECT_EQ(proven({"rolled_back", "prepared"}), Decision::rollback);
}

TEST(LostTest, PreparedAndExecutedBranchesProveNothing) {
    EXPECT_EQ(proven({"prepared", "prepared"}), std::nullopt);
    EXPECT_EQ(proven({"executed", "executed"}), std::nullopt);
    EXPECT_EQ(proven({"compensated", "executed"}), std::nullopt) << "a discarded delivery, perhaps";
    EXPECT_EQ(proven({"compensated", "compensated"}), std::nullopt) << "likewise";
    EXPECT_EQ(proven({"committed", "rolled_back"}), std::nullopt) << "they contradict each other";
    EXPECT_EQ(proven({}), std::nullopt);
}

}  // namespace
}  // namespace twophase::coordinator
