// What the tests of lost, copied and restored stores have in common: the three programs with a
// network that can be cut, recoveryctl, and one exchange at a time whose every answer is kept.
#pragma once

#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"
#include "tests/faults/proxied_fleet.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace twophase::faults {

/// How a command ended, and all that it printed.
struct Said {
    int exit_code = -1;
    std::string text;
};

/// Runs recoveryctl and waits for its end.
Said recoveryctl(std::vector<std::string> words);

/// A raw copy of a folder, as `cp -a` makes it: new files, the same content. Of a running program's
/// too.
void copy_raw(const std::filesystem::path& from, const std::filesystem::path& to);

class Runbook : public testing::Test {
protected:
    static constexpr std::int64_t price = 100;

    void SetUp() override { proxied_.start(); }

    // --- clients ---
    static Exchange exchange_of(const std::string& id);
    /// Submits it to `coordinator` and keeps what was told.
    Json submit_to(const Program& coordinator, const std::string& id, const Json& more = {});
    Json submit(const std::string& id, const Json& more = {}) {
        return submit_to(coordinator_, id, more);
    }
    /// Status and code of a submission that is refused.
    static std::string refusal_of(const http::Response& response);
    std::string refused(const std::string& id) { return refusal_of(send(coordinator_, id)); }
    static http::Response send(const Program& coordinator,
                               const std::string& id,
                               const Json& more = {});
    /// Only of credit: points are added.
    http::Response send_to_credit_alone(const std::string& id);

    // --- a decision on its way ---
    /// Its client is told commit; the commit reaches credit and not coupon, which stays in doubt.
    std::string half_deliver(const std::string& id);
    /// As above, but the commit reaches nobody: both stay in doubt.
    std::string deliver_nowhere(const std::string& id);
    /// The coordinator is killed, and the network is whole again.
    void end_in_the_middle();
    /// Killed before it decides: its start is durable, both are prepared, nobody was told anything.
    void leave_undecided(const std::string& id);

    // --- looking ---
    Json log() { return ask_json(coordinator_, "GET", "/v1/log"); }
    std::string log_state() { return log().value("state", ""); }
    bool gets(const std::string& state);
    /// Why nothing is sent to it; empty where it is, and where it was not heard yet.
    std::string held_for(const std::string& participant);
    static std::size_t in_doubt(const Program& participant);
    /// What participants hold: nothing moves while a coordinator may not be believed.
    Json holdings();
    /// Until as many inquiries as there are branches in doubt were answered `pending`.
    void expect_inquiries_to_be_answered_pending();
    static double metric(const Program& program, const std::string& sample);
    static std::size_t count_in_log(const Program& program, const std::string& text);
    /// The log it listens to.
    static std::string known_log(const Program& participant);

    // --- endings ---
    /// Starts it: it has to end by itself with this exit code.
    static void expect_end(Program& program, int exit_code);
    /// All is ended, and the books agree with what clients were told.
    void expect_all_well();

    // --- places ---
    std::filesystem::path place(const std::string& name) const { return fleet_.folder() / name; }
    /// A coordinator with the same id and the same participants, in a folder of its own.
    Program another_coordinator(const std::string& folder, std::vector<std::string> more = {});
    /// Those who look for the coordinator find this one from now on.
    void lead_to(const Program& other);

    std::string decide(const std::string& id, const std::set<std::string>& unreached);

    ProxiedFleet proxied_;
    Fleet& fleet_ = proxied_.fleet;
    Program& coordinator_ = fleet_.coordinator;
    Program& credit_ = fleet_.credit;
    Program& coupon_ = fleet_.coupon;
    std::map<std::string, Exchange> exchanges_;
};

}  // namespace twophase::faults
