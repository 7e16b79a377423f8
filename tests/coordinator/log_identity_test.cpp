// A log that was lost, copied, doubled or restored never undoes what was committed: the service.
// What a successor settles is in succession_test.cpp.
#include "tests/coordinator/log_identity_bench.hpp"

namespace twophase::coordinator {
namespace {

// --- rule 1: carried ---

TEST_F(LogIdentityTest, MessagesCarryIdentityStartAndPosition) {
    begin();
    submit("1");
    run();
    ASSERT_EQ(messages(), 2U);
    const Json message = Json::parse(around_.calls.back().call.body);
    EXPECT_EQ(message["log"], to_text(here().log));
    EXPECT_EQ(message["start"], to_text(here().start));
    EXPECT_EQ(message["epoch"], here().epoch);
    EXPECT_GT(message["position"], 0);
    EXPECT_LE(message["position"], here().position) << "never ahead of the disk";
    EXPECT_FALSE(message.contains("replaces"));
    finish();
}

TEST_F(LogIdentityTest, IdsCarryATagOfTheirStart) {
    begin();
    const Gid first = commit("1");
    restart();
    const Gid second = commit("2");
    EXPECT_NE(tag_of(first), tag_of(second));
    EXPECT_NE(tag_of(first), 0U);
    EXPECT_EQ(tag_of(second), service_->guard().start().tag);
}

// --- rule 2: heard before used ---

TEST_F(LogIdentityTest, NothingLeavesBeforeItsParticipantWasHeard) {
    begin();
    coupon().is_away = true;
    restart();
    submit("1");
    run();
    EXPECT_EQ(messages(), 0U) << "not in the first second: coupon may know more";
    pass(1'000ms);
    EXPECT_EQ(messages(), 1U) << "credit alone is asked for its vote";
    coupon().is_away = false;
    pass(5'000ms);
    hear();
    EXPECT_EQ(held_for("coupon"), "");
}

TEST_F(LogIdentityTest, AnOrdinaryRestartCostsOneQuestionToEach) {
    begin();
    commit("1");
    credit().questions = coupon().questions = 0;
    restart();
    submit("2");
    run();
    EXPECT_EQ(messages(), 2U);
    EXPECT_EQ(credit().questions, 1);
    EXPECT_EQ(coupon().questions, 1);
    finish();
}

TEST_F(LogIdentityTest, AnAnswerToAnotherQuestionIsNone) {
    begin();
    end();
    const auto honest = introduce_;
    introduce_ = [&](const std::string& name, const std::string& target) {
        auto response = honest(name, target);
        Json body = Json::parse(response->body);
        body["nonce"] = "another";
        response->body = body.dump();
        return response;
    };
    start();
    answer();
    EXPECT_EQ(service_->unheard().size(), 2U);
    introduce_ = honest;
    pass(5'000ms);
    hear();
    EXPECT_TRUE(service_->unheard().empty());
}

// --- rule 3: behind ---

TEST_F(LogIdentityTest, ALogThatIsBehindClosesAndUndoesNothing) {
    begin();
    submit("undecided");
    run();
    take_copy();
    const Gid undecided = service_->core().transactions().begin()->first;
    finish();  // the true log decides, and goes on
    commit("1");
    put_copy();
    start();
    hear();
    EXPECT_EQ(service_->log_state(), LogState::behind);
    EXPECT_EQ(messages(), 0U);
    EXPECT_EQ(service_->inquire(undecided), Verdict::pending);
    EXPECT_EQ(submit("2").kind, Admitted::Kind::closed);
    pass(3'600'000ms);
    EXPECT_EQ(messages(), 0U);
    EXPECT_EQ(service_->inquire(undecided), Verdict::pending);
    EXPECT_EQ(Json::parse(log_status().body)["state"], "behind");
}

TEST_F(LogIdentityTest, ALogThatLacksAStartClosesWhenItHearsOfIt) {
    begin();
    commit("1");
    credit().known->epoch += 1;
    credit().known->start = fresh();
    restart();
    EXPECT_EQ(service_->log_state(), LogState::behind);
}

TEST_F(LogIdentityTest, ALogThatIsOvertakenWhileItWorksCloses) {
    begin();
    submit("1");
    run();
    headers_ = [this](const std::string& name) {
        Seen ahead = here();
        ahead.position += 1'000;
        const auto text = [](const Seen& seen) {
            return to_text(seen.log) + " " + std::to_string(seen.epoch) + " " +
                   to_text(seen.start) + " " + std::to_string(seen.position);
        };
        credit().known = ahead;
        return std::vector<http::Header>{{"Twophase-Known", text(ahead)},
                                         {"Twophase-Store", text(participants_[name].store)}};
    };
    answer();
    hear();
    EXPECT_EQ(service_->log_state(), LogState::behind);
}

TEST_F(LogIdentityTest, AnInquiryThatNobodyMintedGetsPendingAndNothingMore) {
    begin();
    Gid invented = commit("1");
    invented[10] ^= 0x55;
    EXPECT_EQ(service_->inquire(invented), Verdict::pending);
    EXPECT_EQ(service_->log_state(), LogState::open);
}

TEST_F(LogIdentityTest, AWitnessOfMoreIsToldNotToListen) {
    begin();
    const auto is_open = [&](const Seen& seen) {
        return Json::parse(show_identity(*service_, asked_by(seen)).body)["open"];
    };
    EXPECT_EQ(is_open(here()), true);
    EXPECT_EQ(is_open(one_further()), false);
}

// Not even a decision that this log has: the answer would be taken for the word of a later start,
// which has seen all that this participant has heard of the earlier one.
TEST_F(LogIdentityTest, AWitnessOfMoreIsToldNothing) {
    begin();
    const Gid gid = commit("1");
    const auto told = [&](const Seen& seen) {
        http::Request request = asked_by(seen);
        request.path_parameters["gid"] = to_text(gid);
        return Json::parse(tell_decision(*service_, request).body)["decision"];
    };
    EXPECT_EQ(told(here()), "commit");
    EXPECT_EQ(told(one_further()), "pending");
}

// --- rule 4: moved files ---

TEST_F(LogIdentityTest, AMovedLogPresumesNothingBeforeAllWereHeard) {
    begin();
    submit("undecided");
    run();
    const Gid undecided = service_->core().transactions().begin()->first;
    take_copy();
    put_copy();
    coupon().is_away = true;
    start();
    hear();
    pass(60'000ms);
    hear();
    EXPECT_EQ(service_->log_state(), LogState::moved);
    EXPECT_EQ(service_->inquire(undecided), Verdict::pending) << "coupon may know more";
    coupon().is_away = false;
    pass(5'000ms);
    hear();
    EXPECT_EQ(service_->log_state(), LogState::moved) << "heard once";
    EXPECT_EQ(messages(), 0U) << "whoever works on the original is not fenced off";
    pass(1'000ms);
    hear();
    EXPECT_EQ(service_->log_state(), LogState::open);
    EXPECT_EQ(service_->inquire(undecided), Verdict::rollback);
    restart();
    EXPECT_EQ(service_->log_state(), LogState::open) << "it was confirmed, durably";
}

// The original lives: what it did since the copy was made shows when all are heard once more.
TEST_F(LogIdentityTest, AMovedLogClosesWhenItsOriginalGoesOn) {
    begin();
    take_copy();
    put_copy();
    start();
    hear();
    EXPECT_EQ(service_->log_state(), LogState::moved);
    credit().known->position = here().position + 5;
    pass(1'000ms);
    hear();
    EXPECT_EQ(service_->log_state(), LogState::behind);
}

TEST_F(LogIdentityTest, AMovedLogIsAcceptedWithoutWhoIsLeftOut) {
    begin();
    take_copy();
    put_copy();
    coupon().is_away = true;
    start();
    hear();
    EXPECT_FALSE(accept());
    EXPECT_TRUE(accept({"coupon"}));
    EXPECT_EQ(service_->log_state(), LogState::open);
}

TEST_F(LogIdentityTest, AnOrdinaryCrashPresumesAsEver) {
    begin();
    submit("undecided");
    run();
    const Gid undecided = service_->core().transactions().begin()->first;
    restart();
    EXPECT_EQ(service_->inquire(undecided), Verdict::rollback);
}

TEST_F(LogIdentityTest, AnOrdinaryCrashWithAParticipantAwayPresumesAfterASecond) {
    begin();
    submit("undecided");
    run();
    const Gid undecided = service_->core().transactions().begin()->first;
    coupon().is_away = true;
    restart();
    EXPECT_EQ(service_->inquire(undecided), Verdict::pending);
    pass(1'000ms);
    EXPECT_EQ(service_->inquire(undecided), Verdict::rollback);
}

// --- rules 5 and 7: another log, a new log ---

TEST_F(LogIdentityTest, ANewLogEndsWhereAnotherIsKnownAndNobodyTakesIt) {
    begin();
    commit("1");
    const Seen before = here();
    coupon().known.reset();  // it never took part
    end();
    fs::remove_all(config_.data);
    int code = 0;
    std::string why;
    stopped_ = [&](int exit_code, const std::string& text) {
        code = exit_code;
        why = text;
    };
    for (int supervisor = 0; supervisor < 3; ++supervisor) {
        start();
        hear();
        submit("2");
        EXPECT_EQ(messages(), 0U);
        pass(1'000ms);
        EXPECT_EQ(code, 6);
        EXPECT_NE(why.find(to_text(before.log)), std::string::npos) << why;
        EXPECT_NE(why.find(to_text(here().log)), std::string::npos) << why;
        EXPECT_NE(why.find("recoveryctl succeed"), std::string::npos) << why;
        EXPECT_FALSE(coupon().known) << "nobody was given the new log";
        code = 0;
        end();
    }
    stopped_ = [](int, const std::string& text) { ADD_FAILURE() << text; };
    start();
}

TEST_F(LogIdentityTest, AParticipantThatKnowsAnotherLogStopsItsOwnLaneAlone) {
    begin();
    commit("1");
    coupon().known =
        Seen{.log = fresh(), .epoch = 3, .start = fresh(), .position = 7, .replaces = {}};
    restart();
    EXPECT_EQ(service_->log_state(), LogState::open);
    EXPECT_NE(held_for("coupon"), "");
    EXPECT_EQ(submit("2").kind, Admitted::Kind::held);
    EXPECT_EQ(submission_of({"credit"}, "3").kind, Admitted::Kind::is_new);
    finish();
    coupon().known.reset();  // forget-log
    pass(6'000ms);
    hear();
    EXPECT_EQ(held_for("coupon"), "");
    commit("4");
}

TEST_F(LogIdentityTest, AParticipantThatNamesOurSuccessorEndsUs) {
    begin();
    commit("1");
    coupon().known =
        Seen{.log = fresh(), .epoch = 3, .start = fresh(), .position = 7, .replaces = {here().log}};
    int code = 0;
    stopped_ = [&](int exit_code, const std::string&) { code = exit_code; };
    restart();
    pass(1'000ms);
    EXPECT_EQ(code, 4);
}

// --- rule 14: the other side ---

TEST_F(LogIdentityTest, AnEmptyStoreBehindAParticipantHoldsItsLane) {
    begin();
    commit("1");
    const Seen before = coupon().store;
    coupon().store =
        Seen{.log = fresh(), .epoch = 1, .start = fresh(), .position = 2, .replaces = {}};
    coupon().known.reset();
    restart();
    EXPECT_NE(held_for("coupon").find("another store"), std::string::npos) << held_for("coupon");
    EXPECT_EQ(held_for("credit"), "");
    EXPECT_EQ(submit("2").kind, Admitted::Kind::held);
    bool is_done = false;
    service_->accept_store("coupon", "ann", "a demo", [&](wal::Written) { is_done = true; });
    run();
    hear();
    EXPECT_TRUE(is_done);
    EXPECT_EQ(held_for("coupon"), "");
    commit("3");
}

TEST_F(LogIdentityTest, AnOldCopyOfAParticipantsStoreIsSeenFromItsAnswers) {
    begin();
    commit("1");
    coupon().store.position = 90;
    headers_ = [this](const std::string& name) {
        const Seen& store = participants_[name].store;
        return std::vector<http::Header>{{"Twophase-Store",
                                          to_text(store.log) + " " + std::to_string(store.epoch) +
                                              " " + to_text(store.start) + " " +
                                              std::to_string(store.position)}};
    };
    commit("2");
    coupon().store.position = 40;  // it was replaced by a copy, and started
    coupon().store.epoch += 1;
    coupon().store.start = fresh();
    submit("3");
    finish();
    EXPECT_NE(held_for("coupon").find("older copy"), std::string::npos) << held_for("coupon");
}

TEST_F(LogIdentityTest, AYesOfAStoreThatHasNotIntroducedItselfCountsForNothing) {
    begin();
    Seen shown = coupon().store;
    headers_ = [&](const std::string& name) {
        const Seen& store = name == "coupon" ? shown : credit().store;
        return std::vector<http::Header>{{"Twophase-Store",
                                          to_text(store.log) + " " + std::to_string(store.epoch) +
                                              " " + to_text(store.start) + " " +
                                              std::to_string(store.position)}};
    };
    const Gid gid = submit("1").gid;
    run();
    shown.epoch += 1;  // it has restarted, or is a copy: nobody has asked yet
    shown.start = fresh();
    answer();
    EXPECT_EQ(service_->inquire(gid), Verdict::pending) << "both have said yes";
    coupon().store = shown;
    coupon().store.began_at = coupon().store.position += 1;
    shown = coupon().store;
    finish();
    EXPECT_EQ(service_->inquire(gid), Verdict::commit) << "it was asked again";
}

// --- rule 15: alerts are limited in rate ---

TEST_F(LogIdentityTest, ARestartEverySecondAlertsOnceAnHour) {
    begin();
    commit("1");
    coupon().known =
        Seen{.log = fresh(), .epoch = 3, .start = fresh(), .position = 7, .replaces = {}};
    const auto alerts = [this] {
        recovery::Metrics& metrics = service_->metrics();
        return metrics.text().find(R"(twophase_alerts_total{kind="other_log"} 1)") !=
               std::string::npos;
    };
    restart();
    EXPECT_TRUE(alerts());
    restart();
    EXPECT_FALSE(alerts()) << "told a moment ago, by the start before";
    around_.pass(3'600'000ms);
    restart();
    EXPECT_TRUE(alerts());
}

}  // namespace
}  // namespace twophase::coordinator
