// What the coordinator's metrics say after traffic that a test turned by hand.
#include "tests/coordinator/turned_service.hpp"
#include "tests/recovery/scraped.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <regex>
#include <string>
#include <vector>

namespace twophase::coordinator {
namespace {

using recovery::testing::Scraped;

class ServiceMetricsTest : public TurnedService {
protected:
    Scraped scrape() const { return Scraped(service_->metrics().text()); }
};

TEST_F(ServiceMetricsTest, ACommitIsCountedAndTimed) {
    submit("1");
    run();
    around_.pass(20ms);
    answer();  // the first sweep
    while (scrape()["twophase_transaction_decision_duration_seconds_count{decision=\"commit\","
                    "mode=\"two_phase\"}"] == 0)
        answer();
    around_.pass(30ms);
    finish();
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped[R"(twophase_submissions_total{result="new"})"], 1);
    EXPECT_EQ(scraped[R"(twophase_transactions_total{mode="two_phase",outcome="committed"})"], 1);
    EXPECT_EQ(scraped.sum("twophase_transactions_total"), 1);
    EXPECT_DOUBLE_EQ(scraped["twophase_transaction_decision_duration_seconds_sum{decision="
                             "\"commit\",mode=\"two_phase\"}"],
                     0.02);
    EXPECT_EQ(scraped["twophase_transaction_duration_seconds_count{mode=\"two_phase\"}"], 1);
    EXPECT_DOUBLE_EQ(scraped["twophase_transaction_duration_seconds_sum{mode=\"two_phase\"}"],
                     0.05);
    for (const std::string participant : {"credit", "coupon"}) {
        const std::string labels = "participant=\"" + participant + "\"";
        EXPECT_EQ(scraped["twophase_calls_total{outcome=\"yes\"," + labels + ",verb=\"prepare\"}"],
                  1);
        EXPECT_EQ(scraped["twophase_calls_total{outcome=\"done\"," + labels + ",verb=\"commit\"}"],
                  1);
        EXPECT_EQ(scraped["twophase_lane_request_calls_count{" + labels + "}"], 2);
        EXPECT_EQ(scraped["twophase_lane_request_calls_sum{" + labels + "}"], 2);
        EXPECT_DOUBLE_EQ(
            scraped["twophase_lane_request_duration_seconds_sum{" + labels + ",verb=\"commit\"}"],
            0.03);
        EXPECT_EQ(scraped["twophase_lane_depth{" + labels + "}"], 0);
        EXPECT_EQ(scraped["twophase_call_retries_total{" + labels + "}"], 0);
    }
    EXPECT_EQ(scraped.sum("twophase_calls_total"), 4);
    EXPECT_EQ(scraped.sum("twophase_transactions_live"), 0);
    EXPECT_EQ(scraped["twophase_transactions_in_doubt"], 0);
    EXPECT_EQ(scraped["twophase_transactions_in_doubt_oldest_age_seconds"], 0);
}

TEST_F(ServiceMetricsTest, ARefusalIsARollback) {
    submit("1");
    finish(refuses_coupons);
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped[R"(twophase_transactions_total{mode="two_phase",outcome="rolled_back"})"], 1);
    EXPECT_EQ(scraped.sum("twophase_transactions_total"), 1);
    EXPECT_EQ(scraped[R"(twophase_calls_total{outcome="no",participant="coupon",verb="prepare"})"],
              1);
    EXPECT_EQ(scraped["twophase_transaction_decision_duration_seconds_count{decision=\"rollback\","
                      "mode=\"two_phase\"}"],
              1);
}

TEST_F(ServiceMetricsTest, WhatIsLiveIsInDoubtAndAges) {
    answer();
    submit("1");
    run();
    pass(2'000ms);
    submit("2");
    run();
    pass(1'000ms);
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped[R"(twophase_transactions_live{mode="two_phase",phase="preparing"})"], 2);
    EXPECT_EQ(scraped.sum("twophase_transactions_live"), 2);
    EXPECT_EQ(scraped["twophase_transactions_in_doubt"], 2);
    EXPECT_DOUBLE_EQ(scraped["twophase_transactions_in_doubt_oldest_age_seconds"], 3);
    EXPECT_EQ(scraped[R"(twophase_lane_depth{participant="credit"})"], 2);
    EXPECT_EQ(scraped[R"(twophase_lane_requests_in_flight{participant="credit"})"], 2);
}

TEST_F(ServiceMetricsTest, CallsThatLeaveTogetherAreOneRequest) {
    answer();
    for (const char* id : {"1", "2", "3"}) submit(id);
    finish();
    const Scraped scraped = scrape();
    const std::string name = "twophase_lane_request_calls";
    EXPECT_EQ(scraped[name + R"(_count{participant="credit"})"], 2);
    EXPECT_EQ(scraped[name + R"(_sum{participant="credit"})"], 6);
    EXPECT_EQ(scraped[name + R"(_bucket{participant="credit",le="2"})"], 0);
}

TEST_F(ServiceMetricsTest, WhoGivesNoAnswerIsAskedAgainAndShown) {
    hear();
    submit("1", Mode::saga);
    run();
    const Participant silent = [](const auto&, const Json&) { return Said{0, {}}; };
    for (int i = 0; i < 3; ++i) {
        answer(silent);
        pass(10'000ms);
    }
    const Scraped scraped = scrape();
    const double retries = scraped[R"(twophase_call_retries_total{participant="credit"})"];
    EXPECT_GE(retries, 2);
    EXPECT_EQ(
        scraped[R"(twophase_calls_total{outcome="unclear",participant="credit",verb="execute"})"],
        3);
    EXPECT_EQ(scraped[R"(twophase_lane_breaker_open{participant="credit"})"], 1);
    EXPECT_EQ(scraped[R"(twophase_alerts_total{kind="breaker_open"})"], 2) << "credit and coupon";
}

TEST_F(ServiceMetricsTest, ADeadLetterIsCountedAndWaitsForAPerson) {
    answer();
    const Participant no_coupons = [](const std::string& verb, const Json& message) {
        return message["participant"] == "coupon" ? Said{500, Json::object()}
                                                  : agrees(verb, message);
    };
    submit("1", Mode::eventual, 0);
    finish(no_coupons);
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped["twophase_dead_letters_total"], 1);
    EXPECT_EQ(scraped["twophase_dead_letters_waiting"], 1);
    EXPECT_EQ(scraped[R"(twophase_alerts_total{kind="dead_letter"})"], 1);
    EXPECT_EQ(scraped.sum("twophase_transactions_live"), 1);
    EXPECT_EQ(scraped["twophase_transactions_in_doubt"], 0);
    EXPECT_EQ(scraped["twophase_transaction_decision_duration_seconds_count{decision=\"commit\","
                      "mode=\"eventual\"}"],
              1);
    EXPECT_EQ(scraped.sum("twophase_transactions_total"), 0) << "it has not ended";
}

// What a person did is told each time, and what came of it.
TEST_F(ServiceMetricsTest, ADeliveryThatDiesAgainIsToldAgain) {
    answer();
    Json undone;
    const Participant no_coupons = [&](const std::string& verb, const Json& message) {
        if (verb == "compensate") undone = message;
        const bool fails = verb == "execute" && message["participant"] == "coupon";
        return fails ? Said{500, Json::object()} : agrees(verb, message);
    };
    const Gid gid = submit("1", Mode::eventual, 0).gid;
    finish(no_coupons);
    const auto say = [&](const char* how, const char* reason) {
        const Service::Resolving resolving = service_->resolve({gid, 1, how, "ann", reason});
        EXPECT_EQ(resolving.result, Service::ResolveResult::accepted) << how;
        finish(no_coupons);
    };
    say("retry", "the shop is repaired");
    const Scraped dead_again = scrape();
    EXPECT_EQ(dead_again["twophase_dead_letters_waiting"], 1);
    EXPECT_EQ(dead_again[R"(twophase_alerts_total{kind="dead_letter"})"], 2);
    say("discarded", "the customer has his money back");
    EXPECT_EQ(scrape()[R"(twophase_alerts_total{kind="resolved_by_hand"})"], 2);
    EXPECT_EQ(undone.at("reason").at("code"), "discarded");
    EXPECT_EQ(undone.at("reason").at("message"), "the customer has his money back");
}

class InDoubtAlertTest : public ServiceMetricsTest {
protected:
    InDoubtAlertTest() {
        config_.in_doubt_alert = 30'000ms;
        restart();
    }
    void restart() {
        crash();
        start();
        answer();
    }
    double alerts() const { return scrape()[R"(twophase_alerts_total{kind="in_doubt"})"]; }
    void leave_in_doubt(const std::string& id) {
        submit(id);
        run();
        const Participant silent = [](const auto&, const Json&) { return Said{0, {}}; };
        for (int i = 0; i < 5; ++i) {
            answer(silent);
            pass(10'000ms);
        }
    }
};

// Ids may be far ahead of the clock: after many starts, or one second in which it was wrong.
TEST_F(InDoubtAlertTest, IdsThatAreAheadOfTheClockAreOldInTimeToo) {
    for (int i = 0; i < 20; ++i) restart();
    leave_in_doubt("1");
    EXPECT_EQ(alerts(), 1);
    EXPECT_GE(scrape()["twophase_transactions_in_doubt_oldest_age_seconds"], 30);
}

TEST_F(InDoubtAlertTest, ManyThatNobodyWaitsForHideNoneThatIsStuck) {
    const Participant no_coupons = [&](const std::string& verb, const Json& message) {
        return message["participant"] == "coupon" ? Said{500, Json::object()}
                                                  : agrees(verb, message);
    };
    for (int i = 0; i < 1'500; ++i) submit(std::to_string(i), Mode::eventual, 1'000);
    finish(no_coupons);
    leave_in_doubt("stuck");
    EXPECT_EQ(alerts(), 1);
}

TEST_F(ServiceMetricsTest, FailedTriesOfADeliveryAreCounted) {
    answer();
    int left = 2;
    const Participant slow_coupons = [&](const std::string& verb, const Json& message) {
        const bool fails = message["participant"] == "coupon" && left > 0 && left-- > 0;
        return fails ? Said{500, Json::object()} : agrees(verb, message);
    };
    submit("1", Mode::eventual, 3);
    finish(slow_coupons);
    for (int i = 0; i < 3; ++i) {
        pass(60'000ms);
        finish(slow_coupons);
    }
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped["twophase_delivery_failures_total"], 2);
    EXPECT_EQ(scraped["twophase_dead_letters_total"], 0);
    EXPECT_EQ(scraped[R"(twophase_transactions_total{mode="eventual",outcome="committed"})"], 1);
}

TEST_F(ServiceMetricsTest, RepeatsAreCountedAtTheDoor) {
    submit("1");
    submit("1");
    finish();
    EXPECT_EQ(submit("1").kind, Admitted::Kind::repeat);
    const Scraped scraped = scrape();
    EXPECT_EQ(scraped[R"(twophase_submissions_total{result="new"})"], 1);
    EXPECT_EQ(scraped[R"(twophase_submissions_total{result="repeat"})"], 2);
    EXPECT_EQ(scraped.sum("twophase_submissions_total"), 3);
}

TEST_F(ServiceMetricsTest, TheStoreTellsItsCommitsAndItsRoom) {
    submit("1");
    finish();
    const Scraped scraped = scrape();
    const wal::Store& store = service_->log().store();
    EXPECT_EQ(scraped["twophase_store_commits_total"], static_cast<double>(store.commits()));
    EXPECT_EQ(scraped["twophase_store_batch_jobs_count"], static_cast<double>(store.commits()));
    EXPECT_EQ(scraped["twophase_store_batch_jobs_sum"], static_cast<double>(store.jobs()));
    EXPECT_EQ(scraped["twophase_store_sync_duration_seconds_count"],
              static_cast<double>(store.commits()));
    EXPECT_EQ(scraped["twophase_store_map_bytes"], static_cast<double>(config_.map_bytes));
    EXPECT_GT(scraped["twophase_store_used_bytes"], 0);
    EXPECT_EQ(scraped["twophase_store_has_room"], 1);
}

TEST_F(ServiceMetricsTest, NoLabelHoldsWhatAClientSent) {
    submit("a-business-id");
    finish(refuses_coupons);
    submit("another", Mode::eventual, 0);
    finish([](const auto&, const Json&) { return Said{500, Json::object()}; });
    const std::string text = service_->metrics().text();
    EXPECT_FALSE(std::regex_search(text, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-")));
    EXPECT_EQ(text.find("business"), std::string::npos);
    EXPECT_EQ(text.find("order"), std::string::npos);
}

TEST(EarlyMetricsTest, AreToldBeforeTheLogIsOpen) {
    Turned around;
    const Config with = two_participants();
    Service service(around, with, [](int, const std::string&) {});
    const Scraped scraped(service.metrics().text());
    EXPECT_EQ(scraped[R"(twophase_submissions_total{result="new"})"], 0);
    EXPECT_FALSE(scraped.has("twophase_transactions_in_doubt"));
}

}  // namespace
}  // namespace twophase::coordinator
