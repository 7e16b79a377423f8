// What a coordinator says of ids that its log doesn't know: never known, forgotten, or lost.
#include "tests/coordinator/turned_service.hpp"
#include "wal/store.hpp"

namespace twophase::coordinator {
namespace {

namespace fs = std::filesystem;

class UnknownGidsTest : public TurnedService {
protected:
    ~UnknownGidsTest() override { fs::remove_all(backup()); }

    fs::path backup() const { return fs::path(config_.data).concat("-backup"); }

    Gid commit(const std::string& id) {
        const Gid gid = submit(id).gid;
        finish();
        EXPECT_EQ(service_->inquire(gid), Verdict::commit);
        return gid;
    }
    std::size_t stored() const { return service_->log().walk({}, 10'000).size(); }

    void restart() {
        crash();
        start();
        hear();
    }
    void restore() {
        crash();
        fs::remove_all(config_.data);
        wal::restore(backup(), config_.data);
        start();
        hear();
        bool is_accepted = false;
        EXPECT_EQ(service_->accept({}, "ann", "a test", [&](wal::Written) { is_accepted = true; }),
                  Service::Accepting::accepted);
        run();
        EXPECT_TRUE(is_accepted);
        hear();
    }
    /// What is said of one of which nothing reached the disk.
    Inquiry verdict_of_lost(const std::string& id) {
        const Gid gid = submit(id).gid;
        restart();
        return service_->inquire(gid);
    }
};

TEST_F(UnknownGidsTest, WhatTheLogNeverKnewWasRolledBack) {
    commit("0");
    EXPECT_EQ(verdict_of_lost("1"), Verdict::rollback);
}

// A participant that was restored from an old backup asks about it.
TEST_F(UnknownGidsTest, WhatWasForgottenIsNotPresumed) {
    const Gid committed = commit("0");
    config_.retention = std::chrono::milliseconds(0);
    restart();
    pass(10'000ms);
    ASSERT_EQ(stored(), 0U);
    EXPECT_EQ(service_->inquire(committed), Verdict::pending);
    EXPECT_TRUE(service_->may_settle_unknown(committed)) << "a person may know";
    EXPECT_EQ(verdict_of_lost("1"), Verdict::rollback) << "it came later";
}

TEST_F(UnknownGidsTest, ForgettingKeepsUpWithFinishing) {
    config_.retention = std::chrono::milliseconds(0);
    restart();
    constexpr int many = 2'500;
    for (int i = 0; i < many; ++i) submit(std::to_string(i));
    finish();
    pass(1'000ms);
    ASSERT_EQ(stored(), std::size_t{many});
    pass(9'000ms);
    EXPECT_EQ(stored(), 0U) << "at one look around";
}

// Each start begins a minute ahead of the last one's ids, so that these run ahead of any clock.
TEST_F(UnknownGidsTest, WhatALostLogDecidedIsNeverPresumed) {
    commit("0");
    service_->log().store().backup(backup());
    restart();
    const Gid committed = commit("1");
    restore();
    EXPECT_EQ(service_->inquire(committed), Verdict::pending);
    for (int i = 2; i < 5; ++i) {
        pass(60'000ms);
        const Gid later = commit(std::to_string(i));
        EXPECT_EQ(service_->inquire(committed), Verdict::pending);
        EXPECT_NE(later, committed);
    }
    restart();
    EXPECT_EQ(service_->inquire(committed), Verdict::pending);
    EXPECT_EQ(verdict_of_lost("5"), Verdict::rollback) << "of this life";
}

// Nobody may turn presumption off for good by one wrong word.
TEST_F(UnknownGidsTest, AnIdFromFarAheadThatAPersonSettlesSaysNothingOfOthers) {
    commit("0");
    service_->log().store().backup(backup());
    config_.retention = std::chrono::milliseconds(0);
    restore();
    const Gid ahead = *parse_gid("7fffffff-ffff-7fff-bfff-000000000001");
    ASSERT_TRUE(service_->may_settle_unknown(ahead));
    service_->settle_lost(ahead, Decision::rollback, "ann", "mistyped", [](wal::Written) {});
    run();
    pass(10'000ms);
    ASSERT_EQ(stored(), 0U) << "forgotten";
    EXPECT_EQ(verdict_of_lost("1"), Verdict::rollback);
}

TEST_F(UnknownGidsTest, TwoRestoresOfOneBackupAreToldApart) {
    commit("0");
    service_->log().store().backup(backup());
    restore();
    const Gid of_the_first = commit("1");
    restore();
    pass(600'000ms);
    commit("2");
    EXPECT_EQ(service_->inquire(of_the_first), Verdict::pending);
}

}  // namespace
}  // namespace twophase::coordinator
