#include "participants/credit/postings.hpp"

#include <utility>

namespace twophase::participants::credit {
namespace {

DirectKey key_of(const Posting& posting) {
    return {to_string(posting.kind), posting.business_code, posting.business_id};
}

Posted refuse(Refusal refusal) {
    Posted posted;
    posted.refusal = std::move(refusal);
    return posted;
}

Posted no_account() {
    return refuse({.status = 404,
                   .code = "account_not_found",
                   .reason = "",
                   .message = "no account of this user and credit type",
                   .field = ""});
}

Entry entry_of(const Posting& posting) {
    Entry entry;
    entry.kind = posting.kind;
    entry.amount = posting.kind == EntryKind::deduct ? -posting.amount : posting.amount;
    entry.business_code = posting.business_code;
    entry.business_id = posting.business_id;
    entry.reason = posting.reason;
    return entry;
}

}  // namespace

Posted Postings::carry_out(wal::Unit& unit,
                           const Posting& posting,
                           AuditEntry entry,
                           const Moment& moment) const {
    const auto account = accounts_.find(unit, posting.name);
    Posted posted;
    if (const auto before = calls_.find(unit, key_of(posting))) {
        if (before->request == posting.canonical && account)
            return {
                .refusal = {}, .account = *account, .entry_id = before->number, .is_repeat = true};
        posted = refuse(payload_changed());
    } else {
        posted = first(unit, posting, account, entry, moment);
    }
    entry.business_code = posting.business_code;
    entry.business_id = posting.business_id;
    entry.change.user_id = posting.name.user_id;
    entry.change.amount = posting.amount;
    entry.success = !posted.refusal;
    if (posted.refusal)
        entry.code = posted.refusal->reason.empty() ? posted.refusal->code : posted.refusal->reason;
    audit_.append(unit, entry);
    return posted;
}

Posted Postings::first(wal::Unit& unit,
                       const Posting& posting,
                       std::optional<Account> account,
                       AuditEntry& entry,
                       const Moment& moment) const {
    if (!account) return no_account();
    entry.change.before_state = entry.change.after_state = state_of(*account);
    if (auto refusal = objection(unit, posting, *account, moment))
        return refuse(*std::move(refusal));
    const std::uint64_t id =
        accounts_.post(unit, posting.name, *account, entry_of(posting), moment);
    calls_.remember(unit, key_of(posting), {.request = posting.canonical, .number = id});
    entry.change.transaction_id = std::to_string(id);
    entry.change.after_state = state_of(*account);
    return {.refusal = {}, .account = *account, .entry_id = id, .is_repeat = false};
}

std::optional<Refusal> Postings::objection(const wal::Unit& unit,
                                           const Posting& posting,
                                           const Account& account,
                                           const Moment& moment) const {
    if (auto locked = locks_.objection(unit, posting.name, posting.lock_token, moment))
        return locked;
    if (posting.kind == EntryKind::deduct && account.available() < posting.amount)
        return refused("insufficient_credits", "fewer credits are available");
    if (posting.kind != EntryKind::deduct && account.room() < posting.amount)
        return refused("balance_ceiling", "the balance would pass its ceiling");
    return std::nullopt;
}

}  // namespace twophase::participants::credit
