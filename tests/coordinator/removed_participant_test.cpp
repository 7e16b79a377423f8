// A participant that transactions name and the settings don't: it is shown, told, and can be ended.
#include "coordinator/dead_letters.hpp"
#include "coordinator/listing.hpp"
#include "coordinator/operator_api.hpp"
#include "coordinator/views.hpp"
#include "tests/coordinator/turned_service.hpp"

namespace twophase::coordinator {
namespace {

Said is_away(const std::string& verb, const Json& message) {
    const bool is_told = verb != "prepare" && verb != "compensate";
    const bool is_first = message["participant"] == "credit";
    return is_told && !is_first ? Said{0, {}} : agrees(verb, message);
}

class RemovedParticipantTest : public TurnedService {
protected:
    /// Decided, and not delivered to coupon, which is taken out of the settings.
    Gid strand(Mode mode = Mode::two_phase, std::optional<std::uint32_t> retries = std::nullopt) {
        const Gid gid = submit("1", mode, retries).gid;
        run();
        for (int i = 0; i < 3; ++i) answer(is_away);
        take_out();
        return gid;
    }
    void take_out() {
        removed_ = *config_.participants.find("coupon");
        crash();
        config_.participants.erase("coupon");
        start();
        hear();
        finish();
    }
    void put_back() {
        crash();
        config_.participants.insert(removed_);
        start();
        hear();
        finish();
    }
    Json shown(const Gid& gid) {
        return details_json(view_of(gid, service_->find(gid), config_.participants), nullptr);
    }
    Json listed(http::Request request = {}) {
        return Json::parse(list_transactions(*service_, request).body).at("items");
    }
    bool resolve(const Gid& gid, const char* how) {
        const auto done = service_->resolve({gid, 1, how, "ann", "because"});
        run();
        return done.result == Service::ResolveResult::accepted;
    }
    std::pair<std::string, ParticipantConfig> removed_;
};

TEST_F(RemovedParticipantTest, IsNamedWhereverItsTransactionsAreShown) {
    const Gid gid = strand();
    const Json details = shown(gid);
    EXPECT_EQ(details.at("not_configured"), Json::array({"coupon"}));
    EXPECT_EQ(details.at("branches").at(1).at("not_configured"), true);
    EXPECT_FALSE(details.at("branches").at(0).contains("not_configured")) << "it has ended";
    EXPECT_NE(details.at("message").get<std::string>().find("no longer configured"),
              std::string::npos);
    EXPECT_EQ(listed().at(0).at("not_configured"), Json::array({"coupon"}));
    EXPECT_EQ(service_->needing_attention(), 1U);
    const Json all = Json::parse(list_participants(*service_).body).at("items");
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all.at(1).at("participant"), "coupon");
    EXPECT_EQ(all.at(1).at("configured"), false);
    EXPECT_EQ(all.at(1).at("waiting"), 1);
    http::Request request{.method = "POST"};
    request.path_parameters["gid"] = to_text(gid);
    EXPECT_EQ(Json::parse(retry(*service_, request).body).at("not_configured"),
              Json::array({"coupon"}))
        << "a retry that asks nobody says so";
}

TEST_F(RemovedParticipantTest, WhatWaitsForANameThatMayBeTheSameParticipantsHoldsItsMark) {
    const Gid gid = strand();
    EXPECT_EQ(service_->low_water("points"), gid) << "it may have been coupon before";
    ASSERT_TRUE(resolve(gid, "gone"));
    finish();
    EXPECT_GT(service_->low_water("points"), gid);
}

TEST_F(RemovedParticipantTest, GoesOnByItselfOnceItIsPutBack) {
    const Gid gid = strand();
    put_back();
    EXPECT_TRUE(service_->core().transactions().empty());
    EXPECT_FALSE(shown(gid).contains("not_configured"));
    EXPECT_EQ(service_->needing_attention(), 0U);
    EXPECT_EQ(Json::parse(list_participants(*service_).body).at("items").size(), 2U);
}

TEST_F(RemovedParticipantTest, AnEndAsGoneEndsItsBranchInEveryMode) {
    for (const auto& [mode, retries] :
         {std::pair(Mode::two_phase, std::optional<std::uint32_t>{}), {Mode::eventual, 3U}}) {
        const Gid gid = strand(mode, retries);
        ASSERT_EQ(shown(gid).at("not_configured"), Json::array({"coupon"})) << to_text(mode);
        EXPECT_TRUE(resolve(gid, "gone"));
        finish();
        EXPECT_TRUE(service_->core().transactions().empty()) << to_text(mode);
        EXPECT_FALSE(shown(gid).contains("not_configured"));
        crash();
        std::filesystem::remove_all(config_.data);
        config_.participants.insert(removed_);
        start();
        hear();
    }
}

TEST_F(RemovedParticipantTest, ADeadLetterToItSaysSoToo) {
    strand(Mode::eventual, 0);
    http::Request request{.method = "GET"};
    const Json items = Json::parse(list_dead_letters(*service_, request).body).at("items");
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items.at(0).at("not_configured"), true);
    EXPECT_EQ(listed().at(0).at("not_configured"), Json::array({"coupon"}));
}

}  // namespace
}  // namespace twophase::coordinator
