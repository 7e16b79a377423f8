// A single log: whatever it promised survives every power loss; and without its syncs it does not.
#include "tests/powerloss/log_checker.hpp"
#include "tests/powerloss/options.hpp"
#include "tests/powerloss/record_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace twophase::powerloss {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

struct LogTest : testing::Test {
    TestFolder folder;

    /// Checks images of what was recorded; `what` names it in the output.
    ReplayResult replay_and_print(const std::string& what,
                                  const Recorded& recorded,
                                  std::size_t images,
                                  const Forget& forget = {}) {
        const auto events = read_recording(recorded.recording());
        const ReplayResult result =
            replay(events, LogChecker(), image_seeds(options().seed, images, 1), forget);
        print(what, result, forget, recorded.recording());
        return result;
    }

    void expect_all_kept(const std::string& what, const Recorded& recorded, std::size_t images) {
        const ReplayResult result = replay_and_print(what, recorded, images);
        EXPECT_EQ(result.failed, 0U);
        EXPECT_GE(result.images, images);
        total += result.images;
    }

    std::size_t total = 0;
};

struct Scenario {
    const char* name;
    std::vector<Appending> runs;
    std::size_t images;
};

struct LogScenarioTest : LogTest, testing::WithParamInterface<Scenario> {};

TEST_P(LogScenarioTest, KeepsEveryPromiseOverAnyPowerLoss) {
    const Recorded recorded = folder.record();
    const auto is_doomed = [](const Appending& run) { return run.kill_after > 0; };
    EXPECT_EQ(record_log(recorded, GetParam().runs),
              static_cast<std::size_t>(std::ranges::count_if(GetParam().runs, is_doomed)));
    expect_all_kept(GetParam().name, recorded, options().images.value_or(GetParam().images));
}

INSTANTIATE_TEST_SUITE_P(
    Recorded,
    LogScenarioTest,
    testing::Values(Scenario{"one_by_one", {{.jobs = 600, .forget_every = 8}}, 8'000},
                    Scenario{
                        "in_groups", {{.jobs = 3'000, .window = 32, .forget_every = 7}}, 10'000},
                    Scenario{"forgetting",
                             {{.map_bytes = mebibyte, .jobs = 500, .window = 4, .forget_every = 10},
                              {.map_bytes = mebibyte, .jobs = 500, .forget_every = 3}},
                             12'000},
                    // Killed before a run can end: a batch is at least three events, and at most
                    // a window of jobs, so a run has at least 3 * jobs / window of them.
                    Scenario{"killed_and_restarted",
                             {{.jobs = 2'000, .window = 8, .forget_every = 9, .kill_after = 701},
                              {.jobs = 500, .window = 2, .forget_every = 9, .kill_after = 702},
                              {.jobs = 2'500, .window = 16, .forget_every = 5, .kill_after = 453},
                              {.jobs = 100, .forget_every = 9}},
                             12'000}),
    [](const auto& test) { return std::string(test.param.name); });

/// The first start, ended by kill -9 after every single thing it does; the next one goes on.
TEST_F(LogTest, AFirstStartThatIsKilledAnywhereLosesNothingLater) {
    const std::size_t images = options().images.value_or(3'000);
    std::size_t kills = 1;
    for (std::uint64_t kill_after = 1; kills == 1; ++kill_after) {
        const Recorded recorded = folder.record(std::to_string(kill_after));
        kills = record_log(recorded, {{.jobs = 1, .kill_after = kill_after}, {.jobs = 3}});
        expect_all_kept("killed after event " + std::to_string(kill_after), recorded, images / 25);
    }
    EXPECT_GE(total, images);
}

struct LogControlTest : LogTest, testing::WithParamInterface<std::pair<const char*, Forget>> {};

/// The same recordings with one kind of sync left out: if this passed, the checks would be worth
/// nothing.
TEST_P(LogControlTest, BreaksPromisesAndIsFoundOut) {
    const Recorded recorded = folder.record();
    record_log(recorded, {{.jobs = 60}, {.jobs = 60, .window = 8}});
    const auto& [name, forget] = GetParam();
    const ReplayResult result = replay_and_print(name, recorded, 200, forget);
    EXPECT_GT(result.failed, 0U);
}

INSTANTIATE_TEST_SUITE_P(Without,
                         LogControlTest,
                         testing::Values(std::pair("meta_syncs", Forget{.meta_syncs = true}),
                                         std::pair("data_syncs", Forget{.data_syncs = true}),
                                         std::pair("name_syncs", Forget{.name_syncs = true})),
                         [](const auto& test) { return std::string(test.param.first); });

}  // namespace
}  // namespace twophase::powerloss
