// A log that was lost, copied, doubled or restored never undoes what was committed: the service,
// with participants that say which log of it they know.
#include "coordinator/comparison_api.hpp"
#include "coordinator/log_api.hpp"
#include "tests/coordinator/turned_service.hpp"
#include "wal/store.hpp"

#include <map>

namespace twophase::coordinator {
namespace {

namespace fs = std::filesystem;

wal::Token fresh() { return wal::draw_token(wal::system_random); }

/// A participant as ours are: it gives back what it has heard, and takes a log that claims to be
/// its coordinator's when it knows none, or one that the other replaces.
struct Speaking {
    std::optional<Seen> known;
    Seen store{.log = fresh(), .epoch = 1, .start = fresh(), .position = 10, .replaces = {}};
    bool is_away = false;
    bool takes_claims = true;
    std::vector<Json> listed;
    int strays = 0;  // so many lists are answered with what was meant for somebody else
    int questions = 0;
};

Json json_of(const Seen& seen) {
    Json replaces = Json::array();
    for (const wal::Token& each : seen.replaces) replaces.push_back(to_text(each));
    return {{"log", to_text(seen.log)},
            {"epoch", seen.epoch},
            {"start", to_text(seen.start)},
            {"position", seen.position},
            {"began_at", seen.began_at},
            {"replaces", replaces}};
}

std::string query_value(const std::string& target, const std::string& name) {
    const std::size_t at = target.find("&" + name + "=");
    if (at == std::string::npos) return "";
    const std::size_t from = at + name.size() + 2;
    return target.substr(from, target.find('&', from) - from);
}

class LogIdentityTest : public TurnedService {
protected:
    LogIdentityTest() {
        introduce_ = [this](const std::string& name, const std::string& target) {
            return introduction_of(name, target);
        };
        crash();
        fs::remove_all(config_.data);
    }
    ~LogIdentityTest() override {
        if (!service_) start();  // the fixture ends one
        fs::remove_all(copy());
    }

    fs::path copy() const { return fs::path(config_.data).concat("-copy"); }
    Speaking& credit() { return participants_["credit"]; }
    Speaking& coupon() { return participants_["coupon"]; }

    /// A first start that everybody listens to.
    void begin() {
        start();
        hear();
        ASSERT_EQ(service_->log_state(), LogState::open);
        for (auto& [name, participant] : participants_) ASSERT_TRUE(participant.known) << name;
    }
    void restart() {
        end();
        start();
        hear();
    }
    void end() {
        crash();
        service_.reset();
    }
    Gid commit(const std::string& id) {
        const Gid gid = submit(id).gid;
        finish();
        EXPECT_EQ(service_->inquire(gid), Verdict::commit) << id;
        note_position();
        return gid;
    }
    /// What every participant has heard by now.
    void note_position() {
        for (auto& [name, participant] : participants_)
            if (!participant.is_away) participant.known = here();
    }
    Seen here() const {
        const LogGuard::Own& own = service_->guard().own();
        return {.log = own.log,
                .epoch = own.epoch,
                .start = own.start,
                .position = service_->position(),
                .replaces = own.replaces};
    }
    /// Branch messages that wait to be answered.
    std::size_t messages() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            around_.calls, [](const auto& sent) { return sent.call.method == "POST"; }));
    }
    std::string held_for(const std::string& name) const {
        for (const LaneStatus& lane : service_->lanes())
            if (lane.participant == name) return lane.held_for;
        return "?";
    }
    /// Copies the log as it is now, as cp would.
    void take_copy() {
        fs::remove_all(copy());
        fs::copy(config_.data, copy());
    }
    /// Puts the copy where the log was.
    void put_copy() {
        end();
        fs::remove_all(config_.data);
        fs::copy(copy(), config_.data);
    }
    /// A lost transaction's branch, as credit lists it.
    static Json listed(const Gid& gid, const std::string& state, const std::string& id) {
        return {{"gid", to_text(gid)},
                {"branch_id", "credit"},
                {"state", state},
                {"operation", "do"},
                {"business_code", "order"},
                {"business_id", id}};
    }
    bool accept(const std::set<std::string>& left_out = {}) {
        bool is_done = false;
        const auto accepting =
            service_->accept(left_out, "ann", "a test", [&](wal::Written) { is_done = true; });
        run();
        hear();
        return accepting == Service::Accepting::accepted && is_done;
    }
    http::Response log_status() const { return show_log(*service_); }

    std::map<std::string, Speaking> participants_{{"credit", {}}, {"coupon", {}}};

private:
    http::Result<http::Response> introduction_of(const std::string& name,
                                                 const std::string& target) {
        Speaking& participant = participants_.at(name);
        if (participant.is_away) return http::Errc::unreachable;
        Json answer{{"items", Json::array()}, {"next", nullptr}};
        if (target.starts_with("/list"))
            answer["items"] = participant.listed;
        else
            ++participant.questions;
        const std::string claim = query_value(target, "log");
        if (!claim.empty() && participant.takes_claims && service_->may_be_listened_to()) {
            const Seen now = here();
            EXPECT_EQ(claim, to_text(now.log));
            const bool is_start_meant = !query_value(target, "start").empty();
            if (!participant.known || now.does_replace(participant.known->log) || is_start_meant)
                participant.known = now;
        }
        answer["known"] = participant.known ? json_of(*participant.known) : Json();
        answer["configured"] = true;
        answer["store"] = json_of(participant.store);
        answer["nonce"] = query_value(target, "nonce");
        if (target.starts_with("/list") && participant.strays > 0) {
            --participant.strays;
            answer["items"] = Json::array();
            answer["nonce"] = "of another question";
        }
        return http::Response{.body = answer.dump()};
    }
};

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
        http::Request request{.method = "GET"};
        request.query = {{"nonce", "1"},
                         {"log", to_text(seen.log)},
                         {"epoch", std::to_string(seen.epoch)},
                         {"start", to_text(seen.start)},
                         {"position", std::to_string(seen.position)}};
        return Json::parse(show_identity(*service_, request).body)["open"];
    };
    Seen more = here();
    EXPECT_EQ(is_open(more), true);
    more.position += 1;
    EXPECT_EQ(is_open(more), false);
}

// Not even a decision that this log has: the answer would be taken for the word of a later start,
// which has seen all that this participant has heard of the earlier one.
TEST_F(LogIdentityTest, AWitnessOfMoreIsToldNothing) {
    begin();
    const Gid gid = commit("1");
    const auto told = [&](const Seen& seen) {
        http::Request request{.method = "GET"};
        request.path_parameters["gid"] = to_text(gid);
        request.query = {{"participant", "credit"},
                         {"log", to_text(seen.log)},
                         {"epoch", std::to_string(seen.epoch)},
                         {"start", to_text(seen.start)},
                         {"position", std::to_string(seen.position)}};
        return Json::parse(tell_decision(*service_, request).body)["decision"];
    };
    Seen more = here();
    EXPECT_EQ(told(more), "commit");
    more.position += 1;
    EXPECT_EQ(told(more), "pending");
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

// --- rules 8 to 13: restored logs and successors ---

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
