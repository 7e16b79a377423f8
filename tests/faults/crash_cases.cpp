#include "tests/faults/crash_cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace twophase::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t exchanges_before = 3;
// After the restart, unless every point was passed before: enough for commits and a rollback.
constexpr std::size_t exchanges_afterwards = 6;
// Comparing the books costs by what is in them.
constexpr std::size_t cases_on_a_fleet = 50;
// How long the others may take to come to their points once the first has crashed.
constexpr auto together = 30ms;
constexpr const char* programs[] = {"coordinator", "credit", "coupon"};

std::string joined(const std::vector<std::string>& words, const char* between) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
    return text;
}

std::vector<std::string> points_of_participant() {
    std::vector<std::string> points{"before-barrier", "after-barrier"};
    for (const std::string verb : {"prepare", "commit", "rollback"})
        for (const std::string where : {"receive-", "before-", "after-", "reply-", "replied-"})
            points.push_back(where + verb);
    return points;
}

std::vector<std::string> points_of_coordinator() {
    std::vector<std::string> points{
        "before-barrier", "after-barrier", "before-resume", "after-resume"};
    for (const std::string record : {"started", "decided", "branch_done", "finished"})
        for (const std::string where : {"before-", "after-"}) points.push_back(where + record);
    for (const std::string verb : {"prepare", "commit", "rollback"})
        for (const std::string where : {"send-", "sent-", "answered-"})
            for (const std::string pass : {"", ":2"})
                if (where != "sent-" || pass.empty()) points.push_back(where + verb + pass);
    points.insert(points.end(), {"client-asked", "submitted", "reply-client", "replied-client"});
    return points;
}

}  // namespace

const std::vector<std::string>& points_of(const std::string& program) {
    static const std::vector<std::string> of_coordinator = points_of_coordinator();
    static const std::vector<std::string> of_participant = points_of_participant();
    return program == "coordinator" ? of_coordinator : of_participant;
}

bool is_of_start(const std::string& point) {
    return point.ends_with("-barrier") || point.ends_with("-resume");
}

std::string name_of(const CrashCase& each) {
    std::vector<std::string> points;
    for (const CrashAt& at : each.points) points.push_back(at.program + "." + at.point);
    return joined(points, "+") + "/" + joined(each.order, ",") +
           (each.again.empty() ? "" : "/again." + each.again);
}

CrashBench::CrashBench() { renew(); }

CrashBench::~CrashBench() = default;

void CrashBench::renew() {
    // Nothing is decided by a deadline: a slow machine passes the same points.
    fleet_ = std::make_unique<Fleet>(quick(60s, 10s));
    for (const std::string program : programs) {
        auto page =
            std::make_unique<SharedPage<wal::CrashPage>>(fleet_->folder() / (program + ".crash"));
        fleet_->by_name(program).set_environment("TWOPHASE_CRASH_PAGE", page->file());
        pages_[program] = std::move(page);
    }
    fleet_->start_all();
    open_books(*fleet_);
    settled_.clear();
    spent_ = {std::begin(programs), std::end(programs)};
}

void CrashBench::arm(const CrashAt& at) {
    wal::CrashPage& page = *pages_.at(at.program)->operator->();
    const auto colon = std::min(at.point.find(':'), at.point.size());
    page.passes_left = 0;
    spent_.erase(at.program);
    page.name[at.point.copy(page.name, std::min(colon, sizeof page.name - 1))] = 0;
    page.passes_left = colon < at.point.size() ? std::stol(at.point.substr(colon + 1)) : 1;
}

bool CrashBench::is_armed(const std::string& program) const {
    return (*pages_.at(program))->passes_left > 0;
}

bool CrashBench::has_ended(const std::string& program) {
    Program& it = fleet_->by_name(program);
    if (!it.is_running()) return true;
    const auto ending = it.wait_end(0ms);
    if (!ending) return false;
    EXPECT_TRUE(ending->was_killed) << "ended otherwise\n" << it.log_tail();
    note_end(program);
    return true;
}

void CrashBench::note_end(const std::string& program) {
    if (!is_armed(program)) spent_.insert(program);
}

void CrashBench::run(const CrashCase& each) {
    const std::string name = name_of(each);
    SCOPED_TRACE(name);
    if (tally_.cases > 0 && tally_.cases % cases_on_a_fleet == 0) renew();
    Load load(fleet_->coordinator,
              {.clients = 8, .prefix = std::to_string(tally_.cases) + name + "-", .pause = 10ms});
    load.start();
    // All points are passed all the time when they are armed, so that programs come to theirs
    // together.
    EXPECT_TRUE(eventually(60s, [&] { return load.answered() >= exchanges_before; }));
    for (const CrashAt& at : each.points) arm(at);
    bring_down(each);
    const bool at_once = each.again.empty() && has_passed_all(each);
    if (!each.again.empty()) arm({each.points[0].program, each.again});
    restart(each.order);
    tend(each, load);
    const bool at_last = has_passed_all(each);
    disarm();
    ++tally_.cases;
    ++(at_once ? tally_.at_once : at_last ? tally_.later : tally_.not_all);
    EXPECT_TRUE(load.finish(60s)) << fleet_->coordinator.log_tail();
    expect_quiet(*fleet_, 30s);
    expect_books_agree(*fleet_, load.exchanges(), settled_);
}

bool CrashBench::has_passed_all(const CrashCase& each) const {
    return std::ranges::none_of(each.points,
                                [&](const CrashAt& at) { return is_armed(at.program); });
}

/// Until one has crashed at its point and the others had the time to. In a power cut the rest is
/// killed wherever it is, and so is what can only crash at its next start.
void CrashBench::bring_down(const CrashCase& each) {
    std::vector<std::string> meant;
    std::vector<std::string> killed;
    for (const CrashAt& at : each.points)
        (is_of_start(at.point) ? killed : meant).push_back(at.program);
    if (each.takes_all_down) killed.assign(std::begin(programs), std::end(programs));
    const auto is_down = [&](const std::string& program) { return has_ended(program); };
    const auto is_begun = [&] { return meant.empty() || std::ranges::any_of(meant, is_down); };
    EXPECT_TRUE(eventually(60s, is_begun)) << "no point was passed";
    eventually(together, [&] { return std::ranges::all_of(meant, is_down); });
    for (const std::string& program : killed) {
        if (has_ended(program)) continue;
        fleet_->by_name(program).kill();
        note_end(program);
    }
}

/// Each is ready, or has crashed again, before the next starts.
void CrashBench::restart(const std::vector<std::string>& order) {
    for (const std::string& name : order) {
        Program& program = fleet_->by_name(name);
        if (program.is_running()) continue;
        program.start();
        const auto is_over = [&] {
            if (has_ended(name)) return true;
            const auto answer = try_ask(program, "GET", "/readyz");
            return answer && answer->status == 200;
        };
        EXPECT_TRUE(eventually(60s, is_over)) << program.log_tail();
    }
}

/// Starts again whatever still crashes, until all clients were told.
void CrashBench::tend(const CrashCase& each, Load& load) {
    const std::size_t enough = load.answered() + exchanges_afterwards;
    EXPECT_TRUE(eventually(60s, [&] {
        for (const std::string program : programs)
            if (has_ended(program)) fleet_->by_name(program).start();
        if (has_passed_all(each) || load.answered() >= enough) load.begin_no_more();
        return load.is_over();
    })) << fleet_->coordinator.log_tail();
}

void CrashBench::disarm() {
    for (const std::string program : programs) {
        const bool was_armed = (*pages_.at(program))->passes_left.exchange(0) > 0;
        const bool is_about_to_end = !was_armed && !spent_.contains(program);
        EXPECT_TRUE(!is_about_to_end || eventually(60s, [&] { return has_ended(program); }));
        spent_.insert(program);
    }
    fleet_->start_all();
}

}  // namespace twophase::faults
