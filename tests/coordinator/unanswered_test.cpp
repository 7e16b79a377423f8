// What people see of a participant's answers that are none: its own words.
#include "coordinator/views.hpp"
#include "tests/coordinator/turned_service.hpp"

#include <gtest/gtest.h>

#include <string>

namespace twophase::coordinator {
namespace {

class UnansweredTest : public TurnedService {
protected:
    UnansweredTest() {
        crash();
        config_.alerts.webhook = http::Endpoint::parse("http://127.0.0.1:1/webhook").value();
        start();
    }

    void take_alerts() {
        std::erase_if(around_.calls, [this](const auto& sent) {
            const bool is_alert = sent.to.ends_with("/webhook");
            if (is_alert) alerts_ += sent.call.body + "\n";
            return is_alert;
        });
    }
    void turn(const Participant& participant) {
        take_alerts();
        answer(participant);
        pass(60'000ms);
    }
    LaneStatus lane(const std::string& name) const {
        for (const LaneStatus& one : service_->lanes())
            if (one.participant == name) return one;
        return {};
    }
    std::string alerts_;
};

Said is_full(const std::string& verb, const Json& message) {
    if (verb == "prepare") return agrees(verb, message);
    return {503, {{"code", "no-room"}, {"detail", "the disk\nis full"}}};
}

TEST_F(UnansweredTest, TheParticipantsOwnCodeAndDetailReachLaneBranchAndAlerts) {
    hear();
    const Gid gid = submit("1").gid;
    run();
    const std::string words = "status 503 no-room: the disk\\x0ais full";
    for (int i = 0; i < 12; ++i) turn(is_full);
    take_alerts();
    EXPECT_EQ(lane("coupon").last_error, words);
    const Json shown = details_json(view_of(gid, service_->find(gid)), nullptr);
    EXPECT_EQ(shown["branches"][0]["not_durable"]["last_error"], words) << shown;
    const std::string told = R"("text":"status 503 no-room: the disk\\x0ais full")";
    EXPECT_NE(alerts_.find("twophase.alert.delivery_stuck"), std::string::npos) << alerts_;
    EXPECT_NE(alerts_.find(told), std::string::npos) << alerts_;
    finish();
    EXPECT_EQ(lane("coupon").last_error, "");
}

// Nothing is sent to it, so that no call tells why.
TEST_F(UnansweredTest, WhyAParticipantWasNotHeardIsTold) {
    introduce_ = [](const std::string& name, const std::string&) -> http::Result<http::Response> {
        if (name == "credit") return http::Errc::folded_header;
        return http::Response{.status = 503, .body = R"({"code":"starting","detail":"soon"})"};
    };
    answer();
    EXPECT_FALSE(lane("coupon").is_heard);
    EXPECT_EQ(lane("coupon").last_error, "asked what it holds in doubt: status 503 starting: soon");
    EXPECT_EQ(lane("credit").last_error, "asked what it holds in doubt: a header is folded");
    introduce_ = [](const std::string&, const std::string& target) {
        if (target.starts_with("/list")) return http::Response{.status = 404};
        return http::Response{.body = R"({"items":[],"next":null})"};
    };
    pass(60'000ms);
    hear();
    EXPECT_EQ(lane("coupon").last_error, "");
}

}  // namespace
}  // namespace twophase::coordinator
