// Every named crash point of all three programs, taken once, with a restart: the books agree.
#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

struct Point {
    const char* program;
    const char* name;
};

std::ostream& operator<<(std::ostream& out, const Point& point) {
    return out << point.program << " at " << point.name;
}

const Point points[] = {
    // The coordinator: before and after every durable write …
    {"coordinator", "before-barrier"},
    {"coordinator", "after-barrier"},
    {"coordinator", "before-resume"},
    {"coordinator", "after-resume"},
    {"coordinator", "before-started"},
    {"coordinator", "after-started"},
    {"coordinator", "before-decided"},
    {"coordinator", "after-decided"},
    {"coordinator", "before-branch_done"},
    {"coordinator", "after-branch_done"},
    {"coordinator", "before-finished"},
    {"coordinator", "after-finished"},
    // … and every message.
    {"coordinator", "client-asked"},
    {"coordinator", "submitted"},
    {"coordinator", "send-prepare"},
    {"coordinator", "sent-prepare"},
    {"coordinator", "send-prepare:2"},
    {"coordinator", "answered-prepare"},
    {"coordinator", "answered-prepare:2"},
    {"coordinator", "send-commit"},
    {"coordinator", "sent-commit"},
    {"coordinator", "send-commit:2"},
    {"coordinator", "answered-commit"},
    {"coordinator", "answered-commit:2"},
    {"coordinator", "send-rollback"},
    {"coordinator", "sent-rollback"},
    {"coordinator", "send-rollback:2"},
    {"coordinator", "answered-rollback"},
    {"coordinator", "answered-rollback:2"},
    {"coordinator", "reply-client"},
    {"coordinator", "replied-client"},
    {"credit", "before-barrier"},
    {"credit", "after-barrier"},
    {"credit", "receive-prepare"},
    {"credit", "before-prepare"},
    {"credit", "after-prepare"},
    {"credit", "reply-prepare"},
    {"credit", "replied-prepare"},
    {"credit", "receive-commit"},
    {"credit", "before-commit"},
    {"credit", "after-commit"},
    {"credit", "reply-commit"},
    {"credit", "replied-commit"},
    {"credit", "receive-rollback"},
    {"credit", "before-rollback"},
    {"credit", "after-rollback"},
    {"credit", "reply-rollback"},
    {"credit", "replied-rollback"},
    {"coupon", "before-barrier"},
    {"coupon", "after-barrier"},
    {"coupon", "receive-prepare"},
    {"coupon", "before-prepare"},
    {"coupon", "after-prepare"},
    {"coupon", "reply-prepare"},
    {"coupon", "replied-prepare"},
    {"coupon", "receive-commit"},
    {"coupon", "before-commit"},
    {"coupon", "after-commit"},
    {"coupon", "reply-commit"},
    {"coupon", "replied-commit"},
    {"coupon", "receive-rollback"},
    {"coupon", "before-rollback"},
    {"coupon", "after-rollback"},
    {"coupon", "reply-rollback"},
    {"coupon", "replied-rollback"},
};

class CrashPointTest : public testing::TestWithParam<Point> {
protected:
    static void SetUpTestSuite() {
        // Short waits, so that a suite of crashes takes minutes; the rules are the defaults'.
        fleet_ = new Fleet({.coordinator = {"--vote-timeout-ms",
                                            "2000",
                                            "--retry-initial-ms",
                                            "100",
                                            "--retry-max-ms",
                                            "1000",
                                            "--probe-interval-max-ms",
                                            "500",
                                            "--sweep-interval-ms",
                                            "1000"},
                            .participants = {"--inquire-after-ms", "500"}});
        fleet_->start_all();
        open_books(*fleet_);
    }
    static void TearDownTestSuite() {
        delete fleet_;
        fleet_ = nullptr;
    }

    /// A few exchanges, some refused, until the program has crashed; then a restart, all answers,
    /// and the books.
    void crash_and_compare(Program& program, const std::string& crash_at) {
        program.terminate();
        program.start(crash_at);
        Load load(fleet_->coordinator,
                  {.clients = 4,
                   .most_exchanges = 60,
                   .prefix = std::string(GetParam().program) + crash_at + "-"});
        load.start();
        const auto ending = program.wait_end(60s);
        ASSERT_TRUE(ending) << "the point was never passed\n" << program.log_tail();
        EXPECT_TRUE(ending->was_killed) << "ended otherwise\n" << program.log_tail();
        fleet_->start_all();
        EXPECT_TRUE(load.finish(60s)) << fleet_->coordinator.log_tail();
        expect_quiet(*fleet_, 30s);
        expect_books_agree(*fleet_, load.exchanges(), settled_);
    }

    static Fleet* fleet_;
    static std::set<std::string> settled_;
};

Fleet* CrashPointTest::fleet_ = nullptr;
std::set<std::string> CrashPointTest::settled_;

TEST_P(CrashPointTest, LosesNothing) {
    crash_and_compare(fleet_->by_name(GetParam().program), GetParam().name);
}

std::string name_of(const testing::TestParamInfo<Point>& info) {
    std::string name = std::string(info.param.program) + "_" + info.param.name;
    for (char& c : name)
        if (c == '-' || c == ':') c = '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, CrashPointTest, testing::ValuesIn(points), name_of);

/// Branches that the participants hold in doubt; while one of them can't be asked, more than none.
std::size_t count_in_doubt(Fleet& fleet) {
    std::size_t count = 0;
    for (Program* participant : {&fleet.credit, &fleet.coupon}) {
        const auto answer = try_ask(*participant, "GET", "/v1/branches/in-doubt");
        const Json page = answer ? Json::parse(answer->body, nullptr, false) : Json();
        count += page.is_object() && page.contains("items") ? page["items"].size() : 1;
    }
    return count;
}

/// A participant that voted yes and hears nothing asks; both sides of that may crash too.
class InquiryCrashTest : public testing::TestWithParam<Point> {};

TEST_P(InquiryCrashTest, TheBranchInDoubtIsResolvedAllTheSame) {
    Fleet fleet({.participants = {"--inquire-after-ms", "300"}});
    fleet.start_all();
    open_books(fleet);
    // The coordinator dies with both votes in: both participants are in doubt.
    fleet.coordinator.terminate();
    fleet.coordinator.start("before-decided");
    Load load(fleet.coordinator, {.clients = 1, .most_exchanges = 1});
    load.start();
    ASSERT_TRUE(fleet.coordinator.wait_end(60s));
    // It comes back unable to reach them: only their own question helps.
    const Json nowhere{{"endpoint", "file:" + (fleet.folder() / "nowhere").string() + "#"}};
    Program apart("coordinator",
                  fleet.folder(),
                  {"--participants", Json{{"credit", nowhere}, {"coupon", nowhere}}.dump()});
    Program* program = &apart;
    if (std::string(GetParam().program) == "coordinator") {
        apart.start(GetParam().name);
    } else {
        apart.start();
        program = &fleet.by_name(GetParam().program);
        program->terminate();
        program->start(GetParam().name);
    }
    const auto ending = program->wait_end(60s);
    ASSERT_TRUE(ending) << "the point was never passed\n" << program->log_tail();
    EXPECT_TRUE(ending->was_killed);
    if (!apart.is_running()) apart.start();
    for (Program* participant : {&fleet.credit, &fleet.coupon})
        if (!participant->is_running()) participant->start();
    EXPECT_TRUE(eventually(60s, [&] { return count_in_doubt(fleet) == 0; })) << apart.log_tail();
    apart.terminate();
    fleet.start_all();
    EXPECT_TRUE(load.finish(60s));
    expect_quiet(fleet, 60s);
    expect_books_agree(fleet, load.exchanges());
}

const Point inquiry_points[] = {{"credit", "inquire"},
                                {"credit", "inquired"},
                                {"coupon", "inquire"},
                                {"coupon", "inquired"},
                                {"coordinator", "asked-decision"},
                                {"coordinator", "told-decision"}};

INSTANTIATE_TEST_SUITE_P(EveryPoint, InquiryCrashTest, testing::ValuesIn(inquiry_points), name_of);

}  // namespace
}  // namespace twophase::faults
