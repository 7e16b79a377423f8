// What a store knows about itself: identity, starts, position, and the place where it was.
#include "tests/wal/support.hpp"
#include "wal/log_keys.hpp"
#include "wal/owner_lock.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <set>

namespace twophase::wal {
namespace {

namespace fs = std::filesystem;

class IdentityTest : public testing::Test {
protected:
    fs::path folder() const { return options_.store.directory; }
    Log open() { return Log(options_, loop_.post()); }
    Log open(const fs::path& where) { return Log(log_options(where), loop_.post()); }
    void open_and_close() { const Log log = open(); }
    bool is_moved() { return open().store().identity().is_moved; }
    static std::string refusal_of(const std::function<void()>& action) {
        try {
            action();
        } catch (const StoreError& error) {
            return error.what();
        }
        return "";
    }

    TempDirectory directory_;
    Loop loop_;
    LogOptions options_ = log_options(directory_ / "log");
};

TEST_F(IdentityTest, TokensAreTextsOf32DigitsAndNoneIsEmpty) {
    const Token token = draw_token(system_random);
    EXPECT_EQ(to_text(token).size(), 32U);
    EXPECT_EQ(parse_token(to_text(token)), token);
    EXPECT_EQ(to_text(Token{}), "");
    std::string upper = to_text(token);
    upper[0] = 'A';
    for (const std::string& bad :
         {std::string(), std::string(32, '0'), std::string(31, '1'), upper, std::string(32, 'g')})
        EXPECT_FALSE(parse_token(bad)) << bad;
}

TEST_F(IdentityTest, AnIdentityIsDrawnOnceAndAStartsTokenEachTime) {
    std::set<Token> starts;
    Token first;
    for (int i = 0; i < 3; ++i) {
        const Log log = open();
        EXPECT_EQ(log.store().is_new(), i == 0);
        if (i == 0) first = log.store().identity().log;
        EXPECT_FALSE(first.is_none());
        EXPECT_EQ(log.store().identity().log, first);
        starts.insert(log.store().start());
    }
    EXPECT_EQ(starts.size(), 3U);
    EXPECT_EQ(inspect(folder()).log, first);
}

TEST_F(IdentityTest, ThePositionGrowsWithEveryDurableBatchAndOverStarts) {
    std::uint64_t last = 0;
    {
        Log log = open();
        EXPECT_EQ(log.store().position(), 1U) << "the barrier's batch";
        append_and_wait(log, loop_, {started(1)});
        append_and_wait(log, loop_, {decided(1)});
        EXPECT_GE(log.store().position(), 3U);
        last = log.store().position();
    }
    const Log log = open();
    EXPECT_GT(log.store().position(), last);
}

TEST_F(IdentityTest, TheStoreKnowsWhereItsLatestStartsEnded) {
    std::vector<StoreStart> ended;
    for (int i = 0; i < 70; ++i) {
        Log log = open();
        for (std::uint64_t epoch = 1; epoch <= ended.size(); ++epoch) {
            const auto earlier = log.store().earlier_start(epoch);
            ASSERT_NE(earlier.has_value(), log.store().has_dropped(epoch)) << i << " " << epoch;
            if (!earlier) continue;
            EXPECT_EQ(earlier->start, ended[epoch - 1].start);
            EXPECT_EQ(earlier->position, ended[epoch - 1].position);
        }
        EXPECT_FALSE(log.store().earlier_start(log.store().epoch()));
        EXPECT_FALSE(log.store().has_dropped(log.store().epoch()));
        if (i % 3 == 0) append_and_wait(log, loop_, {started(i + 1)});
        ended.push_back({log.store().epoch(), log.store().start(), log.store().position()});
    }
    EXPECT_TRUE(open().store().has_dropped(1));
    EXPECT_FALSE(open().store().earlier_start(500));
    EXPECT_FALSE(open().store().has_dropped(500));
}

TEST_F(IdentityTest, ABatchThatWritesNothingIsNoNewPosition) {
    Log log = open();
    const std::uint64_t before = log.store().position();
    bool is_done = false;
    log.store().submit({.work = [](Unit&) {}, .then = [&](Written) { is_done = true; }});
    loop_.run_until([&] { return is_done; });
    EXPECT_EQ(log.store().position(), before);
}

TEST_F(IdentityTest, ARestartInItsPlaceIsNoMove) {
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(is_moved());
    fs::rename(folder(), directory_ / "renamed");
    EXPECT_FALSE(open(directory_ / "renamed").store().identity().is_moved)
        << "the same file by another name";
}

TEST_F(IdentityTest, ACopiedFolderIsAMoveUntilItIsConfirmed) {
    open_and_close();
    fs::copy(folder(), directory_ / "copy");
    for (int i = 0; i < 2; ++i)
        EXPECT_TRUE(open(directory_ / "copy").store().identity().is_moved) << "start " << i;
    {
        Log log = open(directory_ / "copy");
        bool is_done = false;
        log.store().submit({.work =
                                [&](Unit& unit) {
                                    Store::amend(unit, log.store(), [](StoreIdentity& identity) {
                                        identity.is_moved = false;
                                    });
                                },
                            .then = [&](Written) { is_done = true; }});
        loop_.run_until([&] { return is_done; });
    }
    EXPECT_FALSE(open(directory_ / "copy").store().identity().is_moved);
    EXPECT_FALSE(is_moved()) << "the original is where it was";
}

// File systems give a removed file's inode number to the next one: rm and cp -a of a whole folder
// may leave number and note as they were.
TEST_F(IdentityTest, AFolderThatWasRemovedAndCopiedBackIsAMove) {
    for (int i = 0; i < 5; ++i) {
        open_and_close();
        fs::remove_all(directory_ / "copy");
        fs::copy(folder(), directory_ / "copy");
        fs::remove_all(folder());
        fs::copy(directory_ / "copy", folder());
        EXPECT_TRUE(is_moved()) << i;
        fs::remove_all(folder());
    }
}

// cp over the file keeps its inode; only the note beside it tells.
TEST_F(IdentityTest, AnOldCopyWrittenOverTheFileIsAMove) {
    open_and_close();
    fs::copy_file(folder() / "data.mdb", directory_ / "old.mdb");
    open_and_close();
    std::ofstream(folder() / "data.mdb", std::ios::binary | std::ios::trunc)
        << std::ifstream(directory_ / "old.mdb", std::ios::binary).rdbuf();
    EXPECT_TRUE(is_moved());
}

TEST_F(IdentityTest, ALostNoteIsAMove) {
    open_and_close();
    fs::remove(folder() / "owner.lock");
    EXPECT_TRUE(is_moved());
}

// What a start that dies around its barrier leaves: two notes, one of which the store has.
TEST_F(IdentityTest, ACrashAroundTheBarrierIsNoMove) {
    for (const bool is_before : {true, false}) {
        open_and_close();
        std::ifstream file(folder() / "owner.lock");
        const std::string notes(std::istreambuf_iterator<char>(file), {});
        const Token recorded = parse_token(notes.substr(64, 32)).value();
        const Token other = draw_token(system_random);
        {
            OwnerLock lock(folder());
            if (is_before)
                lock.write_note(recorded, other);
            else
                lock.write_note(other, recorded);
        }
        EXPECT_FALSE(is_moved()) << is_before;
    }
}

TEST_F(IdentityTest, ARestoredStoreIsAnotherThatNamesTheOneOfItsBackup) {
    Token before;
    {
        const Log log = open();
        before = log.store().identity().log;
        log.store().backup(directory_ / "backup");
    }
    restore(directory_ / "backup", directory_ / "again");
    restore(directory_ / "backup", directory_ / "twice");
    const Log log = open(directory_ / "again");
    const StoreIdentity& identity = log.store().identity();
    EXPECT_NE(identity.log, before);
    EXPECT_EQ(identity.replaces, std::vector<Token>{before});
    EXPECT_TRUE(identity.awaits_acceptance);
    EXPECT_FALSE(identity.is_moved) << "it was made here";
    EXPECT_NE(open(directory_ / "twice").store().identity().log, identity.log);
}

TEST_F(IdentityTest, AHandedOverStoreGoesOnThereAndNeverStartsHere) {
    Token before;
    {
        Log log = open();
        append_and_wait(log, loop_, {started(1)});
        before = log.store().identity().log;
    }
    hand_over(folder(), directory_ / "new");
    EXPECT_NE(refusal_of([&] { open_and_close(); }).find("was handed over"), std::string::npos);
    {
        const Log log = open(directory_ / "new");
        EXPECT_EQ(log.store().identity().log, before);
        EXPECT_FALSE(log.store().identity().is_moved);
        EXPECT_FALSE(log.store().identity().awaits_acceptance);
        EXPECT_TRUE(log.read(gid_of(1)));
    }
    fs::copy(directory_ / "new", directory_ / "copy");
    EXPECT_TRUE(open(directory_ / "copy").store().identity().is_moved)
        << "only the first start there takes any place";
    EXPECT_NE(
        refusal_of([&] { hand_over(folder(), directory_ / "elsewhere"); }).find("handed over"),
        std::string::npos);
}

// The mark comes first: a crash between it and the copy leaves no store that starts.
TEST_F(IdentityTest, AHandOverThatWasCutShortIsDoneAgain) {
    open_and_close();
    hand_over(folder(), directory_ / "new");
    fs::remove_all(directory_ / "new");
    hand_over(folder(), directory_ / "new");
    EXPECT_FALSE(open(directory_ / "new").store().identity().is_moved);
    EXPECT_NE(refusal_of([&] { hand_over(folder(), directory_ / "new"); }), "");
}

TEST_F(IdentityTest, OnlyANewLogSucceedsAnother) {
    const Token lost = draw_token(system_random);
    open_and_close();
    const StoreIdentity made = succeed(folder(), "coordinator", {lost}, "ann: disk died");
    EXPECT_EQ(made.replaces, std::vector<Token>{lost});
    {
        Log log = open();
        EXPECT_TRUE(log.store().identity().awaits_acceptance);
        EXPECT_EQ(log.store().identity().why_it_replaces, "ann: disk died");
        append_and_wait(log, loop_, {started(1)});
    }
    EXPECT_NE(refusal_of([&] {
                  succeed(folder(), "coordinator", {lost}, "");
              }).find("holds transactions"),
              std::string::npos);
    EXPECT_NE(refusal_of([&] { succeed(folder(), "credit", {lost}, ""); }), "");
}

TEST_F(IdentityTest, StartsAreListedInTheirOrderAndGoOnceAllOfTheirsIsForgotten) {
    Log log = open();
    const auto begin = [&](std::uint64_t epoch) {
        bool is_done = false;
        log.begin({.epoch = epoch,
                   .start = draw_token(system_random),
                   .log = log.store().identity().log,
                   .tag = static_cast<std::uint32_t>(epoch),
                   .from = 1'000 * epoch},
                  2'000 * epoch,
                  [&](Written) { is_done = true; });
        loop_.run_until([&] { return is_done; });
    };
    for (std::uint64_t epoch = 1; epoch <= 1'003; ++epoch) begin(epoch);
    EXPECT_EQ(log.starts().size(), 1'003U) << "nothing is forgotten";
    EXPECT_EQ(log.gid_ceiling(), 2'006'000U);
    bool is_done = false;
    log.store().submit({.work =
                            [&](Unit& unit) {
                                Store::raise(unit, log.store(), highest_forgotten, order_at(3'000));
                            },
                        .then = [&](Written) { is_done = true; }});
    loop_.run_until([&] { return is_done; });
    begin(1'004);
    const auto starts = log.starts();
    EXPECT_EQ(starts.front().epoch, 3U) << "the third may have minted what is not forgotten";
    EXPECT_EQ(starts.back().tag, 1'004U);
}

TEST_F(IdentityTest, SeenStoresAndLostBranchesComeBackAsTheyWere) {
    const SeenStore seen{draw_token(system_random), 7, draw_token(system_random), 99};
    const LostBranch branch{.gid = gid_of(5),
                            .participant = "credit",
                            .branch_id = "1",
                            .state = "committed",
                            .operation = "deduct",
                            .business_code = "order",
                            .business_id = "4711"};
    LostBranch other = branch;
    other.gid = gid_of(6);
    other.business_code.clear();
    {
        Log log = open();
        log.remember("credit", seen);
        bool is_done = false;
        log.note_lost({other, branch, branch}, [&](Written) { is_done = true; });
        loop_.run_until([&] { return is_done; });
    }
    Log log = open();
    EXPECT_EQ(log.seen_stores(), (std::map<std::string, SeenStore>{{"credit", seen}}));
    EXPECT_EQ(log.lost({}, 10), (std::vector<LostBranch>{branch, other}));
    EXPECT_EQ(log.lost({}, 1), std::vector<LostBranch>{branch});
    EXPECT_EQ(log.lost(gid_of(5), 10), std::vector<LostBranch>{other});
    EXPECT_EQ(log.lost_under("order", "4711"), std::vector<Gid>{gid_of(5)});
    EXPECT_EQ(log.lowest_lost(), gid_of(5));
    auto settles = started(5);
    settles.settles = true;
    append_and_wait(log, loop_, {settles});
    EXPECT_TRUE(log.lost_under("order", "4711").empty());
    EXPECT_EQ(log.lowest_lost(), gid_of(6));
    std::vector<std::string> findings;
    log.verify([&](const std::string& finding) { findings.push_back(finding); }, nullptr);
    EXPECT_EQ(findings, std::vector<std::string>{});
}

}  // namespace
}  // namespace twophase::wal
