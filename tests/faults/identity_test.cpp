// The runbook of a coordinator's log that was lost, copied, doubled, restored or moved, with the
// real programs.
#include "tests/faults/books.hpp"
#include "tests/faults/runbook.hpp"
#include "tests/recovery/scraped.hpp"

#include <filesystem>
#include <fstream>
#include <utility>

namespace twophase::faults {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int replaced = 4;  // exit codes
constexpr int other_log = 6;

class LostLogTest : public Runbook {
protected:
    /// The log is gone; what comes next starts with an empty folder.
    void lose() {
        end_in_the_middle();
        fs::rename(coordinator_.data(), place("lost"));
    }
    void put_back() {
        if (coordinator_.is_running()) coordinator_.kill();
        fs::remove_all(coordinator_.data());
        fs::rename(place("lost"), coordinator_.data());
    }
    /// What a person does: reads the lost log's identity off the refused start.
    std::string identity_told() {
        std::ifstream file(coordinator_.log_file());
        std::string identity;
        const std::string before = "listens to log ";
        for (std::string line; std::getline(file, line);)
            if (const auto at = line.find(before); at != std::string::npos)
                identity = line.substr(at + before.size(), 32);
        return identity;
    }
    void succeed() {
        expect_end(coordinator_, other_log);
        const Said said = recoveryctl({"succeed",
                                       "--data",
                                       coordinator_.data().string(),
                                       "--of",
                                       identity_told(),
                                       "--reason",
                                       "the volume is gone",
                                       "--yes"});
        ASSERT_EQ(said.exit_code, 0) << said.text;
        coordinator_.start();
        ASSERT_TRUE(coordinator_.wait_ready());
        EXPECT_TRUE(eventually(30s, [&] { return log().at("unlisted").empty(); })) << log();
    }
    Said ctl(std::vector<std::string> words) {
        words.insert(words.end(), {"--coordinator", coordinator_.endpoint()});
        return recoveryctl(words);
    }
    void accept() {
        const Said said = ctl({"accept", "--reason", "settled, books compared"});
        ASSERT_EQ(said.exit_code, 0) << said.text;
        EXPECT_EQ(log_state(), "open");
    }
};

TEST_F(LostLogTest, AnEmptyFolderEndsAtEveryStartAndPuttingTheLogBackHealsAll) {
    const std::string true_log = log().at("log");
    submit("before");
    half_deliver("order");
    lose();
    const Json held = holdings();
    for (int start = 0; start < 4; ++start) expect_end(coordinator_, other_log);
    EXPECT_EQ(holdings(), held);
    const std::string said = coordinator_.log_tail();
    EXPECT_EQ(identity_told(), true_log) << said;
    const auto own = said.find("not to ");
    ASSERT_NE(own, std::string::npos) << said;
    const std::string new_log = said.substr(own + 7, 32);
    EXPECT_NE(said.find("log " + new_log + ", start"), std::string::npos) << said;
    EXPECT_NE(said.find("Put the folder of the other log back"), std::string::npos) << said;
    EXPECT_NE(said.find("recoveryctl succeed --data " + coordinator_.data().string()),
              std::string::npos)
        << said;
    EXPECT_NE(said.find("recoveryctl forget-log"), std::string::npos) << said;
    // Whoever answers first ends it; in an hour each is told of once.
    for (const char* name : {"credit", "coupon"})
        EXPECT_LE(count_in_log(coordinator_, std::string("ALERT other_log ") + name), 1U);
    EXPECT_GE(count_in_log(coordinator_, "ALERT other_log"), 1U);
    put_back();
    fleet_.start_all();
    expect_all_well();
    EXPECT_EQ(log_state(), "open");
    EXPECT_EQ(submit("after").at("decision"), "commit");
    expect_all_well();
}

TEST_F(LostLogTest, ANewFolderForEveryStartChangesNothingEither) {
    half_deliver("order");
    lose();
    const Json held = holdings();
    for (int start = 0; start < 3; ++start) {
        fs::remove_all(coordinator_.data());
        expect_end(coordinator_, other_log);
    }
    EXPECT_EQ(holdings(), held);
    put_back();
    fleet_.start_all();
    expect_all_well();
}

TEST_F(LostLogTest, ASuccessorOnlyReadsAndSaysSoUntilItIsAccepted) {
    submit("before");
    const std::string lost_log = log().at("log");
    const std::string gid = half_deliver("order");
    lose();
    const Json held = holdings();
    succeed();
    EXPECT_EQ(log_state(), "unaccepted");
    EXPECT_EQ(log().at("replaces"), Json::array({lost_log}));
    const Json ready = ask_json(coordinator_, "GET", "/readyz");
    EXPECT_EQ(ready.at("status"), "closed") << ready;
    const Said shown = ctl({"log"});
    EXPECT_EQ(shown.exit_code, 0);
    EXPECT_NE(shown.text.find("state: unaccepted"), std::string::npos) << shown.text;
    EXPECT_NE(shown.text.find("the volume is gone"), std::string::npos) << shown.text;
    const Said lost = ctl({"lost"});
    EXPECT_EQ(lost.exit_code, 1) << lost.text;
    EXPECT_NE(lost.text.find(gid), std::string::npos) << lost.text;
    EXPECT_EQ(refused("new"), "503 log-closed");
    EXPECT_EQ(refusal_of(send_to_credit_alone("new")), "503 log-closed");
    expect_inquiries_to_be_answered_pending();
    EXPECT_EQ(ask_json(coordinator_, "GET", "/v1/transactions/" + gid + "/decision").at("decision"),
              "pending");
    EXPECT_EQ(holdings(), held);
    for (const Program* each : {&credit_, &coupon_}) EXPECT_EQ(known_log(*each), lost_log);
}

TEST_F(LostLogTest, WhatWasLostIsSettledItsKeysAreTakenAndTheBooksAgree) {
    submit("before");
    const std::string proven = half_deliver("proven");
    const std::string unproven = deliver_nowhere("unproven");
    lose();
    succeed();
    const auto refusal = send(coordinator_, "unproven");
    EXPECT_EQ(refusal_of(refusal), "409 lost-business-key");
    const Json named = Json::parse(refusal.body);
    EXPECT_EQ(named.at("gid"), unproven);
    EXPECT_EQ(named.at("branches").size(), 2U) << named;
    EXPECT_EQ(named.at("branches").at(0).at("state"), "prepared") << named;
    EXPECT_EQ(refused("proven"), "409 lost-business-key");
    EXPECT_EQ(ctl({"settle-proven", "--reason", "credit has it"}).text, "2 settled\n")
        << "this one, and what was committed before";
    EXPECT_EQ(refused("unproven"), "409 lost-business-key");
    const Said resolved =
        ctl({"resolve", unproven, "--how", "commit", "--reason", "the client has it", "--yes"});
    EXPECT_EQ(resolved.exit_code, 0) << resolved.text;
    EXPECT_EQ(ctl({"lost"}).exit_code, 0) << ctl({"lost"}).text;
    EXPECT_GE(in_doubt(coupon_), 2U) << "nothing is sent before it is accepted";
    accept();
    expect_all_well();
    EXPECT_EQ(submit("proven").at("idempotent"), true);
    EXPECT_EQ(submit("unproven").at("idempotent"), true);
    EXPECT_EQ(submit("after").at("decision"), "commit");
    expect_all_well();
    for (const Program* each : {&credit_, &coupon_})
        EXPECT_EQ(known_log(*each), log().at("log").get<std::string>());
}

TEST_F(LostLogTest, ParticipantsReconcileWithASuccessorWithoutFindings) {
    for (const char* id : {"1", "2", "3"}) submit(id);
    half_deliver("proven");
    lose();
    succeed();
    EXPECT_EQ(ctl({"settle-proven", "--reason", "credit has it"}).exit_code, 0);
    accept();
    expect_all_well();
    for (const Program* each : {&credit_, &coupon_}) {
        const Json report = ask_json(*each, "POST", "/v1/reconciliation", Json::object());
        EXPECT_EQ(report.at("found"), 0) << report;
        EXPECT_EQ(report.at("complete"), true) << report;
    }
}

TEST_F(LostLogTest, AcceptedUnsettledItStillRefusesTheKeysAndTellsNobodyAnOutcome) {
    const std::string unproven = deliver_nowhere("unproven");
    lose();
    succeed();
    accept();
    EXPECT_TRUE(eventually(30s, [&] { return send(coordinator_, "after").status == 200; }));
    submit("after");
    EXPECT_EQ(refused("unproven"), "409 lost-business-key");
    EXPECT_TRUE(eventually(30s, [&] { return in_doubt(credit_) == 1 && in_doubt(coupon_) == 1; }));
    expect_inquiries_to_be_answered_pending();
    coordinator_.kill();
    fleet_.start_all();
    EXPECT_TRUE(gets("open"));
    EXPECT_EQ(refused("unproven"), "409 lost-business-key") << "it stays so over a restart";
    expect_inquiries_to_be_answered_pending();
    EXPECT_EQ(ctl({"resolve", unproven, "--how", "commit", "--reason", "told", "--yes"}).exit_code,
              0);
    expect_all_well();
}

TEST_F(LostLogTest, TheLostStoreFoundAgainEndsAndIsReadAsEvidence) {
    const std::string proven = half_deliver("proven");
    lose();
    succeed();
    EXPECT_EQ(ctl({"settle-proven", "--reason", "credit has it"}).exit_code, 0);
    accept();
    expect_all_well();
    coordinator_.kill();
    fs::rename(coordinator_.data(), place("successor"));
    fs::rename(place("lost"), coordinator_.data());
    const Json held = holdings();
    for (int start = 0; start < 3; ++start) expect_end(coordinator_, replaced);
    EXPECT_EQ(holdings(), held);
    EXPECT_NE(coordinator_.log_tail().find("took the place of"), std::string::npos);
    const Said shown = recoveryctl({"show", proven, "--data", coordinator_.data().string()});
    EXPECT_EQ(shown.exit_code, 0) << shown.text;
    EXPECT_EQ(recoveryctl({"list", "--data", coordinator_.data().string()}).exit_code, 0);
    fs::rename(coordinator_.data(), place("lost"));
    fs::rename(place("successor"), coordinator_.data());
    fleet_.start_all();
    expect_all_well();
    EXPECT_EQ(submit("after").at("decision"), "commit");
    expect_all_well();
}

TEST_F(LostLogTest, AParticipantThatWasDownDuringTheSuccessionMovesOverByItself) {
    submit("before");
    half_deliver("proven");
    lose();
    expect_end(coordinator_, other_log);
    coupon_.kill();
    const std::string lost_log = identity_told();
    ASSERT_EQ(recoveryctl({"succeed",
                           "--data",
                           coordinator_.data().string(),
                           "--of",
                           lost_log,
                           "--reason",
                           "gone",
                           "--yes"})
                  .exit_code,
              0);
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    EXPECT_TRUE(eventually(30s, [&] { return log().at("unlisted") == Json::array({"coupon"}); }));
    EXPECT_EQ(ctl({"settle-proven", "--reason", "credit has it"}).exit_code, 0);
    const Said refusal = ctl({"accept", "--reason", "now"});
    EXPECT_EQ(refusal.exit_code, 1) << refusal.text;
    EXPECT_EQ(ctl({"accept", "--reason", "now", "--leave-out", "coupon"}).exit_code, 0);
    EXPECT_EQ(log_state(), "open");
    EXPECT_TRUE(eventually(30s, [&] { return send_to_credit_alone("meanwhile").status == 200; }));
    coupon_.start();
    ASSERT_TRUE(coupon_.wait_ready());
    EXPECT_TRUE(eventually(30s, [&] {
        return known_log(coupon_) == log().at("log").get<std::string>();
    })) << coordinator_.log_tail();
    expect_all_well();
    EXPECT_EQ(submit("after").at("decision"), "commit");
}

// --- another log in its place ---

class WrongFolderTest : public LostLogTest {};

TEST_F(WrongFolderTest, AStoreOfAnotherCoordinatorIsRefused) {
    half_deliver("order");
    lose();
    {
        Program other = another_coordinator("other", {"--id", "other"});
        other.start();
        ASSERT_TRUE(other.wait_ready());
        other.terminate();
    }
    fs::rename(place("other") / "coordinator", coordinator_.data());
    const Json held = holdings();
    coordinator_.start();
    const auto ending = coordinator_.wait_end(30s);
    ASSERT_TRUE(ending);
    EXPECT_NE(ending->exit_code, 0);
    EXPECT_NE(coordinator_.log_tail().find("belongs to coordinator \"other\""), std::string::npos)
        << coordinator_.log_tail();
    EXPECT_EQ(holdings(), held);
    put_back();
    fleet_.start_all();
    expect_all_well();
}

TEST_F(WrongFolderTest, ALogOfTheSameIdThatOthersListenToHoldsItsLanesAndChangesNothing) {
    Fleet staging(quick());
    staging.start_all();
    open_books(staging);
    EXPECT_EQ(ask_json(staging.coordinator,
                       "POST",
                       "/v1/transactions",
                       Load::request_of(exchange_of("staging")))
                  .at("decision"),
              "commit");
    staging.coordinator.terminate();
    half_deliver("order");
    lose();
    copy_raw(staging.coordinator.data(), coordinator_.data());
    const Json held = holdings();
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    EXPECT_TRUE(eventually(
        30s, [&] { return !held_for("credit").empty() && !held_for("coupon").empty(); }));
    EXPECT_EQ(refused("new"), "503 participant-held");
    expect_inquiries_to_be_answered_pending();
    EXPECT_EQ(holdings(), held);
    EXPECT_EQ(count_in_log(coordinator_, "ALERT other_log credit"), 1U);
    put_back();
    fleet_.start_all();
    expect_all_well();
}

// --- two logs with one identity ---

class CopiedLogTest : public LostLogTest {
protected:
    /// As it is now. Its coordinator runs, and rests: what it wrote is in the file.
    void copy() { copy_raw(coordinator_.data(), place("copy")); }
    /// The original is gone, and the copy stands in its place.
    void use_copy() {
        lose();
        copy_raw(place("copy"), coordinator_.data());
    }
};

TEST_F(CopiedLogTest, ACopyTakenBeforeADecisionIsBehindAndTheTrueOneHealsAll) {
    submit("before");
    copy();
    for (int i = 0; i < 20; ++i) submit(std::to_string(i));
    half_deliver("order");
    use_copy();
    const Json held = holdings();
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    ASSERT_TRUE(gets("behind")) << log();
    EXPECT_EQ(ask_json(coordinator_, "GET", "/readyz").at("status"), "closed");
    EXPECT_EQ(refused("new"), "503 log-closed");
    expect_inquiries_to_be_answered_pending();
    EXPECT_EQ(holdings(), held);
    put_back();
    fleet_.start_all();
    expect_all_well();
}

// A start writes as well: its position soon is where the true log had been.
TEST_F(CopiedLogTest, ACopyThatLacksOneTransactionAloneIsBehindToo) {
    submit("before");
    copy();
    half_deliver("order");
    use_copy();
    const Json held = holdings();
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    ASSERT_TRUE(gets("behind")) << log();
    EXPECT_EQ(refused("new"), "503 log-closed");
    expect_inquiries_to_be_answered_pending();
    EXPECT_EQ(holdings(), held);
    put_back();
    fleet_.start_all();
    expect_all_well();
}

TEST_F(CopiedLogTest, ACopyStaysBehindHoweverOftenItIsStartedOrRead) {
    copy();
    for (const char* id : {"1", "2", "3"}) submit(id);
    half_deliver("order");
    use_copy();
    const Json held = holdings();
    for (int i = 0; i < 12; ++i) {
        coordinator_.start();
        ASSERT_TRUE(coordinator_.wait_ready());
        ASSERT_TRUE(gets("behind")) << "start " << i << log();
        coordinator_.kill();
        EXPECT_EQ(recoveryctl({"list", "--data", coordinator_.data().string()}).exit_code, 0);
    }
    EXPECT_EQ(holdings(), held);
    put_back();
    fleet_.start_all();
    expect_all_well();
}

TEST_F(CopiedLogTest, ACopyStartedWhileTheOriginalLivesIsBehindAndTheOriginalWorksOn) {
    copy();
    for (int i = 0; i < 5; ++i) submit(std::to_string(i));
    copy_raw(place("copy"), place("second") / "coordinator");
    Program second = another_coordinator("second");
    second.start();
    ASSERT_TRUE(second.wait_ready());
    EXPECT_TRUE(eventually(
        30s, [&] { return ask_json(second, "GET", "/v1/log").at("state") == "behind"; }));
    EXPECT_EQ(refusal_of(send(second, "new")), "503 log-closed");
    EXPECT_EQ(refusal_of(send(second, "0")), "503 log-closed") << "a key that it lacks";
    for (int i = 5; i < 10; ++i) EXPECT_EQ(submit(std::to_string(i)).at("decision"), "commit");
    EXPECT_EQ(log_state(), "open");
    second.kill();
    expect_all_well();
}

/// Both are of the same moment, so that neither lacks anything when it starts.
class ReplicasTest : public CopiedLogTest {
protected:
    void start_second() {
        submit("before");
        expect_quiet(fleet_, 30s);
        coordinator_.terminate();  // what rests in memory is written
        copy_raw(coordinator_.data(), place("second") / "coordinator");
        fleet_.start_all();
        EXPECT_TRUE(gets("open"));
        EXPECT_EQ(submit("first").at("decision"), "commit");
        expect_quiet(fleet_, 30s);
    }
    /// Asks with a key as a client does that finds the one or the other.
    void ask_for(const Program& coordinator, const std::string& id) {
        const auto response =
            try_ask(coordinator, "POST", "/v1/transactions", Load::request_of(exchange_of(id)));
        if (!response) return;
        const Json answer = Json::parse(response->body, nullptr, false);
        if (!answer.contains("gid") || answer.value("decision", Json()) != "commit") return;
        Exchange& exchange = exchanges_.emplace(id, exchange_of(id)).first->second;
        exchange.told.insert("commit");
        exchange.gids.insert(answer["gid"].get<std::string>());
    }
    static std::string state_of(const Program& program) {
        const auto answer = try_ask(program, "GET", "/v1/log");
        return answer ? Json::parse(answer->body, nullptr, false).value("state", "") : "ended";
    }
    /// What was charged and issued is what clients were told, each key once.
    void expect_each_key_once() {
        for (const auto& [id, exchange] : exchanges_)
            EXPECT_EQ(exchange.gids.size(), 1U) << id << " was committed twice";
        EXPECT_TRUE(
            eventually(60s, [&] { return in_doubt(credit_) == 0 && in_doubt(coupon_) == 0; }));
        const auto commits = static_cast<std::int64_t>(exchanges_.size());
        const Json account = ask_json(credit_, "GET", "/v1/accounts/u0/points");
        EXPECT_EQ(account.at("balance"), points_granted - price * commits) << account;
        EXPECT_EQ(account.at("frozen"), 0);
        const Json stock = ask_json(coupon_, "GET", "/v1/templates/spring");
        EXPECT_EQ(stock.at("issued"), commits) << stock;
        EXPECT_EQ(stock.at("reserved"), 0);
    }
};

TEST_F(ReplicasTest, TheOneThatStartsWhenTheOtherHasSpokenIsClosed) {
    start_second();
    Program second = another_coordinator("second");
    second.start();
    ASSERT_TRUE(second.wait_ready());
    EXPECT_TRUE(eventually(30s, [&] { return state_of(second) == "behind"; }));
    for (int i = 0; i < 6; ++i)
        for (const Program* each : {&second, &coordinator_}) ask_for(*each, std::to_string(i));
    EXPECT_EQ(exchanges_.size(), 8U) << "the true one works on";
    EXPECT_EQ(state_of(coordinator_), "open");
    second.kill();
    expect_each_key_once();
}

TEST_F(ReplicasTest, OfTwoThatStartAtOnceAtMostOneWorksAndNoKeyIsChargedTwice) {
    submit("before");
    expect_quiet(fleet_, 30s);
    coordinator_.terminate();
    copy_raw(coordinator_.data(), place("second") / "coordinator");
    Program second = another_coordinator("second");
    second.start();
    ASSERT_TRUE(second.wait_ready());
    fleet_.start_all();
    EXPECT_TRUE(gets("open"));
    for (int i = 0; i < 6; ++i) {
        const Program* first = i % 2 == 0 ? &coordinator_ : &second;
        const Program* then = i % 2 == 0 ? &second : &coordinator_;
        for (const Program* each : {first, then}) ask_for(*each, std::to_string(i));
    }
    // Participants listen to the one that their inquiry URL leads to.
    EXPECT_EQ(state_of(coordinator_), "open");
    EXPECT_NE(state_of(second), "open");
    EXPECT_EQ(exchanges_.size(), 7U) << "the other has carried out nothing";
    expect_each_key_once();
}

// It was heard when nobody had spoken, and then the original went on.
TEST_F(ReplicasTest, ACopyThatWasHeardBeforeTheOriginalSpokeWorksNever) {
    submit("before");
    expect_quiet(fleet_, 30s);
    const auto position = [&] { return log().at("position"); };
    Json last;
    ASSERT_TRUE(eventually(30s, [&] { return std::exchange(last, position()) == last; }));
    copy();
    copy_raw(place("copy"), place("second") / "coordinator");
    Program second = another_coordinator("second");
    second.start();
    ASSERT_TRUE(second.wait_ready());
    for (int i = 0; i < 6; ++i)
        for (const Program* each : {&coordinator_, &second}) ask_for(*each, std::to_string(i));
    EXPECT_NE(state_of(second), "open");
    expect_each_key_once();
}

// --- backups ---

class RestoredLogTest : public LostLogTest {
protected:
    void back_up() {
        const Said said = ctl({"backup", "--name", "monday"});
        ASSERT_EQ(said.exit_code, 0) << said.text;
    }
    void restore_to(const fs::path& to) {
        const Said said = recoveryctl({"restore",
                                       "--from",
                                       (place("backups") / "monday").string(),
                                       "--to",
                                       to.string(),
                                       "--yes"});
        ASSERT_EQ(said.exit_code, 0) << said.text;
    }
    void restore() {
        restore_to(coordinator_.data());
        coordinator_.start();
        ASSERT_TRUE(coordinator_.wait_ready());
    }
    bool is_all_listed() {
        return eventually(30s, [&] { return log().at("unlisted").empty(); });
    }
};

TEST_F(RestoredLogTest, ItWaitsListsWhatCameAfterItAndChargesNoKeyTwice) {
    submit("before");
    back_up();
    submit("after");
    half_deliver("proven");
    const std::string unproven = deliver_nowhere("unproven");
    lose();
    restore();
    EXPECT_EQ(log_state(), "unaccepted");
    EXPECT_EQ(refused("new"), "503 log-closed");
    EXPECT_TRUE(is_all_listed());
    EXPECT_EQ(ask_json(coordinator_, "GET", "/v1/lost").at("items").size(), 3U)
        << ctl({"lost"}).text;
    expect_inquiries_to_be_answered_pending();
    for (const char* id : {"after", "proven", "unproven"})
        EXPECT_EQ(refused(id), "409 lost-business-key") << id;
    EXPECT_EQ(ctl({"settle-proven", "--reason", "as they have it"}).text, "2 settled\n");
    EXPECT_EQ(ctl({"resolve", unproven, "--how", "commit", "--reason", "told", "--yes"}).exit_code,
              0);
    accept();
    expect_all_well();
    EXPECT_EQ(submit("new").at("decision"), "commit");
    expect_all_well();
    // The old log turns up.
    coordinator_.kill();
    fs::rename(coordinator_.data(), place("restored"));
    copy_raw(place("lost"), coordinator_.data());
    const Json held = holdings();
    for (int start = 0; start < 2; ++start) expect_end(coordinator_, replaced);
    EXPECT_EQ(holdings(), held);
    fs::remove_all(coordinator_.data());
    fs::rename(place("restored"), coordinator_.data());
    fleet_.start_all();
    expect_all_well();
}

TEST_F(RestoredLogTest, AParticipantThatIsAwayMeanwhileMovesOverByItself) {
    submit("before");
    back_up();
    half_deliver("proven");
    lose();
    coupon_.kill();
    restore();
    EXPECT_TRUE(eventually(30s, [&] { return log().at("unlisted") == Json::array({"coupon"}); }));
    EXPECT_EQ(ctl({"settle-proven", "--reason", "credit has it"}).exit_code, 0);
    EXPECT_EQ(ctl({"accept", "--reason", "now"}).exit_code, 1);
    EXPECT_EQ(ctl({"accept", "--reason", "now", "--leave-out", "coupon"}).exit_code, 0);
    coupon_.start();
    ASSERT_TRUE(coupon_.wait_ready());
    expect_all_well();
    EXPECT_EQ(known_log(coupon_), log().at("log").get<std::string>());
    EXPECT_EQ(submit("after").at("decision"), "commit");
    expect_all_well();
}

TEST_F(RestoredLogTest, AStagingRestoreLeavesProductionUndisturbed) {
    submit("before");
    back_up();
    submit("after");
    const std::string log_of_production = log().at("log");
    restore_to(place("staging") / "coordinator");
    Program staging = another_coordinator("staging");
    staging.start();
    ASSERT_TRUE(staging.wait_ready());
    EXPECT_TRUE(eventually(
        30s, [&] { return ask_json(staging, "GET", "/v1/log").at("unlisted").empty(); }));
    EXPECT_EQ(ask_json(staging, "GET", "/v1/log").at("state"), "unaccepted");
    Load load(coordinator_, {.clients = 8, .most_exchanges = 100, .prefix = "load"});
    load.start();
    EXPECT_TRUE(eventually(60s, [&] { return load.answered() >= 100; }));
    EXPECT_TRUE(load.finish(30s));
    exchanges_.insert(load.exchanges().begin(), load.exchanges().end());
    for (const Program* each : {&credit_, &coupon_}) {
        EXPECT_EQ(known_log(*each), log_of_production);
        for (const char* verb : {"prepare", "commit", "rollback"})
            EXPECT_EQ(metric(staging,
                             std::string("twophase_calls_total{outcome=\"done\",") +
                                 "participant=\"credit\",verb=\"" + verb + "\"}"),
                      0);
    }
    EXPECT_EQ(log_state(), "open");
    staging.terminate();
    coordinator_.kill();
    fleet_.start_all();
    EXPECT_TRUE(gets("open"));
    expect_all_well();
}

// --- moves ---

class MovedLogTest : public LostLogTest {};

TEST_F(MovedLogTest, AHandedOverLogGoesOnOpenWithNothingPending) {
    submit("before");
    half_deliver("order");
    end_in_the_middle();
    leave_undecided("undecided");
    const fs::path to = place("new") / "coordinator";
    Program moved = another_coordinator("new");
    const Said said = recoveryctl(
        {"hand-over", "--data", coordinator_.data().string(), "--to", to.string(), "--yes"});
    ASSERT_EQ(said.exit_code, 0) << said.text;
    const Json held = holdings();
    coordinator_.start();
    const auto ending = coordinator_.wait_end(30s);
    ASSERT_TRUE(ending);
    EXPECT_NE(ending->exit_code, 0);
    EXPECT_NE(coordinator_.log_tail().find("was handed over and never starts again: start " +
                                           to.string()),
              std::string::npos)
        << coordinator_.log_tail();
    EXPECT_EQ(holdings(), held);
    moved.start();
    ASSERT_TRUE(moved.wait_ready());
    lead_to(moved);
    EXPECT_TRUE(gets("open"));
    EXPECT_EQ(count_in_log(moved, "is not where its last start left it"), 0U);
    expect_all_well();
    EXPECT_EQ(submit("after").at("decision"), "commit");
    expect_all_well();
}

TEST_F(MovedLogTest, ACopiedFolderWorksOnceAllWereHeard) {
    submit("before");
    half_deliver("order");
    end_in_the_middle();
    leave_undecided("undecided");
    fs::rename(coordinator_.data(), place("old"));
    copy_raw(place("old"), coordinator_.data());
    fs::remove_all(place("old"));
    fleet_.start_all();
    EXPECT_TRUE(gets("open"));
    EXPECT_EQ(count_in_log(coordinator_, "is not where its last start left it"), 1U);
    expect_all_well();
    EXPECT_EQ(submit("undecided").at("decision"), "rollback");
    expect_all_well();
}

TEST_F(MovedLogTest, ACopiedFolderRollsNothingBackUntilTheOneWhoIsAwayWasHeard) {
    leave_undecided("undecided");
    coupon_.kill();
    fs::rename(coordinator_.data(), place("old"));
    copy_raw(place("old"), coordinator_.data());
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    EXPECT_TRUE(eventually(30s, [&] { return log().at("unheard") == Json::array({"coupon"}); }));
    EXPECT_EQ(log_state(), "moved");
    const std::string undecided = "twophase_inquiries_total{answer=\"undecided\"}";
    EXPECT_TRUE(eventually(30s, [&] { return metric(credit_, undecided) >= 3; }));
    EXPECT_EQ(in_doubt(credit_), 1U);
    coordinator_.kill();
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    EXPECT_EQ(log_state(), "moved") << "as long as nobody has heard the others";
    coupon_.start();
    ASSERT_TRUE(coupon_.wait_ready());
    EXPECT_TRUE(gets("open"));
    expect_all_well();
    EXPECT_EQ(submit("undecided").at("decision"), "rollback");
}

TEST_F(MovedLogTest, OrUntilItIsLeftOutByAPerson) {
    leave_undecided("undecided");
    coupon_.kill();
    fs::rename(coordinator_.data(), place("old"));
    copy_raw(place("old"), coordinator_.data());
    coordinator_.start();
    ASSERT_TRUE(coordinator_.wait_ready());
    EXPECT_TRUE(eventually(30s, [&] { return log().at("unheard") == Json::array({"coupon"}); }));
    EXPECT_EQ(ctl({"accept", "--reason", "coupon comes tomorrow"}).exit_code, 1);
    EXPECT_EQ(
        ctl({"accept", "--reason", "coupon comes tomorrow", "--leave-out", "coupon"}).exit_code, 0);
    EXPECT_TRUE(gets("open"));
    EXPECT_TRUE(eventually(30s, [&] { return in_doubt(credit_) == 0; }));
    coupon_.start();
    ASSERT_TRUE(coupon_.wait_ready());
    expect_all_well();
    EXPECT_EQ(submit("undecided").at("decision"), "rollback");
    expect_all_well();
}

// --- nothing was lost ---

TEST(OrdinaryCrashTest, OneQuestionToEachBeforeTheFirstNewTransaction) {
    Fleet fleet;  // with the default settings: the next sweep comes after half a minute
    fleet.start_all();
    open_books(fleet);
    const auto submit = [&](const char* id) {
        return ask_json(fleet.coordinator,
                        "POST",
                        "/v1/transactions",
                        Load::request_of({.business_id = id, .user = "u0", .price = 1}))
            .at("decision");
    };
    const auto questions_to = [](const Program& participant) {
        const recovery::testing::Scraped scraped(ask(participant, "GET", "/metrics").body);
        const std::string sample =
            R"(twophase_http_requests_total{method="GET",route="/v1/branches/in-doubt",status="200"})";
        return scraped.has(sample) ? scraped[sample] : 0;
    };
    EXPECT_EQ(submit("before"), "commit");
    expect_quiet(fleet, 30s);
    const double credit = questions_to(fleet.credit);
    const double coupon = questions_to(fleet.coupon);
    fleet.coordinator.kill();
    fleet.start_all();
    EXPECT_EQ(submit("after"), "commit");
    EXPECT_EQ(questions_to(fleet.credit), credit + 1);
    EXPECT_EQ(questions_to(fleet.coupon), coupon + 1);
}

}  // namespace
}  // namespace twophase::faults
