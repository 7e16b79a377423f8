// Several programs crash at named points, at once where that can be, start again in some order, and
// may crash again meanwhile: afterwards all is told, all has ended, and the books agree.
#pragma once

#include "tests/faults/books.hpp"
#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"
#include "tests/faults/shared_page.hpp"
#include "wal/crash_point.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace twophase::faults {

struct CrashAt {
    std::string program;  // "coordinator", "credit", "coupon"
    std::string point;
};

struct CrashCase {
    std::vector<CrashAt> points;     // of different programs
    std::vector<std::string> order;  // in which they start again
    std::string again;               // a point of the first program, armed before it starts again
    bool takes_all_down = false;     // a power cut: all three are down before the first restart
};

/// "coordinator.before-decided+credit.reply-prepare/coupon,credit,coordinator"
std::string name_of(const CrashCase& each);

const std::vector<std::string>& points_of(const std::string& program);

/// Passed only while a program starts.
bool is_of_start(const std::string& point);

/// Runs cases on a fleet that is kept, but for what crashed.
class CrashBench {
public:
    CrashBench();
    ~CrashBench();

    void run(const CrashCase& each);

    struct Tally {
        std::size_t cases = 0;
        std::size_t at_once = 0;  // every program was at its point before any started again
        std::size_t later = 0;    // some came to their point only afterwards
        std::size_t not_all = 0;  // some never came to their point
    };
    const Tally& tally() const { return tally_; }

private:
    void renew();
    void arm(const CrashAt& at);
    bool is_armed(const std::string& program) const;
    bool has_ended(const std::string& program);
    void note_end(const std::string& program);
    void bring_down(const CrashCase& each);
    void restart(const std::vector<std::string>& order);
    void tend(const CrashCase& each, Load& load);
    bool has_passed_all(const CrashCase& each) const;
    void disarm();

    std::unique_ptr<Fleet> fleet_;
    std::map<std::string, std::unique_ptr<SharedPage<wal::CrashPage>>> pages_;
    std::set<std::string> settled_;
    std::set<std::string> spent_;  // nothing armed, or what was armed has crashed it
    Tally tally_;
};

}  // namespace twophase::faults
