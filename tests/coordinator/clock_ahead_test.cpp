// A clock that was ahead once: ids stay there. And what the log can't say anything of.
#include "coordinator/comparison_api.hpp"
#include "coordinator/log_api.hpp"
#include "coordinator/operator_api.hpp"
#include "tests/coordinator/turned_service.hpp"

namespace twophase::coordinator {
namespace {

class ClockAheadTest : public TurnedService {
protected:
    Gid commit(const std::string& id) {
        const Gid gid = submit(id).gid;
        finish();
        EXPECT_EQ(service_->inquire(gid), Verdict::commit);
        return gid;
    }
    Json compare(const Json& items) {
        http::Request request{.method = "POST"};
        request.body = Json{{"participant", "credit"}, {"items", items}}.dump();
        return Json::parse(compare_branches(*service_, request).body);
    }
    static Json item(const std::string& gid, const char* state) {
        return {{"gid", gid}, {"branch_id", "credit"}, {"state", state}};
    }
    std::uint64_t told_ahead() {
        return Json::parse(show_status(*service_).body).at("ids_ahead_ms").get<std::uint64_t>();
    }
};

TEST_F(ClockAheadTest, IdsThatStayAheadOfItAreTold) {
    hear();
    EXPECT_EQ(told_ahead(), 0U);
    around_.wall_error = 400LL * 86'400 * 1'000'000;
    crash();
    start();
    hear();
    commit("ahead");
    EXPECT_EQ(told_ahead(), 0U) << "by that clock";
    around_.wall_error = 0;
    commit("behind");
    EXPECT_GT(told_ahead(), 399ULL * 86'400 * 1'000);
}

TEST_F(ClockAheadTest, TheIdentityTellsAParticipantUpToWhereItsTransactionsAreOver) {
    http::Request request{.method = "GET"};
    request.query["participant"] = "credit";
    EXPECT_FALSE(Json::parse(show_identity(*service_, request).body).contains("low_water"))
        << "not before its lane is open: of a replaced log it must forget nothing";
    hear();
    const Gid over = commit("1");
    const Json told = Json::parse(show_identity(*service_, request).body);
    EXPECT_GT(told.at("low_water"), to_text(over));
    const Gid open = submit("2").gid;
    run();
    EXPECT_EQ(Json::parse(show_identity(*service_, request).body).at("low_water"), to_text(open));
}

TEST_F(ClockAheadTest, AComparisonCountsWhatTheLogCanSayNothingOf) {
    hear();
    const Gid known = commit("1");
    const Json whole = compare(Json::array({item(to_text(known), "committed")}));
    EXPECT_EQ(whole.at("not_compared"), 0) << whole;
    const char* elsewhere = "0290a1b2-0000-7000-8000-00000000ffff";
    const Json foreign =
        compare(Json::array({item(to_text(known), "committed"), item(elsewhere, "committed")}));
    EXPECT_EQ(foreign.at("not_compared"), 1) << foreign;
}

}  // namespace
}  // namespace twophase::coordinator
