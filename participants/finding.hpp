// Something that a reconciliation found not to be as it must be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace twophase::participants {

/// `recorded` is what the books say, `calculated` what they should say by what stands behind them.
struct Finding {
    /// "balance", "frozen", "incoming", "ledger", "branch_without_account", "stock",
    /// "issued_without_coupon", "coupon_without_branch", "coupon_without_call",
    /// "coupon_without_template", "branch_without_coupon", "in_doubt_index", "damaged"; against a
    /// coordinator's log "unknown", "missing", "different", "doubled".
    std::string kind;
    std::string subject;     // an account's, template's, coupon's or branch's key
    std::string account_id;  // as the audit names it; of no account: the subject
    std::string user_id;     // empty: nobody's
    std::int64_t recorded = 0;
    std::int64_t calculated = 0;
    std::string coordinator;  // of a comparison, with the states that contradict each other
    std::string gid;
    std::string branch_id;
    std::string recorded_state;
    std::string expected_state;
    /// What was asked of the branch: of one that is missing, to be booked again.
    std::string operation;
    std::string payload;  // JSON text
    std::string business_code;
    std::string business_id;
    std::string text;      // a sentence for people
    std::size_t rows = 0;  // that stand behind `calculated`
    bool is_corrected = false;
    /// Not empty: a person has acknowledged it with these numbers, and why. It is quiet.
    std::string acknowledged;

    /// Wraps around: damaged amounts may be anything.
    std::int64_t difference() const {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(recorded) -
                                         static_cast<std::uint64_t>(calculated));
    }
};

}  // namespace twophase::participants
