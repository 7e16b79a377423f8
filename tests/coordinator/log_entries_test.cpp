#include "coordinator/log_entries.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

Gid gid(std::uint8_t last) {
    Gid gid{};
    gid.back() = last;
    return gid;
}

/// Two transactions that time out together: the one whose start found no room takes its own
/// decision with it, and not the other's.
TEST(LogEntriesTest, EachTransactionOfAStepIsAppendedByItself) {
    Protocol core;
    for (const std::uint8_t each : {1, 2}) {
        const Started started{.gid = gid(each),
                              .key = {"order", std::to_string(each), 1},
                              .branches = {{.branch_id = "1", .participant = "credit"}}};
        core.step(Submitted{.started = started, .vote_timeout = Time(10)}, Time(0));
    }
    std::vector<Append> appends;
    for (Effect& effect : core.step(Ticked{}, Time(10)))
        if (auto* append = std::get_if<Append>(&effect)) appends.push_back(std::move(*append));
    ASSERT_EQ(appends.size(), 2U);

    const auto jobs = by_transaction(std::move(appends));
    ASSERT_EQ(jobs.size(), 2U);
    for (const auto& job : jobs) EXPECT_EQ(job.size(), 1U);
    EXPECT_NE(gid_of(jobs[0][0].record), gid_of(jobs[1][0].record));
}

/// A decision by hand is worthless without who took it.
TEST(LogEntriesTest, RecordsOfOneTransactionStayTogether) {
    const auto jobs = by_transaction({{.record = Resolved{.gid = gid(1)}, .n = 1},
                                      {.record = Decided{.gid = gid(1)}, .n = 2},
                                      {.record = Decided{.gid = gid(2)}, .n = 1}});
    ASSERT_EQ(jobs.size(), 2U);
    EXPECT_EQ(jobs[0].size(), 2U);
    EXPECT_EQ(jobs[0][1].n, 2U);
    EXPECT_EQ(jobs[1].size(), 1U);
    EXPECT_TRUE(by_transaction({}).empty());
}

}  // namespace
}  // namespace twophase::coordinator
