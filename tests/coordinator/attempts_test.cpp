// A next attempt under a business key, and what has to be undone before it.
#include "coordinator/api.hpp"
#include "tests/coordinator/turned_service.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

using namespace std::chrono_literals;

class AttemptsTest : public TurnedService, public ::testing::WithParamInterface<Mode> {
protected:
    /// Credit has done its part, coupon refused; credit's undoing is not answered.
    Gid refused() {
        const Gid gid = attempt(1).gid;
        run();
        for (int i = 0; i < 3; ++i) answer(holds_on);
        return gid;
    }
    Admitted attempt(std::uint32_t number) {
        Submission submission{.mode = GetParam(),
                              .key = {.code = "order", .id = "7", .attempt = number},
                              .vote_timeout = 60'000ms};
        for (const char* name : {"credit", "coupon"})
            submission.branches.push_back(
                {.branch_id = name, .participant = name, .operation = "do", .payload = "{}"});
        return service_->submit(std::move(submission));
    }
    /// Credit says yes and no more; coupon refuses, which leaves nothing to undo there.
    static Said holds_on(const std::string& verb, const Json& message) {
        const bool is_asked = verb == "prepare" || verb == "execute";
        if (is_asked && message["participant"] == "coupon")
            return {409, {{"code", "refused"}, {"message", "none"}, {"reason", "sold_out"}}};
        if (is_asked || message["participant"] == "coupon") return undoes(verb, message);
        return {503, {{"code", "busy"}}};
    }
    static Said undoes(const std::string& verb, const Json& message) {
        if (verb == "compensate") return {200, {{"state", "compensated"}}};
        return agrees(verb, message);
    }
    void undo() {
        pass(60'000ms);
        finish(undoes);
    }
};

TEST_P(AttemptsTest, TheNextWaitsUntilTheFirstIsUndoneEverywhere) {
    const Gid gid = refused();
    ASSERT_EQ(service_->inquire(gid), Verdict::rollback);
    bool is_told = false;
    service_->wait(gid, Milestone::undone, [&](Milestone) { is_told = true; });
    EXPECT_TRUE(service_->has_reached(gid, Milestone::completed)) << "its 409 need not wait";
    EXPECT_FALSE(service_->has_reached(gid, Milestone::undone));
    EXPECT_EQ(attempt(2).kind, Admitted::Kind::attempt_not_over) << "credit holds something still";
    EXPECT_EQ(attempt(1).kind, Admitted::Kind::repeat);
    EXPECT_FALSE(is_told);
    undo();
    EXPECT_TRUE(is_told);
    EXPECT_TRUE(service_->has_reached(gid, Milestone::undone));
    EXPECT_EQ(attempt(2).kind, Admitted::Kind::is_new);
}

TEST_P(AttemptsTest, TheNextIsNamedOnlyUnderOneThatIsRolledBack) {
    const BusinessKey key{.code = "order", .id = "7"};
    EXPECT_FALSE(service_->next_attempt(key)) << "nothing is known";
    hear();
    attempt(1);
    run();
    EXPECT_FALSE(service_->next_attempt(key)) << "it is open";
    for (int i = 0; i < 3; ++i) answer(holds_on);
    ASSERT_TRUE(service_->next_attempt(key));
    EXPECT_EQ(service_->next_attempt(key)->number, 2U);
    EXPECT_FALSE(service_->next_attempt(key)->is_possible) << "credit holds something still";
    undo();
    EXPECT_TRUE(service_->next_attempt(key)->is_possible);
    attempt(2);
    run();
    EXPECT_FALSE(service_->next_attempt(key)) << "the second one is open";
    finish(agrees);
    EXPECT_FALSE(service_->next_attempt(key)) << "it is committed";
    crash();
    start();
    hear();
    finish(agrees);
    EXPECT_FALSE(service_->next_attempt(key));
}

TEST_P(AttemptsTest, ARestartForgetsNothingOfThat) {
    const Gid gid = refused();
    crash();
    start();
    run();
    ASSERT_EQ(service_->inquire(gid), Verdict::rollback);
    EXPECT_EQ(attempt(2).kind, Admitted::Kind::attempt_not_over);
    undo();
    EXPECT_EQ(attempt(2).kind, Admitted::Kind::is_new);
}

INSTANTIATE_TEST_SUITE_P(Modes,
                         AttemptsTest,
                         ::testing::Values(Mode::two_phase, Mode::saga),
                         [](const auto& each) { return std::string(to_text(each.param)); });

}  // namespace
}  // namespace twophase::coordinator
