#include "tests/powerloss/record_fleet.hpp"

#include "tests/faults/books.hpp"
#include "tests/powerloss/fleet_checker.hpp"
#include "tests/powerloss/record_log.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace twophase::powerloss {
namespace {

using namespace faults;
using namespace std::chrono_literals;

/// What this process starts meanwhile is recorded.
class Recording {
public:
    explicit Recording(const Recorded& recorded, std::uint64_t kill_after = 0) {
        for (const std::string& variable : recorded.environment(kill_after)) {
            const std::size_t equals = variable.find('=');
            const std::string name = variable.substr(0, equals);
            const char* before = std::getenv(name.c_str());
            before_.emplace_back(
                name, before == nullptr ? std::nullopt : std::optional<std::string>(before));
            ::setenv(name.c_str(), variable.c_str() + equals + 1, 1);
        }
    }
    ~Recording() {
        for (const auto& [name, value] : before_) {
            if (value)
                ::setenv(name.c_str(), value->c_str(), 1);
            else
                ::unsetenv(name.c_str());
        }
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

private:
    std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

void start_recorded(Fleet& fleet, const Recorded& recorded) {
    const Recording recording(recorded);
    fleet.start_all();
}

/// Restarts the program such that it is killed some time later.
void doom(Fleet& fleet, const Recorded& recorded, const Loading& loading) {
    Program& doomed = fleet.by_name(loading.killed);
    EXPECT_EQ(doomed.terminate().exit_code, 0);
    const Recording recording(recorded, loading.kill_after);
    doomed.start();
    EXPECT_TRUE(doomed.wait_ready());
}

/// Waits until it is killed and starts it again.
void revive(Fleet& fleet, const Recorded& recorded, const Loading& loading) {
    Program& doomed = fleet.by_name(loading.killed);
    const auto ending = doomed.wait_end(60s);
    ASSERT_TRUE(ending && ending->was_killed) << loading.killed << " lived on";
    recorded.settle(doomed.data().filename().string() + "/data.mdb");
    start_recorded(fleet, recorded);
}

}  // namespace

void record_fleet(Fleet& fleet, const Recorded& recorded, const Loading& loading) {
    const Notes notes(recorded.recording());
    start_recorded(fleet, recorded);
    notes.add(ready_note);
    open_books(fleet);
    notes.add(opened_books_note);
    if (!loading.killed.empty()) doom(fleet, recorded, loading);
    const auto tell = [&](const Exchange& exchange, const std::string& gid) {
        if (exchange.is_over)
            notes.add(told_note(gid, {exchange.business_id, *exchange.told.begin()}));
    };
    Load load(fleet.coordinator,
              {.clients = loading.clients, .most_exchanges = loading.exchanges, .told = tell});
    load.start();
    if (!loading.killed.empty()) revive(fleet, recorded, loading);
    EXPECT_TRUE(eventually(60s, [&] { return load.answered() >= loading.exchanges; }));
    EXPECT_TRUE(load.finish(60s)) << fleet.coordinator.log_tail();
    for (const char* name : {"coordinator", "credit", "coupon"})
        EXPECT_EQ(fleet.by_name(name).terminate().exit_code, 0) << name;
    EXPECT_EQ(missed_by(read_recording(recorded.recording()), recorded.root()), "");
    for (const auto& [id, exchange] : load.exchanges())
        notes.add("asked " + id + " " + exchange.user + " " + std::to_string(exchange.price));
}

std::optional<Exchange> asked_in(const std::string& note) {
    std::istringstream words(note);
    std::string word;
    Exchange exchange;
    words >> word >> exchange.business_id >> exchange.user >> exchange.price;
    return word == "asked" ? std::optional(exchange) : std::nullopt;
}

}  // namespace twophase::powerloss
