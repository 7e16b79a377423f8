#include "participants/branches.hpp"

#include "tests/participants/credit_bench.hpp"

#include <gtest/gtest.h>

namespace twophase::participants {
namespace {

using testing::credit_payload;
using testing::CreditBench;
using testing::gid;
using testing::text;
using testing::whole;

constexpr Verb all_verbs[] = {
    Verb::prepare, Verb::commit, Verb::rollback, Verb::execute, Verb::compensate};

struct Row {
    const char* name;
    std::vector<Verb> history;  // what brings a branch into the state
    const char* answers[5];     // to each verb, in the order of all_verbs
};

// clang-format off
const Row rows[] = {
    {"unknown", {},
     {"200 prepared", "404 never_prepared", "200 rolled_back", "200 executed", "200 compensated"}},
    {"prepared", {Verb::prepare},
     {"200 prepared", "200 committed", "200 rolled_back", "422 wrong-verb", "422 wrong-verb"}},
    {"committed", {Verb::prepare, Verb::commit},
     {"200 prepared", "200 committed", "409 already_committed", "422 wrong-verb", "422 wrong-verb"}},
    {"rolled back", {Verb::prepare, Verb::rollback},
     {"409 already_rolled_back", "409 already_rolled_back", "200 rolled_back", "409 already_rolled_back", "422 wrong-verb"}},
    {"rolled back before it began", {Verb::rollback},
     {"409 already_rolled_back", "409 already_rolled_back", "200 rolled_back", "409 already_rolled_back", "422 wrong-verb"}},
    {"executed", {Verb::execute},
     {"422 wrong-verb", "422 wrong-verb", "422 wrong-verb", "200 executed", "200 compensated"}},
    {"compensated", {Verb::execute, Verb::compensate},
     {"409 already_rolled_back", "422 wrong-verb", "422 wrong-verb", "409 already_rolled_back", "200 compensated"}},
    {"compensated before it began", {Verb::compensate},
     {"409 already_rolled_back", "422 wrong-verb", "422 wrong-verb", "409 already_rolled_back", "200 compensated"}},
};
// clang-format on

TEST(BranchesTest, AnswersEveryVerbInEveryState) {
    for (const Row& row : rows) {
        for (int i = 0; i < 5; ++i) {
            CreditBench bench;
            for (const Verb verb : row.history) bench.send(verb, gid(1));
            EXPECT_EQ(text(bench.send(all_verbs[i], gid(1))), row.answers[i])
                << row.name << ", " << to_string(all_verbs[i]);
        }
    }
}

TEST(BranchesTest, RepeatsAYesWithoutChangingAnythingOrAuditingItAgain) {
    for (const Row& row : rows) {
        for (const Verb verb : all_verbs) {
            CreditBench bench;
            for (const Verb before : row.history) bench.send(before, gid(1));
            const Answer first = bench.send(verb, gid(1));
            const auto account = bench.account();
            const std::size_t audited = bench.audited();
            const Answer again = bench.send(verb, gid(1));
            EXPECT_EQ(whole(again), whole(first)) << row.name << ", " << to_string(verb);
            EXPECT_EQ(bench.account().version, account.version);
            EXPECT_EQ(bench.audited(), audited);
        }
    }
}

TEST(BranchesTest, RepeatsTheFirstAnswerAlsoAfterTheCommit) {
    CreditBench bench;
    const Answer first = bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    EXPECT_EQ(whole(bench.send(Verb::prepare, gid(1))), whole(first));
}

TEST(BranchesTest, KeepsBranchesOfOneTransactionApart) {
    CreditBench bench;
    Message second = CreditBench::of(Verb::prepare, gid(1), 20);
    second.branch_id = "2";
    bench.send(Verb::prepare, gid(1), 30);
    bench.send(second);
    EXPECT_EQ(bench.account().frozen, 50);
}

TEST(BranchesTest, RefusesAnotherPayloadForAKnownBranch) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1), 30);
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(1), 31)), "422 payload-changed");
    Message other = CreditBench::of(Verb::prepare, gid(1), 30);
    other.operation = "add_credits";
    EXPECT_EQ(text(bench.send(other)), "422 payload-changed");
    EXPECT_EQ(bench.account().frozen, 30);
}

TEST(BranchesTest, ARefusalBindsNobody) {
    CreditBench bench(100);
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(1), 150)), "409 insufficient_credits");
    bench.send(Verb::rollback, gid(2));
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(1), 50)), "200 prepared");
}

TEST(BranchesTest, ComparesARepeatByPayloadNotByEpochOrOrigin) {
    CreditBench bench;
    const Answer first = bench.send(Verb::prepare, gid(1));
    Message again = CreditBench::of(Verb::prepare, gid(1));
    again.epoch = 7;
    again.origin.request_id = "another";
    EXPECT_EQ(whole(bench.send(again)), whole(first));
}

TEST(BranchesTest, RefusesALowerEpochForEveryVerbAndKeepsTheHighest) {
    for (const Verb verb : all_verbs) {
        CreditBench bench;
        Message newer = CreditBench::of(Verb::prepare, gid(1));
        newer.epoch = 5;
        bench.send(newer);
        Message older = CreditBench::of(verb, gid(1));
        older.epoch = 4;
        EXPECT_EQ(text(bench.send(older)), "409 stale_epoch") << to_string(verb);
        EXPECT_EQ(bench.account().frozen, 30);
    }
}

TEST(BranchesTest, CountsEpochsOfEachCoordinatorAlone) {
    CreditBench bench;
    Message newer = CreditBench::of(Verb::prepare, gid(1));
    newer.epoch = 5;
    bench.send(newer);
    Message other = CreditBench::of(Verb::prepare, gid(2));
    other.coordinator = "second";
    EXPECT_EQ(text(bench.send(other)), "200 prepared");
}

TEST(BranchesTest, RefusesWorkOfACoordinatorThatItCannotAskButTakesItsEnds) {
    CreditBench bench;
    for (const Verb verb : all_verbs) {
        Message stranger = CreditBench::of(verb, gid(1));
        stranger.coordinator = "stranger";
        const std::string expected = begins_work(verb)        ? "403 unknown-coordinator"
                                     : verb == Verb::commit   ? "404 never_prepared"
                                     : verb == Verb::rollback ? "200 rolled_back"
                                                              : "200 compensated";
        EXPECT_EQ(text(bench.send(stranger)), expected) << to_string(verb);
    }
}

TEST(BranchesTest, KeepsNothingOfACoordinatorThatItCannotAsk) {
    CreditBench bench;
    const auto kept = [&] {
        std::size_t count = 0;
        for (const std::string& table : branch_tables())
            count += bench.store.batch().count(bench.store.table_of()(table));
        return count;
    };
    const std::size_t before = kept();
    for (const Verb verb : all_verbs) {
        Message stranger = CreditBench::of(verb, gid(1));
        stranger.coordinator = "stranger";
        bench.send(stranger);
    }
    EXPECT_EQ(kept(), before);
}

TEST(BranchesTest, WritesNothingForAMessageThatIsNotOfTheContract) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1));
    const std::size_t audited = bench.audited();
    Message to_another = CreditBench::of(Verb::commit, gid(1));
    to_another.participant = "coupon";
    Message stale = CreditBench::of(Verb::commit, gid(1));
    stale.epoch = 0;
    bench.send(to_another);
    bench.send(stale);
    bench.send(Verb::commit, gid(77));
    bench.send(Verb::prepare, gid(1), 31);
    EXPECT_EQ(bench.audited(), audited);
}

TEST(BranchesTest, GoesOnWithWhatIsSentToANameThatItsStoreHad) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1));
    const Branches renamed(
        {.participant = "points", .coordinators = {"main"}, .former_names = {"credit"}},
        bench.store.table_of(),
        bench.resource);
    const auto send = [&](Message message, const char* to) {
        message.participant = to;
        return text(bench.store.in_unit(
            [&](wal::Unit& unit) { return renamed.handle(unit, message, bench.moment); }));
    };
    EXPECT_EQ(send(CreditBench::of(Verb::commit, gid(1)), "credit"), "200 committed");
    EXPECT_EQ(send(CreditBench::of(Verb::prepare, gid(2)), "points"), "200 prepared");
    EXPECT_EQ(send(CreditBench::of(Verb::prepare, gid(3)), "coupon"), "422 wrong-participant");
}

TEST(BranchesTest, WithoutRoomEndsWhatItKnowsAndTakesNothingNew) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1), 30);
    bench.send(Verb::prepare, gid(2), 30);
    bench.has_room = false;
    EXPECT_EQ(text(bench.send(Verb::rollback, gid(3))), "200 rolled_back");
    EXPECT_EQ(text(bench.send(Verb::rollback, gid(3))), "200 rolled_back");
    EXPECT_EQ(text(bench.send(Verb::commit, gid(1))), "200 committed");
    EXPECT_EQ(text(bench.send(Verb::rollback, gid(2))), "200 rolled_back");
    bench.has_room = true;
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(3))), "200 prepared")
        << "no tombstone was left: it asks, and hears what the coordinator presumes";
}

TEST(BranchesTest, AStepThatWasUndoneWithoutRoomNeverRunsLater) {
    CreditBench bench;
    bench.send(Verb::execute, gid(1), 30);
    bench.has_room = false;
    for (const int n : {9, 8, 8})
        EXPECT_EQ(text(bench.send(Verb::compensate, gid(n))), "200 compensated");
    bench.has_room = true;
    for (const int n : {8, 9})
        EXPECT_EQ(text(bench.send(Verb::execute, gid(n), 30)), "409 already_rolled_back");
    EXPECT_EQ(text(bench.send(Verb::execute, gid(7), 30)), "200 executed")
        << "what waited for room meanwhile goes on";
    EXPECT_EQ(text(bench.send(Verb::compensate, gid(1))), "200 compensated");
}

// --- marks: what one message can't move out of reach ---

TEST(MarksTest, AnEpochThatNoStartCanHaveLocksNobodyOut) {
    CreditBench bench;
    for (const std::uint64_t epoch :
         {std::uint64_t{1} << 62, std::uint64_t{1'720'699'775 + 2 * 86'400} * 1'000'000}) {
        Message forged = CreditBench::of(Verb::prepare, gid(1));
        forged.epoch = epoch;
        EXPECT_EQ(text(bench.send(forged)), "422 epoch-too-high");
        EXPECT_EQ(text(bench.send(Verb::prepare, gid(2))), "200 prepared");
    }
}

TEST(MarksTest, TakesTheEpochOfARestoreAndTheStartsAfterItWhateverItsOwnClock) {
    CreditBench bench;
    Message restored = CreditBench::of(Verb::prepare, gid(1), 1);
    restored.epoch = std::uint64_t{1'720'699'775} * 1'000'000;
    EXPECT_EQ(text(bench.send(restored)), "200 prepared");
    bench.moment.microseconds = 0;
    restored.gid = gid(2);
    ++restored.epoch;
    EXPECT_EQ(text(bench.send(restored)), "200 prepared");
}

TEST(MarksTest, AMessageThatTouchesNoBranchRaisesNoEpoch) {
    CreditBench bench;
    for (const Verb verb : {Verb::commit, Verb::prepare}) {
        Message newer = CreditBench::of(verb, gid(1), 1'000);  // never prepared; refused
        newer.epoch = 5;
        bench.send(newer);
    }
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(2))), "200 prepared");
}

TEST(MarksTest, AGidThatIsNoTimeThatHasBeenMovesNoMark) {
    for (const char* made_up : {"zzzzzzzzzzzzzzzzzzzzzzzz",
                                "ffffffff-ffff-7fff-bfff-ffffffffffff",
                                "0190A1B3-0000-7000-8000-000000000001",
                                "0290a1b2-0000-7000-8000-000000000001"}) {
        CreditBench bench;
        bench.send(Verb::rollback, gid(1));
        Message forged = CreditBench::of(Verb::rollback, made_up);
        forged.low_water = made_up;
        bench.send(forged);
        bench.moment.running_seconds += 2 * 1'000;
        const auto forget = [&] {
            return bench.store.in_unit([&](wal::Unit& unit) {
                return bench.branches.forget(unit, bench.moment, 1'000, 100);
            });
        };
        EXPECT_EQ(forget(), 0U) << made_up;
        EXPECT_EQ(text(bench.send(Verb::prepare, gid(2))), "200 prepared") << made_up;
        Message mark = CreditBench::of(Verb::rollback, gid(9'000));
        mark.low_water = gid(2);
        bench.send(mark);
        EXPECT_EQ(forget(), 1U) << made_up << " holds up what is old";
        EXPECT_EQ(text(bench.send(Verb::prepare, gid(3))), "200 prepared") << made_up;
        EXPECT_EQ(text(bench.send(Verb::prepare, made_up)), "409 already_rolled_back") << made_up;
    }
}

// As a coordinator's whose clock was ahead once: its ids never go back.
TEST(MarksTest, AMarkAheadOfTheClockIsTakenFromTheCoordinatorItselfAlone) {
    const auto ahead = [](int n) {
        return "0290a1b2-0000-7000-8000-00000000000" + std::to_string(n);
    };
    CreditBench bench;
    bench.send(Verb::rollback, ahead(1));
    Message told = CreditBench::of(Verb::rollback, ahead(3));
    told.low_water = ahead(2);
    EXPECT_TRUE(bench.send(told).has_mark_ahead) << "who asks the coordinator hears more";
    bench.moment.running_seconds += 2'000;
    const auto forget = [&] {
        return bench.store.in_unit(
            [&](wal::Unit& unit) { return bench.branches.forget(unit, bench.moment, 1'000, 100); });
    };
    const auto take_mark = [&](const std::string& log, const std::string& mark) {
        bench.store.in_unit([&](wal::Unit& unit) {
            bench.branches.take_mark(unit, "main", {.log = log}, mark);
            return 0;
        });
    };
    EXPECT_EQ(forget(), 0U);
    take_mark(std::string(32, 'b'), ahead(2));
    take_mark("", "zzzz");
    EXPECT_EQ(forget(), 0U) << "of another log, and no mark at all";
    take_mark("", ahead(2));
    EXPECT_EQ(forget(), 1U);
    EXPECT_EQ(text(bench.send(Verb::prepare, ahead(1))), "409 too_late");
    EXPECT_EQ(text(bench.send(Verb::prepare, ahead(4))), "200 prepared");
    EXPECT_FALSE(bench.send(told).has_mark_ahead) << "it is known";
}

TEST(BranchesTest, RefusesAnotherCoordinatorsCommit) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1));
    Message foreign = CreditBench::of(Verb::commit, gid(1));
    foreign.coordinator = "second";
    EXPECT_EQ(text(bench.send(foreign)), "422 wrong-coordinator");
    EXPECT_EQ(bench.account().frozen, 30);
}

TEST(BranchesTest, RefusesAMessageForAnotherParticipant) {
    CreditBench bench;
    Message wrong = CreditBench::of(Verb::prepare, gid(1));
    wrong.participant = "coupon";
    EXPECT_EQ(text(bench.send(wrong)), "422 wrong-participant");
}

TEST(BranchesTest, RefusesAWrongPrepareId) {
    CreditBench bench;
    const std::string right = bench.send(Verb::prepare, gid(1)).prepare_id;
    for (const Verb verb : {Verb::commit, Verb::rollback}) {
        Message wrong = CreditBench::of(verb, gid(1));
        wrong.prepare_id = "credit-999";
        EXPECT_EQ(text(bench.send(wrong)), "422 wrong-prepare-id");
    }
    Message commit = CreditBench::of(Verb::commit, gid(1));
    commit.prepare_id = right;
    EXPECT_EQ(text(bench.send(commit)), "200 committed");
}

TEST(BranchesTest, ARollbackOfWhatNeverBeganFitsAnyPrepareId) {
    CreditBench bench;
    Message rollback = CreditBench::of(Verb::rollback, gid(1));
    rollback.prepare_id = "credit-1";
    EXPECT_EQ(text(bench.send(rollback)), "200 rolled_back");
    EXPECT_EQ(text(bench.send(rollback)), "200 rolled_back");
}

// --- forgetting ---

constexpr std::uint64_t retention = 1'000;

std::size_t forget(CreditBench& bench, std::size_t limit = 100) {
    return bench.store.in_unit([&](wal::Unit& unit) {
        return bench.branches.forget(unit, bench.moment, retention, limit);
    });
}

void tell_low_water(CreditBench& bench, int low_water) {
    Message message = CreditBench::of(Verb::rollback, gid(9'000));
    message.low_water = gid(low_water);
    bench.send(message);
}

TEST(ForgettingTest, ForgetsWhatIsBelowTheMarkAndOldEnough) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1));
    bench.send(Verb::commit, gid(1));
    bench.send(Verb::rollback, gid(2));
    bench.send(Verb::execute, gid(3), 10);
    tell_low_water(bench, 4);
    bench.moment.running_seconds += retention;
    EXPECT_EQ(forget(bench), 0U) << "not older than the retention yet";
    bench.moment.running_seconds += 1;
    EXPECT_EQ(forget(bench), 3U);
    for (int n = 1; n <= 3; ++n) {
        EXPECT_EQ(text(bench.send(Verb::prepare, gid(n))), "409 too_late");
        EXPECT_EQ(text(bench.send(Verb::execute, gid(n))), "409 too_late");
        EXPECT_EQ(text(bench.send(Verb::commit, gid(n))), "404 never_prepared");
        EXPECT_EQ(text(bench.send(Verb::rollback, gid(n))), "200 rolled_back");
    }
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(4))), "200 prepared");
}

TEST(ForgettingTest, KeepsWhatIsAtTheMarkOrAbove) {
    CreditBench bench;
    bench.send(Verb::rollback, gid(1));
    bench.send(Verb::rollback, gid(2));
    tell_low_water(bench, 2);
    bench.moment.running_seconds += 2 * retention;
    EXPECT_EQ(forget(bench), 1U);
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(2))), "409 already_rolled_back");
}

TEST(ForgettingTest, ForgetsNothingWithoutAMark) {
    CreditBench bench;
    bench.send(Verb::rollback, gid(1));
    bench.moment.running_seconds += 2 * retention;
    EXPECT_EQ(forget(bench), 0U);
}

TEST(ForgettingTest, NeverForgetsABranchInDoubt) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1));
    tell_low_water(bench, 100);
    bench.moment.running_seconds += 2 * retention;
    EXPECT_EQ(forget(bench), 0U);
    EXPECT_EQ(text(bench.send(Verb::commit, gid(1))), "200 committed");
}

TEST(ForgettingTest, TakesSmallSteps) {
    CreditBench bench;
    for (int n = 1; n <= 5; ++n) bench.send(Verb::rollback, gid(n));
    tell_low_water(bench, 100);
    bench.moment.running_seconds += 2 * retention;
    EXPECT_EQ(forget(bench, 2), 2U);
    EXPECT_EQ(forget(bench, 2), 2U);
    EXPECT_EQ(forget(bench, 2), 1U);
}

TEST(ForgettingTest, IgnoresAMarkAboveTheMessagesOwnTransaction) {
    CreditBench bench;
    bench.send(Verb::rollback, gid(1));
    Message wrong = CreditBench::of(Verb::rollback, gid(2));
    wrong.low_water = gid(50);
    bench.send(wrong);
    bench.moment.running_seconds += 2 * retention;
    EXPECT_EQ(forget(bench), 0U);
}

TEST(ForgettingTest, ADamagedRowOfOneCoordinatorHoldsUpItselfAlone) {
    CreditBench bench;
    for (const char* coordinator : {"main", "second"}) {
        Message ended = CreditBench::of(Verb::rollback, gid(coordinator[0] == 'm' ? 1 : 2));
        ended.coordinator = coordinator;
        bench.send(ended);
        ended.gid = gid(9'000 + (coordinator[0] == 'm' ? 0 : 1));
        ended.low_water = gid(100);
        bench.send(ended);
    }
    const wal::Table coordinators = bench.store.table_of()("coordinators");
    bench.store.batch().put(coordinators, "main", "damaged");
    bench.moment.running_seconds += 2 * retention;
    EXPECT_EQ(forget(bench), 1U);
}

// --- those in doubt ---

std::string listed(CreditBench& bench, const Branches::InDoubtFilter& filter) {
    std::string text;
    const auto page = bench.branches.in_doubt(bench.store.batch(), filter);
    for (const auto& item : page.items)
        text += std::to_string(std::stoi(item.gid.substr(24))) + "/" + item.branch_id + " ";
    return text + (page.next.empty() ? "end" : "more");
}

TEST(InDoubtTest, ListsPreparedBranchesUntilTheyEnd) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1), 1);
    bench.send(Verb::prepare, gid(2), 1);
    bench.send(Verb::prepare, gid(3), 1);
    bench.send(Verb::execute, gid(4), 1);
    bench.send(Verb::commit, gid(1));
    bench.send(Verb::rollback, gid(2));
    EXPECT_EQ(listed(bench, {}), "3/1 end");
}

TEST(InDoubtTest, FiltersByCoordinatorAndAge) {
    CreditBench bench;
    bench.moment.microseconds = 1'000;
    bench.send(Verb::prepare, gid(1), 1);
    Message other = CreditBench::of(Verb::prepare, gid(2), 1);
    other.coordinator = "second";
    bench.send(other);
    bench.moment.microseconds = 2'000;
    bench.send(Verb::prepare, gid(3), 1);
    EXPECT_EQ(listed(bench, {.coordinator = "main"}), "1/1 3/1 end");
    EXPECT_EQ(listed(bench, {.coordinator = "second"}), "2/1 end");
    EXPECT_EQ(listed(bench, {.prepared_before = 2'000}), "1/1 2/1 end");
}

TEST(InDoubtTest, TakesWhatWasPreparedInTheFutureForOld) {
    CreditBench bench;
    bench.moment.microseconds = 9'000;
    bench.send(Verb::prepare, gid(1), 1);
    EXPECT_EQ(listed(bench, {.prepared_before = 5'000, .now = 9'500}), "end");
    EXPECT_EQ(listed(bench, {.prepared_before = 1'000, .now = 8'999}), "1/1 end");
}

TEST(InDoubtTest, Pages) {
    CreditBench bench;
    for (int n = 1; n <= 5; ++n) bench.send(Verb::prepare, gid(n), 1);
    Branches::InDoubtFilter filter{.limit = 2};
    EXPECT_EQ(listed(bench, filter), "1/1 2/1 more");
    filter.after = bench.branches.in_doubt(bench.store.batch(), filter).next;
    EXPECT_EQ(listed(bench, filter), "3/1 4/1 more");
    filter.after = bench.branches.in_doubt(bench.store.batch(), filter).next;
    EXPECT_EQ(listed(bench, filter), "5/1 end");
}

// --- damage ---

TEST(BranchesTest, ADamagedRecordStopsItsOwnBranchAlone) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1), 10);
    bench.send(Verb::prepare, gid(2), 10);
    const wal::Table branches = bench.store.table_of()("branches");
    const std::string key = branch_key(gid(1), "1");
    std::string bytes(*bench.store.batch().get(branches, key));
    bytes[bytes.size() / 2] ^= 1;
    bench.store.batch().put(branches, key, bytes);
    EXPECT_THROW(bench.send(Verb::commit, gid(1)), DamagedRecord);
    EXPECT_EQ(text(bench.send(Verb::commit, gid(2))), "200 committed");
}

}  // namespace
}  // namespace twophase::participants
