#include "participants/credit/accounts.hpp"

#include "participants/record.hpp"

namespace twophase::participants::credit {
namespace {

std::string prefix_of(const AccountName& name) { return account_key(name) + "/"; }

std::string entry_key(const AccountName& name, std::uint64_t entry_id) {
    return prefix_of(name) + participants::key_of(entry_id);
}

std::string hold_key(const AccountName& name, std::string_view branch) {
    return prefix_of(name).append(branch);
}

}  // namespace

std::string account_key(const AccountName& name) { return name.user_id + "/" + name.credit_type; }

const char* to_string(EntryKind kind) {
    switch (kind) {
        case EntryKind::grant: return "grant";
        case EntryKind::deduct: return "deduct";
        case EntryKind::add: return "add";
        case EntryKind::compensation: return "compensation";
        case EntryKind::adjustment: return "adjustment";
    }
    return "";
}

std::string state_of(const Account& account) {
    return "{\"balance\":" + std::to_string(account.balance) +
           ",\"frozen_amount\":" + std::to_string(account.frozen) + "}";
}

Accounts::Accounts(const TableOf& table_of)
    : accounts_(table_of("accounts")),
      entries_(table_of("entries")),
      holds_(table_of("holds")),
      numbers_(table_of("numbers")) {}

std::vector<std::string> Accounts::tables() { return {"accounts", "entries", "holds", "locks"}; }

std::optional<Account> Accounts::find(const wal::Unit& unit, const AccountName& name) const {
    return read<Account>(unit, accounts_, account_key(name));
}

std::optional<Account> Accounts::find(const wal::Reader& reader, const AccountName& name) const {
    return read<Account>(reader, accounts_, account_key(name));
}

Account Accounts::create(wal::Unit& unit, const AccountName& name, const Moment& moment) const {
    Account account;
    account.account_id = next_number(unit, numbers_, "account");
    account.created_at = account.updated_at = moment.microseconds;
    save(unit, name, account);
    return account;
}

std::uint64_t Accounts::post(wal::Unit& unit,
                             const AccountName& name,
                             Account& account,
                             Entry entry,
                             const Moment& moment) const {
    account.balance += entry.amount;
    entry.entry_id = next_number(unit, numbers_, "entry");
    entry.balance_after = account.balance;
    entry.created_at = moment.microseconds;
    const std::string key = entry_key(name, entry.entry_id);
    write(unit, entries_, key, entry);
    save_changed(unit, name, account, moment);
    return entry.entry_id;
}

void Accounts::hold(wal::Unit& unit,
                    const AccountName& name,
                    Account& account,
                    std::string_view branch,
                    const Hold& hold,
                    const Moment& moment) const {
    write(unit, holds_, hold_key(name, branch), hold);
    if (hold.is_addition) {
        account.incoming += hold.amount;
        save(unit, name, account);
    } else {
        account.frozen += hold.amount;
        save_changed(unit, name, account, moment);
    }
}

Hold Accounts::release(wal::Unit& unit,
                       const AccountName& name,
                       Account& account,
                       std::string_view branch) const {
    const std::string key = hold_key(name, branch);
    const auto hold = read<Hold>(unit, holds_, key);
    if (!hold) throw DamagedRecord(key);
    unit.erase(holds_, key);
    (hold->is_addition ? account.incoming : account.frozen) -= hold->amount;
    return *hold;
}

void Accounts::save_changed(wal::Unit& unit,
                            const AccountName& name,
                            Account& account,
                            const Moment& moment) const {
    ++account.version;
    account.updated_at = moment.microseconds;
    save(unit, name, account);
}

void Accounts::save(wal::Unit& unit, const AccountName& name, const Account& account) const {
    // The rules never lead here; a stored account that isn't what was written may. It holds up
    // those who use it, not the program.
    const bool is_sound = account.frozen >= 0 && account.incoming >= 0 &&
                          account.balance >= account.frozen && account.room() >= 0;
    if (!is_sound) throw DamagedRecord(account_key(name));
    write(unit, accounts_, account_key(name), account);
}

Accounts::EntryPage Accounts::entries(const wal::Reader& reader,
                                      const AccountName& name,
                                      std::optional<std::uint64_t> before,
                                      std::size_t limit) const {
    EntryPage page;
    const std::string prefix = prefix_of(name);
    wal::Cursor cursor = reader.cursor(entries_);
    bool is_there = cursor.seek_before(before ? entry_key(name, *before) : end_of(prefix));
    for (; is_there && cursor.key().starts_with(prefix); is_there = cursor.previous()) {
        if (page.items.size() == limit) {
            page.next = page.items.back().entry_id;
            break;
        }
        page.items.push_back(decode<Entry>(cursor.key(), cursor.value()));
    }
    return page;
}

std::vector<Hold> Accounts::holds(const wal::Reader& reader, const AccountName& name) const {
    std::vector<Hold> holds;
    const std::string prefix = prefix_of(name);
    wal::Cursor cursor = reader.cursor(holds_);
    for (bool is_there = cursor.seek(prefix); is_there && cursor.key().starts_with(prefix);
         is_there = cursor.next())
        holds.push_back(decode<Hold>(cursor.key(), cursor.value()));
    return holds;
}

}  // namespace twophase::participants::credit
