#include "recovery/alerts.hpp"

#include "http/json.hpp"
#include "http/settings.hpp"
#include "recovery/alert_titles.hpp"
#include "recovery/room_watch.hpp"
#include "tests/recovery/manual_surroundings.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace twophase::recovery {
namespace {

using namespace std::chrono_literals;
using http::Json;
using testing::ManualSurroundings;

AlertOptions to_a_webhook() {
    AlertOptions options;
    options.webhook = http::Endpoint::parse("http://127.0.0.1:9000/hook").value();
    options.source = "/coordinators/main";
    return options;
}

struct AlertsTest : ::testing::Test {
    void raise(const std::string& subject, const std::string& kind = "dead_letter") {
        alerts.raise({.kind = kind, .subject = subject, .text = "it broke", .data = ""});
    }
    /// The event of the call that left `at`th of those under way.
    Json event(std::size_t at = 0) { return Json::parse(around.calls.at(at).call.body); }

    ManualSurroundings around;
    Alerts alerts{around, to_a_webhook()};
};

TEST_F(AlertsTest, IsACloudEventInStructuredJson) {
    alerts.raise({.kind = "dead_letter",
                  .subject = "gid-1/2",
                  .text = "the coupon can't be delivered",
                  .data = R"({"attempts":4,"request":{"amount":30}})"});
    ASSERT_EQ(around.calls.size(), 1U);
    const http::Call& call = around.calls.front().call;
    EXPECT_EQ(call.method, "POST");
    EXPECT_EQ(call.content_type, "application/cloudevents+json");
    EXPECT_EQ(event(), Json::parse(R"({
        "specversion": "1.0",
        "id": "0000000000000004-1",
        "source": "/coordinators/main",
        "type": "twophase.alert.dead_letter",
        "subject": "gid-1/2",
        "time": "2024-07-11T12:09:35.584000Z",
        "datacontenttype": "application/json",
        "data": {
            "title": "Delivery given up, a person has to act",
            "text": "the coupon can't be delivered",
            "attempts": 4,
            "request": {"amount": 30}
        }
    })"));
}

TEST_F(AlertsTest, TakesAnyTextAndDataThatIsNone) {
    alerts.raise({.kind = "a \"kind\"", .subject = "", .text = "\xff\x01 broken", .data = "{no"});
    EXPECT_FALSE(event().contains("subject")) << "CloudEvents wants none rather than an empty one";
    EXPECT_EQ(event().at("data").at("title"), "a \"kind\"");
    EXPECT_EQ(event().at("data").at("details"), "{no");
}

TEST_F(AlertsTest, IsSentUntilTheWebhookSaysYesEachTimeWithTheSameId) {
    raise("a");
    const Json first = event();
    for (const unsigned status : {500U, 404U, 0U, 301U}) {
        around.answer(status);
        EXPECT_TRUE(around.calls.empty()) << "not at once";
        around.pass(60s);
        ASSERT_EQ(around.calls.size(), 1U) << status;
        EXPECT_EQ(event(), first);
    }
    around.answer(204);
    EXPECT_EQ(alerts.waiting(), 0U);
    around.pass(10min);
    EXPECT_TRUE(around.calls.empty());
}

TEST_F(AlertsTest, AWebhookThatAsksToBeLeftAloneIs) {
    raise("disk_low", "store");
    around.answer(503, "50");
    around.pass(49'999ms);
    EXPECT_TRUE(around.calls.empty());
    around.pass(1ms);
    EXPECT_EQ(around.calls.size(), 1U);
}

TEST_F(AlertsTest, OneThatTheWebhookNeverTakesHoldsUpNoOther) {
    raise("poison");
    around.answer(400);
    raise("b");
    ASSERT_EQ(around.calls.size(), 1U);
    EXPECT_EQ(event().at("subject"), "b");
    around.answer(200);
    EXPECT_EQ(alerts.waiting(), 1U);
}

TEST_F(AlertsTest, AStandingQueueDrainsAsSoonAsTheWebhookIsBack) {
    for (int n = 0; n < 20; ++n) raise(std::to_string(n));
    EXPECT_LT(around.calls.size(), 20U) << "a bounded number is in flight";
    while (!around.calls.empty()) around.answer(0);
    around.pass(5s);
    EXPECT_EQ(around.calls.size(), 1U) << "one probe";
    while (!around.calls.empty()) around.answer(200);
    EXPECT_EQ(alerts.waiting(), 0U);
}

TEST_F(AlertsTest, TheSameIsNotRaisedAgainBeforeItsTime) {
    raise("a");
    around.answer(200);
    raise("a");
    raise("a");
    EXPECT_TRUE(around.calls.empty());
    raise("b");
    raise("a", "disk_low");
    EXPECT_EQ(around.calls.size(), 2U) << "another subject or kind is another alert";
    around.answer(200);
    around.answer(200);
    around.pass(59min);
    raise("a");
    EXPECT_TRUE(around.calls.empty());
    around.pass(1min);
    raise("a");
    ASSERT_EQ(around.calls.size(), 1U);
    EXPECT_EQ(event().at("data").at("suppressed"), 3);
    around.answer(200);
    around.pass(1h);
    raise("a");
    EXPECT_FALSE(event().at("data").contains("suppressed")) << "told once";
}

TEST_F(AlertsTest, WhatHappenedIsToldEachTime) {
    for (int i = 0; i < 3; ++i) {
        alerts.raise(
            {.kind = "dead_letter", .subject = "a", .text = "", .data = "", .is_event = true});
        ASSERT_EQ(around.calls.size(), 1U);
        around.answer(200);
    }
    EXPECT_EQ(alerts.raised("dead_letter"), 3U);
}

TEST_F(AlertsTest, ForgetsWhatWasRaisedLongAgoRatherThanGrow) {
    raise("first");
    for (int n = 0; n < 20'000; ++n) {
        raise(std::to_string(n));
        while (!around.calls.empty()) around.answer(200);
    }
    raise("first");
    EXPECT_EQ(around.calls.size(), 1U);
}

TEST(AlertsLimitTest, KeepsTheOldestAndTellsHowManyFoundNoPlace) {
    ManualSurroundings around;
    AlertOptions options = to_a_webhook();
    options.most_waiting = 2;
    Alerts alerts(around, options);
    for (const char* subject : {"a", "b", "c", "d"})
        alerts.raise({.kind = "dead_letter", .subject = subject, .text = "", .data = ""});
    EXPECT_EQ(alerts.waiting(), 2U);
    EXPECT_EQ(alerts.dropped(), 2U);
    EXPECT_EQ(Json::parse(around.calls.at(0).call.body).at("subject"), "a");
    EXPECT_EQ(Json::parse(around.calls.at(1).call.body).at("subject"), "b");
    around.answer(200);
    around.answer(200);
    for (const char* subject : {"e", "f"})
        alerts.raise({.kind = "dead_letter", .subject = subject, .text = "", .data = ""});
    EXPECT_EQ(Json::parse(around.calls.at(0).call.body).at("data").at("dropped"), 2);
    EXPECT_FALSE(Json::parse(around.calls.at(1).call.body).at("data").contains("dropped"));
}

TEST(AlertsLimitTest, BoundsTheBytesToo) {
    ManualSurroundings around;
    AlertOptions options = to_a_webhook();
    options.most_waiting_bytes = 2'000;
    Alerts alerts(around, options);
    const std::string data = R"({"request":")" + std::string(1'200, 'x') + "\"}";
    for (const char* subject : {"a", "b"})
        alerts.raise({.kind = "dead_letter", .subject = subject, .text = "", .data = data});
    EXPECT_EQ(alerts.waiting(), 1U);
    around.answer(200);
    alerts.raise({.kind = "dead_letter", .subject = "c", .text = "", .data = data});
    EXPECT_EQ(alerts.waiting(), 1U) << "taken ones no longer count";
}

TEST_F(AlertsTest, NothingLeavesAfterAStop) {
    raise("a");
    raise("b");
    around.answer(500);
    alerts.stop();
    EXPECT_TRUE(around.is_closed);
    around.answer(200);  // b, too late
    raise("c");
    around.pass(1h);
    EXPECT_TRUE(around.calls.empty());
    EXPECT_EQ(alerts.waiting(), 0U);
    alerts.stop();
}

TEST(AlertsEndTest, AnAnswerMayComeAfterItsEnd) {
    ManualSurroundings around;
    {
        Alerts alerts(around, to_a_webhook());
        alerts.raise({.kind = "dead_letter", .subject = "a", .text = "", .data = ""});
    }
    around.answer(200);
    EXPECT_TRUE(around.calls.empty());
}

TEST(AlertsEndTest, WithoutAWebhookNobodyIsCalled) {
    ManualSurroundings around;
    Alerts alerts(around, {});
    alerts.raise({.kind = "dead_letter", .subject = "a", .text = "", .data = ""});
    EXPECT_TRUE(around.calls.empty());
    EXPECT_EQ(alerts.dropped(), 0U);
}

TEST(AlertTitleTest, EveryKindHasOneInBothLanguages) {
    std::set<std::string_view> kinds;
    for (const AlertTitle& title : alert_titles()) {
        EXPECT_TRUE(kinds.insert(title.kind).second) << title.kind;
        EXPECT_FALSE(title.en.empty()) << title.kind;
        EXPECT_GT(static_cast<unsigned char>(title.zh.front()), 0x7F) << title.kind;
    }
    EXPECT_EQ(alert_title("dead_letter", Language::zh), "投递失败，需人工处理");
    EXPECT_EQ(alert_title("of tomorrow", Language::zh), "of tomorrow");
}

TEST(AlertTitleTest, IsInTheConfiguredLanguage) {
    ManualSurroundings around;
    AlertOptions options = to_a_webhook();
    options.language = Language::zh;
    Alerts alerts(around, options);
    alerts.raise({.kind = "disk_low", .subject = "store", .text = "", .data = ""});
    EXPECT_EQ(Json::parse(around.calls.front().call.body).at("data").at("title"), "存储空间不足");
}

TEST(AlertSettingsTest, TakeWhatCanBeMeantOnly) {
    AlertOptions options;
    const auto refusal = [&](const std::string& name, const Json& value) {
        for (const http::Setting& setting : alert_settings(options))
            if (setting.name == name) return setting.take(value);
        return std::string("no such setting");
    };
    EXPECT_EQ(refusal("alert_webhook", "http://127.0.0.1:9000/hook"), "");
    EXPECT_EQ(options.webhook.value().text(), "http://127.0.0.1:9000/hook");
    EXPECT_EQ(refusal("alert_webhook", ""), "");
    EXPECT_FALSE(options.webhook);
    EXPECT_NE(refusal("alert_webhook", "https://127.0.0.1/hook"), "");
    EXPECT_NE(refusal("alert_webhook", 9000), "");
    EXPECT_EQ(refusal("alert_language", "zh"), "");
    EXPECT_EQ(options.language, Language::zh);
    EXPECT_NE(refusal("alert_language", "fr"), "");
    EXPECT_EQ(refusal("alert_again_after_ms", 0), "");
    EXPECT_EQ(options.again_after, 0s);
    EXPECT_NE(refusal("alert_again_after_ms", -1), "");
}

TEST(RoomWatchTest, RaisesAnAlertOnceForEachLossOfRoom) {
    ManualSurroundings around;
    AlertOptions options = to_a_webhook();
    options.again_after = 0s;
    Alerts alerts(around, options);
    wal::Headroom room{.used_bytes = 1, .map_bytes = 100, .disk_free_bytes = 100};
    RoomWatch watch(around,
                    {.headroom = [&] { return room; },
                     .readers = [] { return std::vector<wal::StoreReader>(); }},
                    alerts);
    watch.start();
    around.pass(1min);
    EXPECT_TRUE(around.calls.empty());
    room.used_bytes = 81;
    room.has_room = false;
    around.pass(1min);
    ASSERT_EQ(around.calls.size(), 1U);
    const Json event = Json::parse(around.calls.front().call.body);
    EXPECT_EQ(event.at("type"), "twophase.alert.disk_low");
    EXPECT_EQ(event.at("data").at("used_bytes"), 81);
    room.has_room = true;
    around.pass(1min);
    room.has_room = false;
    around.pass(1min);
    EXPECT_EQ(around.calls.size(), 2U);
    watch.stop();
    room.has_room = true;
    around.pass(1min);
    room.has_room = false;
    around.pass(1min);
    EXPECT_EQ(around.calls.size(), 2U) << "it looks no more";
}

TEST(RoomWatchTest, AReaderThatStandsStillIsAlertedAndOneThatMovesIsNot) {
    ManualSurroundings around;
    Alerts alerts(around, to_a_webhook());
    constexpr int other = 999'999'999;  // above the highest id of a process
    std::vector<wal::StoreReader> readers{{other, 1, 7}, {::getpid(), 2, 7}};
    RoomWatch watch(
        around,
        {.headroom = [] { return wal::Headroom(); }, .readers = [&] { return readers; }},
        alerts);
    watch.start();
    for (std::size_t batch = 8; batch < 28; ++batch) {
        around.pass(5s);
        readers[0].batch = batch;
    }
    EXPECT_TRUE(around.calls.empty());
    around.pass(65s);
    ASSERT_EQ(around.calls.size(), 1U);
    const Json event = Json::parse(around.calls.front().call.body);
    EXPECT_EQ(event.at("type"), "twophase.alert.old_reader");
    EXPECT_EQ(event.at("data").at("process"), other);
    around.pass(1min);
    EXPECT_EQ(around.calls.size(), 1U) << "once an hour";
}

}  // namespace
}  // namespace twophase::recovery
