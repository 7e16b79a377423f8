#include "participants/credit/adjustments.hpp"

#include <cstdlib>
#include <utility>

namespace twophase::participants::credit {
namespace {

Refusal refusal(unsigned status, const char* code, std::string message) {
    Refusal refusal;
    refusal.status = status;
    refusal.code = code;
    refusal.message = std::move(message);
    return refusal;
}

std::optional<Refusal> check(const Adjustment& wanted, const Account& account) {
    if (account.version != wanted.seen_version)
        return refusal(412,
                       concurrent_modification,
                       "the account has version " + std::to_string(account.version) +
                           "; read it again and decide anew");
    if (wanted.balance < account.frozen)
        return refusal(422,
                       "below_frozen",
                       std::to_string(account.frozen) + " are frozen for transactions under way");
    if (wanted.balance > most_balance - account.incoming)
        return refusal(
            422,
            "balance_ceiling",
            "room for " + std::to_string(account.incoming) + " is kept for transactions under way");
    if (std::abs(wanted.balance - account.balance) > most_amount)
        return refusal(422,
                       "difference_too_large",
                       "one entry changes a balance by at most " + std::to_string(most_amount));
    return std::nullopt;
}

Entry entry_of(const Adjustment& wanted, std::int64_t difference) {
    Entry entry;
    entry.kind = EntryKind::adjustment;
    entry.amount = difference;
    entry.reason = wanted.reason;
    return entry;
}

}  // namespace

std::optional<Refusal> Adjustments::objection(const wal::Unit& unit,
                                              const Adjustment& wanted,
                                              const std::optional<Account>& account,
                                              const Moment& moment) const {
    if (!account)
        return refusal(404, "account_not_found", "no account of this user and credit type");
    if (auto locked = locks_.objection(unit, wanted.name, wanted.lock_token, moment)) return locked;
    return check(wanted, *account);
}

Adjusted Adjustments::adjust(wal::Unit& unit,
                             const Adjustment& wanted,
                             AuditEntry entry,
                             const Moment& moment) const {
    Adjusted adjusted{.refusal = {}, .account = accounts_.find(unit, wanted.name)};
    auto& account = adjusted.account;
    adjusted.refusal = objection(unit, wanted, account, moment);
    entry.change.user_id = wanted.name.user_id;
    if (account) {
        entry.change.amount = wanted.balance - account->balance;
        entry.change.before_state = entry.change.after_state = state_of(*account);
    }
    if (adjusted.refusal) {
        entry.success = false;
        entry.code =
            adjusted.refusal->reason.empty() ? adjusted.refusal->code : adjusted.refusal->reason;
    } else {
        const std::int64_t difference = entry.change.amount;
        if (difference == 0) return adjusted;
        const std::uint64_t id =
            accounts_.post(unit, wanted.name, *account, entry_of(wanted, difference), moment);
        entry.change.transaction_id = std::to_string(id);
        entry.change.after_state = state_of(*account);
    }
    audit_.append(unit, entry);
    return adjusted;
}

}  // namespace twophase::participants::credit
