// A network that loses, delays, cuts, repeats and garbles, between the coordinator and each
// participant: every fault by itself at every kind of message, whole partitions, all at random.
#include "tests/faults/choice.hpp"
#include "tests/faults/proxied_fleet.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <tuple>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t always = 1'000'000;

struct Place {
    const char* to;
    const char* verb;
};

class OneFaultTest : public testing::TestWithParam<std::tuple<Place, Fault>> {
protected:
    // Votes have time for every retry: what is rolled back was refused.
    static void SetUpTestSuite() {
        net_ = new ProxiedFleet(60s);
        net_->start();
    }
    static void TearDownTestSuite() {
        if (net_ != nullptr) net_->expect_orderly_end();
        delete net_;
        net_ = nullptr;
    }
    /// A few exchanges, one of them refused.
    LoadOptions few() const {
        const auto& [place, fault] = GetParam();
        return {.clients = 2,
                .most_exchanges = 5,
                .prefix = std::string(place.to) + place.verb + to_text(fault),
                .pause = 20ms};
    }
    static ProxiedFleet* net_;
};

ProxiedFleet* OneFaultTest::net_ = nullptr;

TEST_P(OneFaultTest, LosesNothingAndTellsNothingUntrue) {
    const auto& [place, fault] = GetParam();
    Proxy& proxy = net_->to(place.to);
    const std::size_t before = proxy.count(fault);
    proxy.next(fault, place.verb);
    Load load(net_->fleet.coordinator, few());
    load.start();
    EXPECT_TRUE(
        eventually(60s, [&] { return load.answered() == 5 && proxy.count(fault) > before; }));
    EXPECT_EQ(proxy.count(fault), before + 1);
    const Outcomes outcomes = net_->expect_all_well(load);
    EXPECT_EQ(outcomes.commits, 4U);
    EXPECT_EQ(outcomes.rollbacks, 1U);
}

const Place places[] = {{"credit", "/prepare"},
                        {"credit", "/commit"},
                        {"credit", "/rollback"},
                        {"credit", "/in-doubt"},
                        {"coupon", "/prepare"},
                        {"coupon", "/commit"},
                        {"coupon", "/rollback"}};

std::string name_of(const testing::TestParamInfo<std::tuple<Place, Fault>>& info) {
    const auto& [place, fault] = info.param;
    std::string name = std::string(place.to) + place.verb + "_" + to_text(fault);
    for (char& c : name)
        if (c == '/' || c == '-') c = '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(Each,
                         OneFaultTest,
                         testing::Combine(testing::ValuesIn(places),
                                          testing::ValuesIn(all_faults())),
                         name_of);

/// A participant that can't be told asks, and that way is disturbed too.
class InquiryFaultTest : public OneFaultTest {};

TEST_P(InquiryFaultTest, TheBranchInDoubtIsResolvedOverTheOtherWay) {
    const auto& [place, fault] = GetParam();
    Proxy& asked = net_->to("coordinator");
    const std::size_t before = asked.count(fault);
    net_->to("credit").next(Fault::lose_request, "/commit", always);
    asked.next(fault, place.verb);
    Load load(net_->fleet.coordinator, few());
    load.start();
    const auto in_doubt = [&] {
        const Json page = ask_json(net_->fleet.credit, "GET", "/v1/branches/in-doubt");
        return page.contains("items") ? page["items"].size() : 1;
    };
    EXPECT_TRUE(eventually(60s, [&] { return asked.count(fault) > before && in_doubt() == 0; }));
    net_->heal();
    net_->expect_all_well(load);
}

INSTANTIATE_TEST_SUITE_P(Each,
                         InquiryFaultTest,
                         testing::Combine(testing::Values(Place{"coordinator", "/decision"}),
                                          testing::ValuesIn(all_faults())),
                         name_of);

/// Nothing passes on some ways, in one direction or in both, for longer than votes may take.
struct Partition {
    const char* name;
    std::vector<const char*> ways;  // to whom
    Fault fault;
};

class PartitionTest : public testing::TestWithParam<Partition> {};

TEST_P(PartitionTest, NobodyIsToldAnythingUntrueAndAllEndsAfterwards) {
    ProxiedFleet net;
    net.start();
    Load load(net.fleet.coordinator, {.clients = 8, .most_exchanges = 400, .pause = 20ms});
    load.start();
    ASSERT_TRUE(eventually(60s, [&] { return load.answered() > 10; }));
    for (const char* way : GetParam().ways) net.to(way).next(GetParam().fault, "", always);
    // Beyond the vote deadline, seen by what was given up meanwhile.
    const auto rolled_back = [&] {
        return ask(net.fleet.coordinator, "GET", "/v1/transactions?state=rolling_back&limit=1")
            .body;
    };
    const bool is_cut_off = std::string(GetParam().ways[0]) != "coordinator";
    if (is_cut_off)
        EXPECT_TRUE(
            eventually(60s, [&] { return rolled_back().find("gid") != std::string::npos; }));
    else
        EXPECT_TRUE(eventually(60s, [&] { return load.answered() > 200; }));
    net.heal();
    net.expect_all_well(load);
    net.expect_orderly_end();
}

INSTANTIATE_TEST_SUITE_P(
    Each,
    PartitionTest,
    testing::Values(
        Partition{"nothing_to_credit", {"credit"}, Fault::lose_request},
        Partition{"nothing_from_credit", {"credit"}, Fault::lose_reply},
        Partition{"nothing_to_coupon", {"coupon"}, Fault::lose_request},
        Partition{"nothing_from_coupon", {"coupon"}, Fault::lose_reply},
        Partition{"nothing_to_either", {"credit", "coupon"}, Fault::lose_request},
        Partition{"nothing_from_either", {"credit", "coupon"}, Fault::lose_reply},
        Partition{"nothing_anywhere", {"credit", "coupon", "coordinator"}, Fault::lose_request},
        Partition{"nothing_to_the_coordinator", {"coordinator"}, Fault::lose_request}),
    [](const auto& test) { return std::string(test.param.name); });

/// Any fault at any exchange, and now and then a program is killed.
class RandomFaultsTest : public testing::TestWithParam<double> {};

TEST_P(RandomFaultsTest, WithKillsLoseNothingAndTellNothingUntrue) {
    const std::uint64_t seed = day();
    const std::size_t enough = is_everything_wanted() ? 5'000 : 300;
    ProxiedFleet net(1s, seed);
    net.start();
    net.disturb(GetParam());
    Load load(net.fleet.coordinator, {.clients = 24, .pause = 20ms});
    load.start();
    const auto seen = [&](std::size_t wanted) {
        return [&, wanted] { return net.faults() >= wanted; };
    };
    const std::size_t step = enough / 6;
    for (std::size_t wanted = step; wanted <= enough; wanted += step) {
        ASSERT_TRUE(eventually(300s, seen(wanted))) << net.faults() << " faults";
        const char* names[] = {"coordinator", "credit", "coupon"};
        net.fleet.by_name(names[wanted / step % 3]).kill();
        net.fleet.start_all();
    }
    net.heal();
    const Outcomes outcomes = net.expect_all_well(load);
    std::printf("seed %llu, probability %.2f: %zu faults, %zu commits, %zu rollbacks\n",
                static_cast<unsigned long long>(seed),
                GetParam(),
                net.faults(),
                outcomes.commits,
                outcomes.rollbacks);
    EXPECT_GT(outcomes.commits, 0U);
    EXPECT_GT(outcomes.rollbacks, 0U);
    net.expect_orderly_end();
}

INSTANTIATE_TEST_SUITE_P(Each, RandomFaultsTest, testing::Values(0.1, 0.5), [](const auto& test) {
    return test.param < 0.3 ? "some" : "many";
});

}  // namespace
}  // namespace twophase::faults
