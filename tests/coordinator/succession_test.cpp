// Rules 8 to 13 of a log's identity: restored logs and successors, and what of a lost log they
// settle.
#include "tests/coordinator/log_identity_bench.hpp"

namespace twophase::coordinator {
namespace {

class SuccessionTest : public LogIdentityTest {
protected:
    ~SuccessionTest() override { fs::remove_all(backup()); }
    fs::path backup() const { return fs::path(config_.data).concat("-backup"); }

    /// A backup, then one more committed transaction, of which credit tells; then the log is lost
    /// and the backup restored.
    void restore() {
        begin();
        commit("1");
        service_->log().store().backup(backup());
        before_ = here().log;
        lost_ = commit("lost");
        credit().listed = {listed(lost_, "committed", "lost")};
        end();
        fs::remove_all(config_.data);
        wal::restore(backup(), config_.data);
        start();
        hear();
    }
    std::vector<LostTransaction> lost() const { return service_->lost({}, 100); }

    /// Which attempts they were, nobody knows: two that are settled in one turn take two numbers,
    /// and no attempt is admitted behind the committed one.
    void settle_two_attempts(bool is_commit_first) {
        restore();
        Gid other = lost_;
        other[7] ^= 0x40;
        credit().listed.push_back(listed(other, "prepared", "lost"));
        ASSERT_TRUE(accept());
        int durable = 0;
        const auto settle = [&](const Gid& gid, Decision decision) {
            service_->settle_lost(gid, decision, "ann", "as it was", [&](wal::Written written) {
                if (written == wal::Written::durable) ++durable;
            });
        };
        if (is_commit_first) settle(lost_, Decision::commit);
        settle(other, Decision::rollback);
        if (!is_commit_first) settle(lost_, Decision::commit);
        finish();
        EXPECT_EQ(durable, 2);
        EXPECT_EQ(service_->inquire(lost_), Verdict::commit);
        EXPECT_EQ(service_->inquire(other), Verdict::rollback);
        for (std::uint32_t attempt = 1; attempt <= 4; ++attempt)
            EXPECT_NE(submission_of({"credit"}, "lost", attempt).kind, Admitted::Kind::is_new)
                << "attempt " << attempt << " would charge it twice";
    }

    wal::Token before_;
    Gid lost_{};
};

TEST_F(SuccessionTest, ARestoredLogOnlyReadsUntilItIsAccepted) {
    restore();
    EXPECT_EQ(service_->log_state(), LogState::unaccepted);
    EXPECT_EQ(submit("2").kind, Admitted::Kind::closed);
    EXPECT_FALSE(service_->may_be_listened_to());
    EXPECT_EQ(credit().known->log, before_) << "it moved no mark";
    pass(600'000ms);
    EXPECT_EQ(messages(), 0U);
    EXPECT_EQ(service_->inquire(lost_), Verdict::pending);
    ASSERT_TRUE(accept());
    EXPECT_EQ(service_->log_state(), LogState::open);
    EXPECT_EQ(credit().known->log, here().log) << "it moved over by itself";
    restart();
    EXPECT_EQ(service_->log_state(), LogState::open);
}

TEST_F(SuccessionTest, ARestoredLogIsNotAcceptedBeforeAllWereListed) {
    coupon().is_away = false;
    begin();
    service_->log().store().backup(backup());
    end();
    fs::remove_all(config_.data);
    wal::restore(backup(), config_.data);
    coupon().is_away = true;
    start();
    hear();
    EXPECT_FALSE(accept());
    EXPECT_TRUE(accept({"coupon"}));
    EXPECT_EQ(submission_of({"credit"}, "2").kind, Admitted::Kind::is_new);
    finish();
    coupon().is_away = false;
    coupon().listed = {};
    pass(6'000ms);
    hear();
    EXPECT_EQ(held_for("coupon"), "") << "it was heard and listed";
}

TEST_F(SuccessionTest, AnAnswerToSomebodyElseIsNoList) {
    credit().strays = 1;
    restore();
    EXPECT_TRUE(lost().empty());
    EXPECT_FALSE(accept()) << "credit was not listed";
    pass(2'000ms);
    hear();
    EXPECT_EQ(lost().size(), 1U) << "it was asked again";
    EXPECT_TRUE(accept());
}

TEST_F(SuccessionTest, WhatWasLostIsListedWithWhatProvesIt) {
    restore();
    ASSERT_EQ(lost().size(), 1U);
    EXPECT_EQ(lost()[0].gid, lost_);
    EXPECT_EQ(lost()[0].proven, Decision::commit);
    EXPECT_EQ(lost()[0].branches[0].business_id, "lost");
    ASSERT_TRUE(accept());
    EXPECT_EQ(lost().size(), 1U) << "listed once more when it moved over: the same";
}

TEST_F(SuccessionTest, ALostKeyIsRefusedUntilSettlingTakesIt) {
    restore();
    ASSERT_TRUE(accept());
    const Admitted refused = submit("lost");
    EXPECT_EQ(refused.kind, Admitted::Kind::lost_key);
    EXPECT_EQ(refused.gid, lost_);
    const http::Response told = refused_lost_key(*service_, lost_);
    EXPECT_EQ(told.status, 409U);
    EXPECT_NE(told.body.find("committed"), std::string::npos) << told.body;
    std::optional<std::size_t> settled;
    service_->settle_proven("ann", "proven", [&](std::size_t count) { settled = count; });
    finish();
    EXPECT_EQ(settled, 1U);
    EXPECT_EQ(service_->inquire(lost_), Verdict::commit);
    EXPECT_TRUE(lost().empty());
    const Admitted repeat = submit("lost");
    EXPECT_EQ(repeat.kind, Admitted::Kind::repeat) << "charged once";
    EXPECT_EQ(repeat.gid, lost_);
    EXPECT_TRUE(service_->core().transactions().empty()) << "its branch was told, and it ended";
    restart();
    EXPECT_EQ(submit("lost").kind, Admitted::Kind::repeat);
}

TEST_F(SuccessionTest, OfTwoLostAttemptsTheCommittedOneMayBeSettledFirst) {
    settle_two_attempts(true);
}

TEST_F(SuccessionTest, OfTwoLostAttemptsTheCommittedOneMayBeSettledLast) {
    settle_two_attempts(false);
}

TEST_F(SuccessionTest, WhatProvesNothingWaitsForAPerson) {
    restore();
    Gid other = lost_;
    other[7] ^= 0x40;
    credit().listed.push_back(listed(other, "executed", "other"));
    ASSERT_TRUE(accept());
    std::size_t settled = 0;
    service_->settle_proven("ann", "proven", [&](std::size_t count) { settled = count; });
    finish();
    EXPECT_EQ(settled, 1U);
    ASSERT_EQ(lost().size(), 1U);
    bool is_done = false;
    service_->settle_lost(
        other, Decision::rollback, "ann", "no trace of it", [&](wal::Written) { is_done = true; });
    run();
    EXPECT_TRUE(is_done);
    ASSERT_EQ(messages(), 1U) << "an executed step is compensated";
    EXPECT_EQ(around_.calls.front().call.target, "/compensate");
    answer([](const std::string&, const Json&) { return Said{200, {{"state", "compensated"}}}; });
    EXPECT_EQ(service_->inquire(other), Verdict::rollback);
    EXPECT_TRUE(service_->core().transactions().empty());
}

// Its transaction was settled from what credit had listed; coupon's step was still on its way.
TEST_F(SuccessionTest, AStepThatComesToLightAfterItsSettlementIsUndoneThroughACrash) {
    const auto list_coupon = [this](const Gid& gid) {
        Json step = listed(gid, "executed", "other");
        step["branch_id"] = "coupon";
        coupon().listed = {step};
    };
    const auto compensated = [](const std::string&, const Json&) {
        return Said{200, {{"state", "compensated"}}};
    };
    restore();
    Gid other = lost_;
    other[7] ^= 0x40;
    credit().listed.push_back(listed(other, "executed", "other"));
    end();
    start();
    hear();
    service_->settle_lost(other, Decision::rollback, "ann", "no trace of it", [](wal::Written) {});
    run();
    list_coupon(other);
    ASSERT_TRUE(accept());
    const auto owed_to = [this](const std::string& name) {
        for (const LaneStatus& lane : service_->lanes())
            if (lane.participant == name) return lane.waiting + lane.in_flight;
        return std::size_t{0};
    };
    EXPECT_EQ(owed_to("credit"), 1U);
    EXPECT_EQ(owed_to("coupon"), 1U);
    restart();
    EXPECT_EQ(owed_to("coupon"), 1U) << "it was listed again";
    for (int i = 0; i < 10; ++i) {
        for (const auto& sent : around_.calls) {
            if (sent.call.target != "/compensate") continue;
            EXPECT_LE(Json::parse(sent.call.body)["low_water"].get<std::string>(), to_text(other));
        }
        answer(compensated);
        pass(10'000ms);
    }
    EXPECT_EQ(owed_to("credit"), 0U);
    EXPECT_EQ(owed_to("coupon"), 0U);
    EXPECT_TRUE(service_->core().transactions().empty());
    restart();
    EXPECT_EQ(owed_to("coupon"), 0U) << "nothing of it is left";
}

TEST_F(SuccessionTest, LowWaterStaysBelowWhatIsNotSettled) {
    restore();
    ASSERT_TRUE(accept());
    submit("2");
    run();
    ASSERT_EQ(messages(), 2U);
    const auto low_water = [&] {
        return Json::parse(around_.calls.front().call.body)["low_water"].get<std::string>();
    };
    EXPECT_LE(low_water(), to_text(lost_));
    const Json message = Json::parse(around_.calls.front().call.body);
    EXPECT_EQ(message["replaces"], Json::array({to_text(before_)}));
    finish();
    service_->settle_proven("ann", "proven", [](std::size_t) {});
    finish();
    submit("3");
    run();
    EXPECT_GT(low_water(), to_text(lost_));
    finish();
}

TEST_F(SuccessionTest, ASuccessorOfALostLogTakesItsPlace) {
    begin();
    const wal::Token gone = here().log;
    const Gid lost = commit("lost");
    coupon().listed = {{{"gid", to_text(lost)},
                        {"branch_id", "coupon"},
                        {"state", "committed"},
                        {"operation", "do"},
                        {"business_code", "order"},
                        {"business_id", "lost"}}};
    end();
    fs::remove_all(config_.data);
    stopped_ = [](int, const std::string&) {};
    start();  // a new log: it ends
    hear();
    end();
    stopped_ = [](int, const std::string& why) { ADD_FAILURE() << why; };
    wal::succeed(config_.data, "coordinator", {gone}, "ann: gone");
    start();
    hear();
    EXPECT_EQ(service_->log_state(), LogState::unaccepted);
    EXPECT_EQ(credit().known->log, gone);
    ASSERT_TRUE(accept());
    EXPECT_EQ(credit().known->log, here().log);
    EXPECT_EQ(service_->lost({}, 10).size(), 1U);
    EXPECT_EQ(submit("lost").kind, Admitted::Kind::lost_key);
    EXPECT_EQ(service_->inquire(lost), Verdict::pending) << "nothing of the lost log is presumed";
}

TEST_F(SuccessionTest, ReconciliationCountsWhatAReplacedLogEndedAndReportsTheRest) {
    restore();
    ASSERT_TRUE(accept());
    const Gid known = commit("2");
    const auto compare = [&](const Gid& gid, const char* state) {
        http::Request request{.method = "POST"};
        request.body =
            Json{{"participant", "credit"},
                 {"items", {{{"gid", to_text(gid)}, {"branch_id", "credit"}, {"state", state}}}}}
                .dump();
        return Json::parse(compare_branches(*service_, request).body);
    };
    const Json of_lost = compare(lost_, "committed");
    EXPECT_EQ(of_lost["of_replaced_logs"], 1) << of_lost;
    for (const Json& finding : of_lost["findings"]) EXPECT_NE(finding["gid"], to_text(lost_));
    const Json of_known = compare(known, "rolled_back");
    EXPECT_EQ(of_known["of_replaced_logs"], 0);
    EXPECT_NE(of_known.dump().find("different"), std::string::npos) << of_known;
}

}  // namespace
}  // namespace twophase::coordinator
