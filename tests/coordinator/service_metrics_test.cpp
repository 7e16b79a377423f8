// What the coordinator's metrics say after traffic that a test turned by hand.
#include "coordinator/service.hpp"
#include "http/json.hpp"
#include "tests/recovery/manual_surroundings.hpp"
#include "tests/recovery/scraped.hpp"

#include <gtest/gtest.h>

#include <cassert>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <regex>
#include <stdlib.h>
#include <string>
#include <vector>

namespace twophase::coordinator {
namespace {

using namespace std::chrono_literals;
using http::Json;
using recovery::testing::Scraped;

/// A loop, a writer and two clocks that stand still until they are turned.
class Turned : public recovery::testing::ManualSurroundings {
public:
    std::int64_t wall_microseconds() const override {
        return ManualSurroundings::wall_microseconds() + now().count() * 1'000;
    }
    void post(std::function<void()> function) override { posted_.push_back(std::move(function)); }
    wal::StoreOptions store_options() const override {
        wal::StoreOptions options;
        options.is_stepped = true;
        options.any_filesystem = true;
        return options;
    }
    /// What waits holds on to who asked for it.
    void forget() {
        posted_.clear();
        calls.clear();
    }
    bool run_posted() {
        if (posted_.empty()) return false;
        const auto function = std::move(posted_.front());
        posted_.pop_front();
        function();
        return true;
    }

private:
    std::deque<std::function<void()>> posted_;
};

/// What a participant says to a message about one branch: its status and the members beside gid and
/// branch_id. Status 0: nobody is there.
struct Said {
    unsigned status = 200;
    Json members;
};
using Participant = std::function<Said(const std::string& verb, const Json& message)>;

Said agrees(const std::string& verb, const Json&) {
    if (verb == "prepare") return {200, {{"vote", "prepared"}}};
    if (verb == "execute") return {200, {{"vote", "executed"}}};
    return {200, {{"state", verb == "commit" ? "committed" : "rolled_back"}}};
}

Said refuses_coupons(const std::string& verb, const Json& message) {
    if (verb != "prepare" || message["participant"] != "coupon") return agrees(verb, message);
    return {409, {{"code", "refused"}, {"message", "sold out"}, {"reason", "sold_out"}}};
}

Config config() {
    Config config;
    config.map_bytes = std::size_t{1} << 26;
    for (const char* name : {"credit", "coupon"})
        config.participants[name] = {
            .endpoint = http::Endpoint::parse("http://127.0.0.1:1/v1/branches").value(),
            .takes_arrays = true};
    return config;
}

class ServiceMetricsTest : public testing::Test {
protected:
    ServiceMetricsTest() {
        std::string folder = (std::filesystem::temp_directory_path() / "metrics-XXXXXX").string();
        assert(::mkdtemp(folder.data()) != nullptr);
        config_.data = folder;
        service_ = std::make_unique<Service>(
            around_, config_, [](int, const std::string& why) { ADD_FAILURE() << why; });
        service_->open();
        service_->start();
        run();
    }
    ~ServiceMetricsTest() override {
        service_->stop();
        around_.forget();
        service_.reset();
        std::filesystem::remove_all(config_.data);
    }

    Admitted submit(const std::string& id,
                    Mode mode = Mode::two_phase,
                    std::optional<std::uint32_t> max_retries = std::nullopt) {
        Submission submission{.mode = mode,
                              .key = {.code = "order", .id = id},
                              .vote_timeout = mode == Mode::two_phase ? 5'000ms : 0ms};
        for (const char* name : {"credit", "coupon"})
            submission.branches.push_back({.branch_id = name,
                                           .participant = name,
                                           .operation = "do",
                                           .payload = "{}",
                                           .max_retries = max_retries});
        return service_->submit(std::move(submission));
    }

    /// Commits and posts until nothing is left to do; calls wait for answer().
    void run() {
        while (service_->log().store().step(4'096) > 0 || around_.run_posted()) {
        }
    }
    /// Answers every call that waits now.
    void answer(const Participant& participant = agrees) {
        auto calls = std::exchange(around_.calls, {});
        for (auto& sent : calls) sent.done(answer_to(sent.call, participant));
        run();
    }
    void pass(recovery::Time time) {
        around_.pass(time);
        run();
    }
    /// Until nobody waits for an answer.
    void finish(const Participant& participant = agrees) {
        run();
        while (!around_.calls.empty()) answer(participant);
    }

    Scraped scrape() const { return Scraped(service_->metrics().text()); }

    Turned around_;
    Config config_ = config();
    std::unique_ptr<Service> service_;

private:
    static http::Result<http::Response> answer_to(const http::Call& call,
                                                  const Participant& participant) {
        if (call.method == "GET") return http::Response{.body = R"({"items":[],"next":null})"};
        const std::string verb = call.target.substr(1);
        const Json body = Json::parse(call.body);
        Json answers = Json::array();
        for (const Json& message : body.is_array() ? body : Json::array({body})) {
            const Said said = participant(verb, message);
            if (said.status == 0) return http::Errc::unreachable;
            Json one = said.members;
            one["gid"] = message["gid"];
            one["branch_id"] = message["branch_id"];
            if (!body.is_array()) return http::Response{.status = said.status, .body = one.dump()};
            one["status"] = said.status;
            answers.push_back(std::move(one));
        }
        return http::Response{.body = answers.dump()};
    }
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
    answer();
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
    const Config with = config();
    Service service(around, with, [](int, const std::string&) {});
    const Scraped scraped(service.metrics().text());
    EXPECT_EQ(scraped[R"(twophase_submissions_total{result="new"})"], 0);
    EXPECT_FALSE(scraped.has("twophase_transactions_in_doubt"));
}

}  // namespace
}  // namespace twophase::coordinator
