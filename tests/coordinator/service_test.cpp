// What the service makes of participants' answers and of new work, beside the core's rules.
#include "tests/coordinator/turned_service.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>

namespace twophase::coordinator {
namespace {

class ServiceTest : public TurnedService {
protected:
    /// Every prepare is for an epoch that was replaced, by `seen` where it is told.
    Participant says_stale(const std::optional<std::uint64_t>& seen) {
        return [this, seen](const std::string& verb, const Json& message) {
            if (verb != "prepare") return agrees(verb, message);
            ++stale_;
            Said said{409, {{"code", "stale_epoch"}, {"message", "a later start"}}};
            if (seen) said.members["epoch"] = *seen;
            return said;
        };
    }
    Decision decision_of(const Gid& gid) const {
        return service_->find(gid).folded->decision.value();
    }
    int stale_ = 0;
    /// Committed, and nobody has acknowledged.
    void leave_decided(const std::string& id) {
        const Gid gid = submit(id).gid;
        while (!service_->has_reached(gid, Milestone::decided)) {
            run();
            answer([](const std::string& verb, const Json& message) {
                return verb == "prepare" ? agrees(verb, message) : Said{0, {}};
            });
        }
    }
};

TEST_F(ServiceTest, AStaleEpochThatWasMeantForAnEarlierStartIsNoAnswer) {
    const Gid gid = submit("1").gid;
    const auto outdated = says_stale(service_->epoch());
    for (int i = 0; i < 3; ++i) answer(outdated);
    EXPECT_GT(stale_, 0);
    EXPECT_FALSE(service_->has_reached(gid, Milestone::decided)) << "it was no vote";
    pass(5'000ms);
    finish();
    EXPECT_EQ(decision_of(gid), Decision::rollback) << "nobody voted in time";
}

/// What the calls that wait say of their urgency; empty: nothing.
std::set<std::string> priorities(const Turned& around) {
    std::set<std::string> all;
    for (const auto& sent : around.calls) {
        std::string priority;
        for (const http::Header& header : sent.call.headers)
            if (header.name == "Priority") priority = header.value;
        all.insert(priority);
    }
    return all;
}

/// Prepares and takes the votes; then the commits wait.
class PriorityTest : public ServiceTest {
protected:
    Gid leave_committing(const std::string& id, Milestone awaited) {
        const Gid gid = submit(id).gid;
        service_->wait(gid, awaited, [](Milestone) {});
        run();
        EXPECT_EQ(priorities(around_), std::set<std::string>{""}) << "a vote holds up who asked";
        answer();
        EXPECT_EQ(around_.calls.size(), 2U);
        return gid;
    }
};

TEST_F(PriorityTest, ACommitThatNobodyWaitsForMayTakeItsTime) {
    finish();
    const Gid gid = leave_committing("1", Milestone::decided);
    EXPECT_TRUE(service_->has_reached(gid, Milestone::decided));
    EXPECT_EQ(priorities(around_), std::set<std::string>{"u=5"});
    finish();
}

TEST_F(PriorityTest, ACommitThatAClientWaitsForIsUrgent) {
    finish();
    leave_committing("1", Milestone::completed);
    EXPECT_EQ(priorities(around_), std::set<std::string>{""});
    finish();
}

TEST_F(PriorityTest, AnArrayIsAsUrgentAsItsMostUrgentCall) {
    finish();
    const Gid first = submit("1").gid;
    const Gid second = submit("2").gid;
    service_->wait(first, Milestone::decided, [](Milestone) {});
    service_->wait(second, Milestone::completed, [](Milestone) {});
    run();
    answer();
    ASSERT_EQ(around_.calls.size(), 2U) << "one array to each";
    EXPECT_EQ(priorities(around_), std::set<std::string>{""});
    finish();
}

// Of participants that don't tell which log they know.
TEST_F(ServiceTest, AStaleEpochHoldsItsLaneAndTheWordOfMostEndsTheProgram) {
    hear();
    for (const std::optional<std::uint64_t>& seen :
         {std::optional(service_->epoch() + 1), std::optional<std::uint64_t>()}) {
        int code = 0;
        stopped_ = [&code](int exit_code, const std::string&) { code = exit_code; };
        const auto outdated = says_stale(seen);
        const Participant one = [&](const std::string& verb, const Json& message) {
            return message["participant"] == "coupon" ? outdated(verb, message)
                                                      : agrees(verb, message);
        };
        submit(seen ? "1" : "2");
        for (int i = 0; i < 4; ++i) answer(one);
        pass(2'000ms);
        EXPECT_EQ(code, 0) << "one of two alone";
        EXPECT_EQ(submit(seen ? "3" : "4").kind, Admitted::Kind::held);
        EXPECT_TRUE(service_->lanes().at(0).held_for.find("later") != std::string::npos)
            << "coupon's lane is held";
        EXPECT_EQ(service_->lanes().at(1).held_for, "") << "credit's is not";
        submission_of({"credit"}, seen ? "5" : "6");
        for (int i = 0; i < 4; ++i) answer(outdated);
        pass(2'000ms);
        EXPECT_EQ(code, 4);
        crash();
        start();
        hear();
    }
}

class BacklogTest : public ServiceTest {
protected:
    BacklogTest() {
        config_.max_live = 40;  // a participant may have ten calls waiting
        config_.call_timeout = 5'000ms;
    }
    static constexpr int bound = 10;
};

TEST_F(BacklogTest, NewWorkIsRefusedWhenAParticipantHasTooMuchToHear) {
    for (int i = 0; i < bound; ++i)
        EXPECT_EQ(submit("new " + std::to_string(i)).kind, Admitted::Kind::is_new);
    EXPECT_EQ(submit("one more").kind, Admitted::Kind::backlog);
}

TEST_F(BacklogTest, WhatAnEarlierStartLeftCountsOnlyWhileTheParticipantDoesNotAnswer) {
    for (int i = 0; i < bound; ++i) leave_decided(std::to_string(i));
    crash();
    start();
    ASSERT_EQ(service_->core().transactions().size(), bound);
    EXPECT_EQ(submit("new").kind, Admitted::Kind::is_new);

    const auto nobody = [](const std::string&, const Json&) { return Said{0, {}}; };
    for (int i = 0; i < 5; ++i) {
        answer(nobody);
        pass(60'000ms);
    }
    ASSERT_TRUE(service_->lanes().front().is_open);
    EXPECT_EQ(submit("newer").kind, Admitted::Kind::backlog);
}

TEST_F(ServiceTest, AParticipantThatAsksToBeLeftAloneIs) {
    hear();
    submit("1");
    run();
    answer();  // prepares
    headers_ = [](const std::string& name) {
        return name == "coupon" ? std::vector<http::Header>{{"Retry-After", "20"}}
                                : std::vector<http::Header>();
    };
    answer([](const std::string& verb, const Json& message) {
        return message["participant"] == "coupon" ? Said{429, {{"code", "slow_down"}}}
                                                  : agrees(verb, message);
    });
    headers_ = nullptr;
    const auto asked = [this] {
        return std::ranges::count_if(around_.calls,
                                     [](const auto& sent) { return sent.call.method == "POST"; });
    };
    pass(19'999ms);
    EXPECT_EQ(asked(), 0);
    pass(1ms);
    EXPECT_EQ(asked(), 1);
}

TEST_F(ServiceTest, TheQuestionWaitsAsLongAsABusyParticipantAsks) {
    introduce_ = [](const std::string&, const std::string&) {
        return http::Response{.status = 429, .headers = {{"Retry-After", "20"}}};
    };
    run();
    ASSERT_EQ(around_.calls.size(), 2U);
    answer();
    pass(19'999ms);
    EXPECT_TRUE(around_.calls.empty());
    pass(1ms);
    EXPECT_EQ(around_.calls.size(), 2U);
}

}  // namespace
}  // namespace twophase::coordinator
