// The three real programs: at any moment the power may go for all of them at once, and their books
// agree with each other and with what clients were told.
#include "tests/faults/books.hpp"
#include "tests/powerloss/fleet_checker.hpp"
#include "tests/powerloss/options.hpp"
#include "tests/powerloss/record_fleet.hpp"
#include "tests/powerloss/sweep.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

namespace twophase::powerloss {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Exchanges = std::map<std::string, faults::Exchange>;

constexpr std::size_t stores = 3;

struct FleetTest : testing::Test {
    TestFolder folder;
    faults::Fleet fleet;
    Recorded recorded{fleet.folder(), folder.path() / "recording"};

    ReplayResult replay_and_print(const std::string& what,
                                  std::size_t images,
                                  const Forget& forget = {},
                                  std::uint64_t seed = options().seed) {
        const auto events = read_recording(recorded.recording());
        const ReplayResult result =
            replay(events, FleetChecker(), image_seeds(seed, images, stores), forget);
        print(what, result, forget, recorded.recording());
        return result;
    }
};

struct FleetScenario {
    const char* name;
    Loading loading;
    std::size_t images;
};

struct FleetScenarioTest : FleetTest, testing::WithParamInterface<FleetScenario> {};

TEST_P(FleetScenarioTest, KeepsBooksThatAgreeOverAnyPowerLoss) {
    record_fleet(fleet, recorded, GetParam().loading);
    ASSERT_FALSE(HasFailure());
    const std::size_t images = options().images.value_or(GetParam().images);
    const ReplayResult result = replay_and_print(GetParam().name, images);
    EXPECT_EQ(result.failed, 0U);
    EXPECT_GE(result.images, images);
}

INSTANTIATE_TEST_SUITE_P(
    Recorded,
    FleetScenarioTest,
    testing::Values(FleetScenario{"undisturbed", {}, 4'000},
                    FleetScenario{
                        "coordinator_killed", {.killed = "coordinator", .kill_after = 150}, 2'500},
                    FleetScenario{"credit_killed", {.killed = "credit", .kill_after = 150}, 2'500}),
    [](const auto& test) { return std::string(test.param.name); });

/// All that clients ever asked for.
Exchanges exchanges_in(const std::vector<Event>& events) {
    Exchanges exchanges;
    for (const Event& event : events)
        if (event.kind == EventKind::noted)
            if (const auto asked = asked_in(event.data))
                exchanges.emplace(asked->business_id, *asked);
    return exchanges;
}

/// The moments of these seeds that come after the books were opened.
std::vector<Planned> moments_of_trade(const std::vector<Event>& events, std::size_t count) {
    const auto opened = std::ranges::find(events, opened_books_note, &Event::data);
    const auto first = static_cast<std::size_t>(opened - events.begin()) + 1;
    std::vector<Planned> planned = plan(events, image_seeds(options().seed, 40 * count, 1));
    std::erase_if(planned, [&](const Planned& each) { return each.cut < first; });
    std::vector<Planned> chosen;
    for (std::size_t i = 0; i < count && !planned.empty(); ++i)
        chosen.push_back(planned[i * planned.size() / count]);
    return chosen;
}

/// What clients knew at a moment; they will ask for the rest as for something new.
Exchanges known_at(Exchanges exchanges, const FleetChecker& promises) {
    for (auto& [id, exchange] : exchanges) {
        exchange.told.clear();
        exchange.gids.clear();
    }
    for (const auto& [gid, told] : promises.told()) {
        exchanges.at(told.business_id).told.insert(told.decision);
        exchanges.at(told.business_id).gids.insert(gid);
    }
    return exchanges;
}

/// Clients ask for every exchange until its outcome is told, begun before the power loss or not.
Exchanges ask_for_all(faults::Fleet& fleet, const Exchanges& exchanges) {
    faults::LoadOptions load_options;
    for (const auto& [id, exchange] : exchanges) load_options.repeat.push_back(exchange);
    faults::Load load(fleet.coordinator, load_options);
    load.start();
    EXPECT_TRUE(load.finish(60s)) << fleet.coordinator.log_tail();
    return load.exchanges();
}

/// Starts the programs on the image where the sweep is, and lets them and their clients go on.
std::size_t expect_recovery(const Sweep& sweep, const fs::path& image, const Exchanges& exchanges) {
    faults::Fleet restarted;
    for (const auto& store : fs::directory_iterator(image))
        fs::copy(store, restarted.folder() / store.path().filename(), fs::copy_options::recursive);
    restarted.start_all();
    const auto& promises = dynamic_cast<const FleetChecker&>(sweep.promises());
    const Exchanges known = ask_for_all(restarted, known_at(exchanges, promises));
    faults::expect_quiet(restarted, 30s);
    const auto outcomes = faults::expect_books_agree(restarted, known);
    std::printf("%zu told before the power loss; in the end %zu commits, %zu rollbacks\n",
                promises.told().size(),
                outcomes.commits,
                outcomes.rollbacks);
    return promises.told().size();
}

/// The real programs, started on images of all three stores, bring everything to its end.
TEST_F(FleetTest, RecoversByItselfFromImages) {
    fs::path recording = options().recording;
    if (!options().restart) {
        recording = recorded.recording();
        record_fleet(fleet, recorded, {.exchanges = 60});
    }
    const auto events = read_recording(recording);
    const auto moments =
        options().restart ? plan(events, {*options().restart}) : moments_of_trade(events, 10);
    Sweep sweep(events, FleetChecker(), {}, folder.path());
    std::size_t told = 0;
    for (const Planned& moment : moments) {
        sweep.go_to(moment);
        sweep.place();
        SCOPED_TRACE(options().program + " --recording " + recording.string() + " --restart " +
                     std::to_string(moment.seed));
        told += expect_recovery(sweep, sweep.image_folder(), exchanges_in(events));
    }
    EXPECT_TRUE(told > 0 || options().restart) << "every moment was before the first answer";
}

/// One store's meta syncs left out: the others show that it lost what it had promised them.
/// Only between a promise and the store's next commit, which syncs the meta page before it: from
/// the opened books to the first exchange at least, a few moments of a thousand. A recording of a
/// busy machine has hardly more, and 600 images may miss them all.
TEST_F(FleetTest, NoticesWhichStoreForgot) {
    record_fleet(fleet, recorded, {.exchanges = 60});
    for (const char* store : {"coordinator", "credit-participant", "coupon-participant"}) {
        const Forget forget{.meta_syncs = true, .store = store};
        std::size_t failed = 0;
        for (std::uint64_t round = 0; failed == 0 && round < 40; ++round)
            failed = replay_and_print(store, 600, forget, options().seed + round).failed;
        EXPECT_GT(failed, 0U) << store;
    }
}

}  // namespace
}  // namespace twophase::powerloss
