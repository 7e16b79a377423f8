// Who waits for an account's lock, first come first served, and when a lease ends.
#pragma once

#include "participants/audit.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/credit/locks.hpp"
#include "participants/request_queue.hpp"
#include "recovery/surroundings.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace twophase::participants::credit {

/// A request for a lock.
struct LockWish {
    AccountName name;
    std::int64_t lease_ms = 0;
    std::int64_t wait_ms = 0;
    AuditEntry entry;  // as far as the caller knows it
};

enum class LockFate {
    granted,
    no_account,
    still_locked,  // the wait was over first
    crowded,       // as many wait already as may
    stopping,
    overloaded,
    not_done,  // see `fate`
};
struct LockAnswer {
    LockFate how = LockFate::not_done;
    Account account;                 // granted
    Lock lock;                       // granted
    std::uint64_t seconds_left = 0;  // still_locked
    Fate fate = Fate::durable;
};

enum class ReleaseFate { released, already_over, stale, no_account, overloaded, not_done };
struct ReleaseAnswer {
    ReleaseFate how = ReleaseFate::not_done;
    Fate fate = Fate::durable;
};

/// The lines of those who wait. All locks of a store are given and ended through one of these, so
/// it knows which are held. Lines live in memory, as those who wait die with the process; what is
/// held is in the store, and leases run on the steady clock from when the lock was durable. Belongs
/// to the loop's thread.
class LockLines {
public:
    struct Parts {
        recovery::Surroundings& machine;
        RequestQueue& queue;
        const Accounts& accounts;
        const Locks& locks;
        const Audit& audit;
        Clock clock;
        std::string participant;
    };
    struct Limits {
        std::size_t most_in_line = 100;
        std::size_t most_waiting = 1'000;  // in all lines; each keeps a connection
    };
    using LockDone = std::function<void(const LockAnswer&)>;
    using ReleaseDone = std::function<void(const ReleaseAnswer&)>;

    /// Takes up the locks that the last run left held: their leases begin anew, in full.
    LockLines(Parts parts, Limits limits);
    LockLines(const LockLines&) = delete;
    LockLines& operator=(const LockLines&) = delete;

    /// `done` runs once: when the lock is granted and durable, or with why not.
    void acquire(LockWish wish, LockDone done);
    /// Ends the lock that has this token; a lock that is over stays over.
    void release(const AccountName& name, std::uint64_t token, AuditEntry entry, ReleaseDone done);
    /// Sends all who wait away; nobody waits any more from here on.
    void stop();

private:
    using Time = recovery::Time;
    struct Waiter {
        LockWish wish;
        Time gives_up;
        LockDone done;
    };
    struct Held {
        std::uint64_t token = 0;
        Time ends{};
        bool is_ending = false;
    };
    struct Line {
        AccountName name;
        std::optional<Held> held;
        bool is_granting = false;  // to the one who was first; not durable yet
        std::deque<Waiter> waiters;
        std::optional<Time> alarm;  // when this line wants to be looked at
    };

    void go_on(const std::string& key);
    void grant_to_first(const std::string& key, Line& line);
    LockAnswer grant_in(wal::Unit& unit, const LockWish& wish, const Moment& moment) const;
    void granted(const std::string& key, const LockAnswer& answer, std::int64_t lease_ms);
    std::deque<Waiter> take_late(Line& line, Time now);
    void end_lease(const std::string& key, Line& line);
    ReleaseFate end_in(wal::Unit& unit,
                       const AccountName& name,
                       std::uint64_t token,
                       AuditEntry entry) const;
    void ended(const std::string& key, std::uint64_t token);
    /// Replaces the line's alarm.
    void set_alarm(const std::string& key, Line& line, std::optional<Time> at);
    void arm();
    void ring();

    Parts parts_;
    Limits limits_;
    std::map<std::string, Line> lines_;           // of accounts that are locked or waited for
    std::set<std::pair<Time, std::string>> due_;  // the alarms of all lines
    std::unique_ptr<recovery::Alarm> alarm_;
    std::size_t waiting_ = 0;
    bool is_stopped_ = false;
};

}  // namespace twophase::participants::credit
