// What credit does in a branch: freeze and deduct, or reserve room and add.
#pragma once

#include "participants/branch.hpp"
#include "participants/credit/accounts.hpp"
#include "participants/credit/locks.hpp"
#include "participants/resource.hpp"

namespace twophase::participants::credit {

/// `deduct_credits` and `add_credits` {user_id, credit_type, amount}.
class CreditResource : public Resource {
public:
    explicit CreditResource(const TableOf& table_of) : accounts_(table_of), locks_(table_of) {}

    Step prepare(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step commit(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step rollback(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step execute(wal::Unit& unit, const Work& work, const Moment& moment) override;
    Step compensate(wal::Unit& unit, const Work& work, const Moment& moment) override;
    std::string note_of(const Rows& rows,
                        const Work& work,
                        const std::string& result) const override;

    const Accounts& accounts() const { return accounts_; }
    const Locks& locks() const { return locks_; }

private:
    /// What keeps new work from an account that somebody holds. Ends never ask.
    std::optional<Refusal> lock_objection(const wal::Unit& unit,
                                          const Work& work,
                                          const AccountName& name,
                                          const Moment& moment) const;

    Accounts accounts_;
    Locks locks_;
};

}  // namespace twophase::participants::credit
