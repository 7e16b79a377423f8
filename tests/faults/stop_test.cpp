// Each program stops for longer than votes may take, as a virtual machine's pause would have it,
// and goes on as if nothing had happened.
#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

struct Pause {
    const char* name;
    std::vector<const char*> programs;
};

class StopTest : public testing::TestWithParam<Pause> {
protected:
    // The time that passes is the fault itself: beyond the votes' deadline (1 s), the calls'
    // (300 ms) and the inquiries' (100 ms).
    void stop_for_a_while() {
        for (const char* name : GetParam().programs) fleet_.by_name(name).signal(SIGSTOP);
        ::usleep(1'500'000);
        for (const char* name : GetParam().programs) fleet_.by_name(name).signal(SIGCONT);
    }
    Fleet fleet_{quick()};
};

TEST_P(StopTest, UnderLoadLosesNothingAndTellsNothingUntrue) {
    fleet_.start_all();
    open_books(fleet_);
    Load load(fleet_.coordinator, {.clients = 32, .pause = 20ms});
    load.start();
    for (int i = 0; i < 3; ++i) {
        const std::size_t before = load.answered();
        EXPECT_TRUE(eventually(60s, [&] { return load.answered() > before + 20; }));
        stop_for_a_while();
    }
    EXPECT_TRUE(load.finish(60s)) << fleet_.coordinator.log_tail();
    expect_quiet(fleet_, 30s);
    const Outcomes outcomes = expect_books_agree(fleet_, load.exchanges());
    EXPECT_GT(outcomes.commits, 0U);
    std::size_t poor = 0;
    for (const auto& [id, exchange] : load.exchanges()) poor += exchange.user == "poor" ? 1 : 0;
    // A participant that stops misses the deadline; that is all that may come of it.
    const bool is_coordinator_up = GetParam().programs[0] != std::string("coordinator");
    EXPECT_TRUE(!is_coordinator_up || outcomes.rollbacks > poor) << outcomes.rollbacks;
    for (Program* program : {&fleet_.coordinator, &fleet_.credit, &fleet_.coupon})
        EXPECT_EQ(program->terminate().exit_code, 0) << program->log_tail();
}

TEST(GraceTest, WhoStillWaitsAtItsEndHears202OfWhatIsDurable) {
    FleetOptions options;
    options.coordinator = {"--shutdown-grace-ms", "2000"};
    Fleet fleet(options);
    fleet.start_all();
    open_books(fleet);
    fleet.credit.signal(SIGSTOP);
    http::Response answer;
    std::thread client([&] {
        answer = ask(fleet.coordinator,
                     "POST",
                     "/v1/transactions",
                     Load::request_of({.business_id = "order-1", .user = "u0", .price = 10}));
    });
    EXPECT_TRUE(eventually(30s, [&] {
        return Json::parse(ask(fleet.coordinator, "GET", "/v1/status").body)["live"] == 1;
    }));
    EXPECT_EQ(fleet.coordinator.terminate().exit_code, 0) << fleet.coordinator.log_tail();
    client.join();
    fleet.credit.signal(SIGCONT);
    EXPECT_EQ(answer.status, 202U) << answer.body;
    fleet.start_all();
    const std::string gid = Json::parse(answer.body)["gid"];
    EXPECT_EQ(ask(fleet.coordinator, "GET", "/v1/transactions/" + gid).status, 200U)
        << "what a client was told is known";
    expect_quiet(fleet, 30s);
}

INSTANTIATE_TEST_SUITE_P(Each,
                         StopTest,
                         testing::Values(Pause{"coordinator", {"coordinator"}},
                                         Pause{"credit", {"credit"}},
                                         Pause{"coupon", {"coupon"}},
                                         Pause{"both_participants", {"credit", "coupon"}},
                                         Pause{"all", {"coordinator", "credit", "coupon"}}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace twophase::faults
