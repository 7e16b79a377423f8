// Crashes of several programs together, and of one again while it recovers: pairs of points,
// recoveries and power cuts; which of the many are taken changes by day.
#include "tests/faults/crash_cases.hpp"

#include "tests/faults/choice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace twophase::faults {
namespace {

// As much of what can't all be run in every build as its time allows.
constexpr std::size_t parts_again = 8;
constexpr std::size_t parts_of_power_cuts = 192;

/// In an order of no meaning that is the same every day, the part that is due today.
std::vector<CrashCase> part_of_today(std::vector<CrashCase> cases, std::size_t parts) {
    std::mt19937_64 same_every_day(1);
    std::ranges::shuffle(cases, same_every_day);
    if (is_everything_wanted()) return cases;
    std::vector<CrashCase> chosen;
    for (std::size_t i = 0; i < cases.size(); ++i)
        if (i % parts == day() % parts) chosen.push_back(std::move(cases[i]));
    return chosen;
}

void run(const char* what, const std::vector<CrashCase>& cases, std::size_t of) {
    CrashBench bench;
    for (const CrashCase& each : cases) {
        if (is_wanted(name_of(each))) bench.run(each);
        // What comes after would tell nothing new.
        if (testing::Test::HasFailure()) break;
    }
    const CrashBench::Tally& tally = bench.tally();
    std::printf(
        "%s: %zu of %zu cases (day %llu): %zu at once, %zu one after the other, "
        "%zu not at every point\n",
        what,
        tally.cases,
        of,
        static_cast<unsigned long long>(day()),
        tally.at_once,
        tally.later,
        tally.not_all);
}

/// Every point of one program with every point of another.
class CrashPairsTest : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(CrashPairsTest, LoseNothingAndTellNothingUntrue) {
    const auto& [first, second] = GetParam();
    std::vector<CrashCase> cases;
    for (const std::string& a : points_of(first))
        for (const std::string& b : points_of(second))
            cases.push_back({.points = {{first, a}, {second, b}}, .order = {first, second}});
    run((first + " x " + second).c_str(), cases, cases.size());
}

INSTANTIATE_TEST_SUITE_P(Each,
                         CrashPairsTest,
                         testing::Values(std::pair("coordinator", "credit"),
                                         std::pair("coordinator", "coupon"),
                                         std::pair("credit", "coupon")),
                         [](const auto& test) {
                             return test.param.first + "_" + test.param.second;
                         });

/// A crash, and at the restart from it another.
class CrashAgainTest : public testing::TestWithParam<std::string> {};

TEST_P(CrashAgainTest, LoseNothingAndTellNothingUntrue) {
    std::vector<CrashCase> at_start;
    std::vector<CrashCase> rest;
    for (const std::string& a : points_of(GetParam())) {
        if (is_of_start(a)) continue;
        for (const std::string& b : points_of(GetParam()))
            (is_of_start(b) ? at_start : rest)
                .push_back({.points = {{GetParam(), a}}, .order = {GetParam()}, .again = b});
    }
    const std::size_t of = at_start.size() + rest.size();
    for (CrashCase& each : part_of_today(rest, parts_again)) at_start.push_back(std::move(each));
    run((GetParam() + " again").c_str(), at_start, of);
}

INSTANTIATE_TEST_SUITE_P(Each,
                         CrashAgainTest,
                         testing::Values("coordinator", "credit", "coupon"),
                         [](const auto& test) { return test.param; });

/// All three at once, in every order of restart; in two halves, so that they run side by side.
class PowerCutTest : public testing::TestWithParam<std::size_t> {};

std::vector<CrashCase> all_power_cuts() {
    std::vector<CrashCase> cases;
    std::vector<std::string> order{"coordinator", "coupon", "credit"};
    do {
        for (const std::string& a : points_of("coordinator"))
            for (const std::string& b : points_of("credit"))
                for (const std::string& c : points_of("coupon"))
                    cases.push_back({.points = {{"coordinator", a}, {"credit", b}, {"coupon", c}},
                                     .order = order,
                                     .takes_all_down = true});
    } while (std::ranges::next_permutation(order).found);
    return cases;
}

TEST_P(PowerCutTest, LosesNothingAndTellsNothingUntrue) {
    const std::vector<CrashCase> all = all_power_cuts();
    const std::vector<CrashCase> today = part_of_today(all, parts_of_power_cuts);
    std::vector<CrashCase> half;
    for (std::size_t i = GetParam(); i < today.size(); i += 2) half.push_back(today[i]);
    run("power cuts", half, all.size());
}

INSTANTIATE_TEST_SUITE_P(Each, PowerCutTest, testing::Values(0, 1));

}  // namespace
}  // namespace twophase::faults
