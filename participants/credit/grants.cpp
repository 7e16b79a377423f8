#include "participants/credit/grants.hpp"

#include "participants/record.hpp"

#include <utility>

namespace twophase::participants::credit {
namespace {

/// A direct call that was carried out: a repeat gets its answer.
struct DirectCall {
    std::string request;  // canonical JSON
    std::uint64_t entry_id = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.request);
        visit(self.entry_id);
    }
};

/// Codes and ids hold no NUL.
std::string key_of(const Grant& grant) {
    return "grant" + std::string(1, '\0') + grant.business_code + '\0' + grant.business_id;
}

Granted refuse(Refusal refusal) {
    Granted granted;
    granted.refusal = std::move(refusal);
    return granted;
}

Granted changed() {
    return refuse({.status = 422,
                   .code = "payload-changed",
                   .reason = "",
                   .message = "this business_code and business_id name another grant already",
                   .field = ""});
}

Granted no_account() {
    return refuse({.status = 404,
                   .code = "account_not_found",
                   .reason = "",
                   .message = "no account of this user and credit type",
                   .field = ""});
}

Entry entry_of(const Grant& grant) {
    Entry entry;
    entry.kind = EntryKind::grant;
    entry.amount = grant.amount;
    entry.business_code = grant.business_code;
    entry.business_id = grant.business_id;
    entry.reason = grant.reason;
    return entry;
}

}  // namespace

Granted Grants::grant(wal::Unit& unit,
                      const Grant& grant,
                      AuditEntry entry,
                      const Moment& moment) const {
    const auto account = accounts_.find(unit, grant.name);
    Granted granted;
    if (const auto before = read<DirectCall>(unit, calls_, key_of(grant))) {
        if (before->request == grant.canonical && account)
            return {.refusal = {},
                    .account = *account,
                    .entry_id = before->entry_id,
                    .is_repeat = true};
        granted = changed();
    } else {
        granted = first(unit, grant, account, entry, moment);
    }
    entry.business_code = grant.business_code;
    entry.business_id = grant.business_id;
    entry.change.user_id = grant.name.user_id;
    entry.change.amount = grant.amount;
    entry.success = !granted.refusal;
    if (granted.refusal)
        entry.code =
            granted.refusal->reason.empty() ? granted.refusal->code : granted.refusal->reason;
    audit_.append(unit, entry);
    return granted;
}

Granted Grants::first(wal::Unit& unit,
                      const Grant& grant,
                      std::optional<Account> account,
                      AuditEntry& entry,
                      const Moment& moment) const {
    if (!account) return no_account();
    entry.change.before_state = entry.change.after_state = state_of(*account);
    if (auto locked = locks_.objection(unit, grant.name, grant.lock_token, moment))
        return refuse(*std::move(locked));
    if (account->room() < grant.amount)
        return refuse(refused("balance_ceiling", "the balance would pass its ceiling"));
    const std::uint64_t id = accounts_.post(unit, grant.name, *account, entry_of(grant), moment);
    const std::string key = key_of(grant);
    write(unit, calls_, key, DirectCall{.request = grant.canonical, .entry_id = id});
    entry.change.transaction_id = std::to_string(id);
    entry.change.after_state = state_of(*account);
    return {.refusal = {}, .account = *account, .entry_id = id, .is_repeat = false};
}

}  // namespace twophase::participants::credit
