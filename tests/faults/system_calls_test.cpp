// The Nth system call of a program fails, once or from then on: files, syncs, sockets. A program
// whose store fails ends itself; one whose network fails goes on.
#include "tests/faults/choice.hpp"
#include "tests/faults/failing_io.hpp"
#include "tests/faults/proxied_fleet.hpp"
#include "tests/faults/shared_page.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace twophase::faults {
namespace {

using namespace std::literals;

constexpr int exit_no_start = 2;
constexpr int exit_store = 3;
constexpr std::size_t exchanges_each = 8;
constexpr long most_calls = 1'000;  // more than these exchanges make of any kind

struct Failure {
    const char* what;
    Call call;
    int error;
    int exit_code = 0;  // with which the program ends itself; 0: it goes on
};

// After a failed write or sync nobody knows what is on the disk: only a new start may look.
const Failure failures[] = {
    {"write_eio", Call::store_write, EIO, exit_store},
    {"write_enospc", Call::store_write, ENOSPC, exit_store},
    {"write_half", Call::store_write, FailingPage::half, exit_store},
    {"meta_write_eio", Call::meta_write, EIO, exit_store},
    {"meta_write_half", Call::meta_write, FailingPage::half, exit_store},
    {"sync_eio", Call::store_sync, EIO, exit_store},
    {"address_enospc", Call::file_write, ENOSPC, exit_no_start},
    {"store_read_eio", Call::store_read, EIO, exit_store},
    {"address_read_eio", Call::file_read, EIO},
    {"send_epipe", Call::send, EPIPE},
    {"send_half", Call::send, FailingPage::half},
    {"receive_reset", Call::receive, ECONNRESET},
    {"receive_half", Call::receive, FailingPage::half},
    {"accept_emfile", Call::accept, EMFILE},
    {"connect_refused", Call::connect, ECONNREFUSED},
};

bool is_of_connecting(const Failure& failure) {
    return failure.call == Call::connect || failure.call == Call::file_read;
}

constexpr Failure no_blocks{"space_enospc", Call::store_space, ENOSPC};

/// A fleet with failing_io in each program.
class FailingFleet : public ProxiedFleet {
public:
    FailingFleet() {
        const char* options = std::getenv("ASAN_OPTIONS");
        for (const char* name : {"coordinator", "credit", "coupon"}) {
            auto page = std::make_unique<SharedPage<FailingPage>>(fleet.folder() / (name + ".io"s));
            Program& program = fleet.by_name(name);
            program.set_environment("FAILING_IO", page->file());
            program.set_environment("LD_PRELOAD", FAILING_IO_LIBRARY);
            // Ours comes before the sanitizer's: it stands in front of its wrappers.
            program.set_environment(
                "ASAN_OPTIONS",
                (options == nullptr ? "" : options + ":"s) + "verify_asan_link_order=0");
            pages_.emplace(name, std::move(page));
        }
    }

    FailingPage& page(const std::string& program) { return *pages_.at(program)->operator->(); }

    void arm(const std::string& program, const Failure& failure, long nth, bool is_forever) {
        FailingPage& it = page(program);
        it.failed = 0;
        it.error = failure.error;
        it.is_forever = is_forever;
        it.calls_left = nth;
        it.call = failure.call;
    }

    /// So that the program has to look for its peers again, until heal().
    void make_it_connect(const std::string& program) {
        if (program == "coordinator") {
            // One refusal ends one connection, and another takes the next call, while there are
            // any.
            constexpr std::size_t more_than_it_keeps = 12;
            for (const char* peer : {"credit", "coupon"})
                to(peer).next(Fault::refuse, "", more_than_it_keeps);
        } else {
            // In doubt it asks, for as long as nobody tells it and nobody answers.
            to(program).next(Fault::lose_request, "/commit", most_calls);
            to("coordinator").next(Fault::refuse, "", most_calls);
        }
    }

private:
    std::map<std::string, std::unique_ptr<SharedPage<FailingPage>>> pages_;
};

class SystemCallsTest : public testing::TestWithParam<const char*> {
protected:
    /// One failure under a few exchanges; whether it was reached at all.
    bool fail(const Failure& failure, long nth, bool is_forever, bool is_at_start);
    void await_it(const Failure& failure, Load& load, long nth, bool is_forever);
    void expect_ended_itself(const Failure& failure);
    void run(const Failure& failure, bool is_forever, bool is_at_start);

    Program& program() { return failing_.fleet.by_name(GetParam()); }
    FailingPage& page() { return failing_.page(GetParam()); }

    FailingFleet failing_;
    std::size_t cases_ = 0;
    std::size_t reached_ = 0;
    std::set<std::string> reached_kinds_;
};

bool SystemCallsTest::fail(const Failure& failure, long nth, bool is_forever, bool is_at_start) {
    const std::string name = std::string(GetParam()) + "/" + failure.what + "/" +
                             std::to_string(nth) + (is_forever ? "/forever" : "/once") +
                             (is_at_start ? "/start" : "");
    if (!is_wanted(name)) return true;
    SCOPED_TRACE(name);
    if (is_at_start) program().kill();
    failing_.arm(GetParam(), failure, nth, is_forever);
    if (is_at_start) program().start();
    Load load(
        failing_.fleet.coordinator,
        {.clients = 4, .most_exchanges = exchanges_each, .prefix = name + "-", .pause = 20ms});
    if (is_of_connecting(failure)) failing_.make_it_connect(GetParam());
    load.start();
    await_it(failure, load, nth, is_forever);
    const bool was_reached = page().failed > 0;
    if (was_reached && failure.exit_code != 0) expect_ended_itself(failure);
    EXPECT_TRUE(failure.exit_code != 0 || !program().wait_end(0ms)) << program().log_tail();
    page().call = Call::none;
    failing_.heal();
    failing_.fleet.start_all();
    failing_.expect_all_well(load);
    ++cases_;
    reached_ += was_reached ? 1 : 0;
    if (was_reached) reached_kinds_.insert(failure.what);
    return was_reached;
}

/// Until the call has failed and what comes of it is seen, or all went by without it.
void SystemCallsTest::await_it(const Failure& failure, Load& load, long nth, bool is_forever) {
    // A participant connects only to ask, and asks less and less often.
    const bool is_rare = is_of_connecting(failure) && GetParam() != "coordinator"s;
    const long enough_failures = is_rare ? 1 : 5;
    const auto patience = !is_rare ? 0s : nth == 1 ? 30s : 3s;
    const auto earliest_end = std::chrono::steady_clock::now() + patience;
    const auto is_seen = [&] {
        const bool went_by = load.answered() == exchanges_each || is_rare;
        if (went_by && std::chrono::steady_clock::now() >= earliest_end) return true;
        if (page().failed == 0) return false;
        return failure.exit_code != 0 || !is_forever || page().failed >= enough_failures;
    };
    EXPECT_TRUE(eventually(60s, is_seen)) << page().failed << "\n" << program().log_tail();
}

void SystemCallsTest::expect_ended_itself(const Failure& failure) {
    const auto ending = program().wait_end(60s);
    ASSERT_TRUE(ending) << "it runs on\n" << program().log_tail();
    EXPECT_EQ(ending->exit_code, failure.exit_code) << program().log_tail();
    if (!page().is_forever) return;
    // What fails still, ends the next start as well.
    page().is_forever = false;
    page().calls_left = 1;
    program().start();
    expect_ended_itself(failure);
}

void SystemCallsTest::run(const Failure& failure, bool is_forever, bool is_at_start) {
    if (is_everything_wanted()) {
        for (long nth = 1; nth <= most_calls && !HasFailure(); ++nth)
            if (!fail(failure, nth, is_forever, is_at_start)) return;
        return;
    }
    // The first, and one further on that changes by day.
    for (const long nth : {1L, 2 + static_cast<long>(day() % 11)})
        if (!HasFailure()) fail(failure, nth, is_forever, is_at_start);
}

TEST_P(SystemCallsTest, AFailureLosesNothingAndTellsNothingUntrue) {
    failing_.start();
    for (const Failure& failure : failures)
        for (const bool is_forever : {false, true}) run(failure, is_forever, false);
    for (const Failure& failure : failures)
        if (failure.call <= Call::file_read) run(failure, false, true);
    std::printf("%s: %zu cases, %zu reached their call (day %llu)\n",
                GetParam(),
                cases_,
                reached_,
                static_cast<unsigned long long>(day()));
    for (const Failure& failure : failures)
        EXPECT_TRUE(!is_wanted("") || reached_kinds_.contains(failure.what))
            << failure.what << " never happened";
    failing_.expect_orderly_end();
}

/// The store is new: that is when it reserves its blocks.
TEST_P(SystemCallsTest, WithoutBlocksAheadItGoesOnAllTheSame) {
    failing_.arm(GetParam(), no_blocks, 1, true);
    failing_.start();
    EXPECT_GT(page().failed, 0);
    Load load(failing_.fleet.coordinator, {.clients = 4, .most_exchanges = exchanges_each});
    load.start();
    EXPECT_TRUE(eventually(60s, [&] { return load.answered() == exchanges_each; }));
    failing_.expect_all_well(load);
    // Nor is a restart put off by a file without room ahead.
    program().kill();
    failing_.fleet.start_all();
    expect_quiet(failing_.fleet, 60s);
    failing_.expect_orderly_end();
}

INSTANTIATE_TEST_SUITE_P(Each,
                         SystemCallsTest,
                         testing::Values("coordinator", "credit", "coupon"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace twophase::faults
