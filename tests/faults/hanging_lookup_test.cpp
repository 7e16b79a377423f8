// A name server that doesn't answer for some hosts: whoever is called by another name doesn't
// notice, and the programs end as ever.
#include "tests/faults/fleet.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

class HangingLookupTest : public testing::Test {
protected:
    void SetUp() override {
        const char* options = std::getenv("ASAN_OPTIONS");
        const std::string before = options == nullptr ? "" : std::string(options) + ":";
        for (Program* program : {&coordinator_, &credit_, &coupon_}) {
            program->set_environment("LD_PRELOAD", HANGING_LOOKUP_LIBRARY);
            program->set_environment("ASAN_OPTIONS", before + "verify_asan_link_order=0");
        }
    }
    ~HangingLookupTest() override {
        for (Program* program : {&coordinator_, &credit_, &coupon_})
            if (program->is_running()) program->kill();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    static std::vector<std::string> participant_flags(const std::filesystem::path& folder) {
        const Json coordinators{{"main", "file:" + (folder / "coordinator.address").string() + "#"},
                                {"away", "http://coordinator.hangs:9"}};
        return {"--coordinators",
                coordinators.dump(),
                "--inquire-after-ms",
                "100",
                "--allowed-hosts",
                "[\"participant.here\"]",
                "--alert-webhook",
                "http://webhook.hangs:9/alerts"};
    }
    static std::vector<std::string> coordinator_flags(const std::filesystem::path& folder) {
        const auto file = [&](const std::string& name) {
            return "file:" + (folder / (name + ".named")).string() + "#/v1/branches";
        };
        const Json participants{{"credit", {{"endpoint", file("credit-participant")}}},
                                {"coupon", {{"endpoint", file("coupon-participant")}}},
                                {"away", {{"endpoint", "http://participant.hangs:9/b"}}}};
        return {"--participants",
                participants.dump(),
                "--alert-webhook",
                "http://webhook.hangs:9/alerts",
                "--in-doubt-alert-ms",
                "1"};
    }
    /// The coordinator knows this participant by a name, too.
    void name(const Program& program) const {
        std::ifstream address(program.address_file());
        std::string text{std::istreambuf_iterator<char>(address), {}};
        std::filesystem::path named = program.address_file();
        std::ofstream(named.replace_extension(".named"))
            << "participant.here" << text.substr(text.find(':'));
    }
    Json order_for(const std::string& participant, std::chrono::milliseconds timeout) {
        return {{"business_code", "order"},
                {"business_id", std::to_string(++orders_)},
                {"timeout_ms", timeout.count()},
                {"wait_for", "decision"},
                {"branches",
                 {{{"participant", participant},
                   {"operation", "create_coupon"},
                   {"payload", {{"template_id", "none"}, {"user_id", "ann"}}}}}}};
    }

    std::filesystem::path folder_ = Fleet::make_folder();
    Program credit_{"credit-participant", folder_, participant_flags(folder_)};
    Program coupon_{"coupon-participant", folder_, participant_flags(folder_)};
    Program coordinator_{"coordinator", folder_, coordinator_flags(folder_)};
    int orders_ = 0;
};

TEST_F(HangingLookupTest, HoldsUpItsOwnPeerAloneAndNoEnd) {
    for (Program* program : {&credit_, &coupon_, &coordinator_}) program->start();
    for (Program* program : {&credit_, &coupon_, &coordinator_}) ASSERT_TRUE(program->wait_ready());
    for (const Program* program : {&credit_, &coupon_}) name(*program);
    const Json away = ask_json(coordinator_, "POST", "/v1/transactions", order_for("away", 200ms));
    EXPECT_EQ(away.value("state", ""), "rolling_back") << away;
    // A refusal of its own: the participant was heard.
    const Json refused =
        ask_json(coordinator_, "POST", "/v1/transactions", order_for("coupon", 60s));
    EXPECT_EQ(refused.value("refused_code", ""), "template_not_found") << refused;
    EXPECT_TRUE(eventually(60s, [&] {
        return coordinator_.log_tail().find("ALERT") != std::string::npos;
    })) << "the webhook's host was never asked for";
    for (Program* program : {&coordinator_, &credit_, &coupon_})
        EXPECT_EQ(program->terminate().exit_code, 0) << program->log_tail();
}

}  // namespace
}  // namespace twophase::faults
