// kill -9 of each program at random moments under load, with the default configuration.
#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <unistd.h>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

constexpr int kills = 20;
constexpr std::size_t least_unfinished = 50;

class KillTest : public testing::TestWithParam<const char*> {};

/// Waits until at least fifty transactions are under way, then a random while, and kills.
std::size_t kill_under_load(Fleet& fleet,
                            Program& program,
                            const Load& load,
                            std::mt19937& random) {
    std::size_t unfinished = 0;
    const auto count = [&] {
        const auto status = try_ask(fleet.coordinator, "GET", "/v1/status");
        if (!status || status->status != 200) return std::size_t{0};
        return std::min(load.in_flight(), Json::parse(status->body).value("live", std::size_t{0}));
    };
    const std::size_t before = load.answered();
    EXPECT_TRUE(eventually(60s,
                           [&] {
                               if (load.answered() <= before)
                                   return false;  // the last kill is digested
                               ::usleep(
                                   std::uniform_int_distribution<unsigned>(0, 200'000)(random));
                               unfinished = count();
                               if (unfinished < least_unfinished) return false;
                               program.kill();
                               return true;
                           }))
        << "never " << least_unfinished << " unfinished at once, last " << unfinished;
    return unfinished;
}

TEST_P(KillTest, TwentyTimesUnderLoadLosesNothingAndTellsNothingUntrue) {
    Fleet fleet;
    fleet.start_all();
    open_books(fleet);
    Program& program = fleet.by_name(GetParam());
    Load load(fleet.coordinator, {.clients = 256});
    load.start();
    std::mt19937 random(std::random_device{}());
    for (int i = 0; i < kills; ++i) {
        EXPECT_GE(kill_under_load(fleet, program, load, random), least_unfinished);
        ASSERT_FALSE(program.is_running());
        fleet.start_all();
    }
    EXPECT_TRUE(load.finish(60s)) << fleet.coordinator.log_tail();
    expect_quiet(fleet, 30s);
    const Outcomes outcomes = expect_books_agree(fleet, load.exchanges());
    EXPECT_GT(outcomes.commits, 0U);
    EXPECT_GT(outcomes.rollbacks, 0U);
    RecordProperty("commits", static_cast<int>(outcomes.commits));
    RecordProperty("rollbacks", static_cast<int>(outcomes.rollbacks));
    std::printf("%s: %d kills, %zu commits, %zu rollbacks\n",
                GetParam(),
                kills,
                outcomes.commits,
                outcomes.rollbacks);
}

/// The requirement's own measure: a thousand at once, one kill, a restart, quiet soon after.
TEST_P(KillTest, AThousandSubmissionsAtOnceAreAllResolvedSoonAfterTheRestart) {
    Fleet fleet;
    fleet.start_all();
    open_books(fleet);
    Program& program = fleet.by_name(GetParam());
    Load load(fleet.coordinator, {.clients = 1'000, .most_exchanges = 1'000});
    load.start();
    ASSERT_TRUE(eventually(60s, [&] { return load.answered() >= 20; }));
    ASSERT_GE(load.in_flight(), least_unfinished);
    program.kill();
    fleet.start_all();
    const auto restarted = std::chrono::steady_clock::now();
    EXPECT_TRUE(load.finish(60s)) << fleet.coordinator.log_tail();
    expect_quiet(fleet, 60s);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - restarted;
    std::printf("%s: quiet %.1f s after the restart\n", GetParam(), took.count());
    const Outcomes outcomes = expect_books_agree(fleet, load.exchanges());
    EXPECT_EQ(outcomes.commits + outcomes.rollbacks, 1'000U);
}

INSTANTIATE_TEST_SUITE_P(EachProgram,
                         KillTest,
                         testing::Values("coordinator", "credit", "coupon"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace twophase::faults
