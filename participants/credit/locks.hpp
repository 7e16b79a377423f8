// Who holds an account: the pessimistic lock as what the store knows of it.
#pragma once

#include "participants/credit/accounts.hpp"
#include "participants/resource.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace twophase::participants::credit {

inline constexpr std::int64_t most_lease_ms = 60'000;

/// A lock that is held. Its lease ends by an event (LockLines), never by a look at a clock: what
/// is in the store is held.
struct Lock {
    std::uint64_t token = 0;  // grows with each lock that this store ever gave
    std::int64_t lease_ms = 0;
    std::uint64_t begun_second = 0;  // by running seconds; only to tell others how long to wait

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.token);
        visit(self.lease_ms);
        visit(self.begun_second);
    }
};

/// The table of locks that are held, and what a lock forbids. Inside one unit each.
class Locks {
public:
    explicit Locks(const TableOf& table_of)
        : locks_(table_of("locks")), numbers_(table_of("numbers")) {}

    std::optional<Lock> held(const wal::Unit& unit, const AccountName& name) const;

    /// Why a write that carries `token`, or none, may not be carried out, if so: 423
    /// `account-locked` without the token, 412 `stale-lock-token` with one that isn't the held
    /// lock's, also when no lock is held any more.
    std::optional<Refusal> objection(const wal::Unit& unit,
                                     const AccountName& name,
                                     std::optional<std::uint64_t> token,
                                     const Moment& moment) const;

    /// Locks the account, which nobody holds.
    Lock grant(wal::Unit& unit,
               const AccountName& name,
               std::int64_t lease_ms,
               const Moment& moment) const;
    void end(wal::Unit& unit, const AccountName& name) const;

    struct Held {
        AccountName name;
        Lock lock;
    };
    /// All that are held. A damaged one is left out, logged; it holds up its own account alone.
    std::vector<Held> all(const wal::Reader& reader) const;
    /// After a start the lease of a held lock begins anew, in full.
    void begin_anew(wal::Unit& unit, Held held, const Moment& moment) const;

private:
    wal::Table locks_;
    wal::Table numbers_;
};

/// 423 `account-locked`.
Refusal account_locked(std::uint64_t seconds_left);
/// 412 `stale-lock-token`.
Refusal stale_token();

}  // namespace twophase::participants::credit
