#include "participants/credit/accounts.hpp"

#include "participants/record.hpp"

#include <algorithm>
#include <utility>

namespace twophase::participants::credit {
std::string account_key(const AccountName& name) { return name.user_id + "/" + name.credit_type; }

std::string state_of(const Account& account) {
    return "{\"balance\":" + std::to_string(account.balance) +
           ",\"frozen_amount\":" + std::to_string(account.frozen) + "}";
}

Accounts::Accounts(const TableOf& table_of)
    : accounts_(table_of("accounts")), numbers_(table_of("numbers")), ledger_(table_of) {}

std::vector<std::string> Accounts::tables() {
    std::vector<std::string> tables = Ledger::tables();
    tables.insert(tables.end(), {"accounts", "locks"});
    return tables;
}

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
    entry.account = account_key(name);
    entry.previous = std::exchange(account.last_entry, entry.entry_id);
    ledger_.append(unit, entry);
    save_changed(unit, name, account, moment);
    return entry.entry_id;
}

void Accounts::hold(wal::Unit& unit,
                    const AccountName& name,
                    Account& account,
                    const Hold& hold,
                    const Moment& moment) const {
    if (hold.is_addition) {
        account.incoming += hold.amount;
        save(unit, name, account);
    } else {
        account.frozen += hold.amount;
        save_changed(unit, name, account, moment);
    }
}

void Accounts::release(Account& account, const Hold& hold) {
    (hold.is_addition ? account.incoming : account.frozen) -= hold.amount;
}

void Accounts::save_changed(wal::Unit& unit,
                            const AccountName& name,
                            Account& account,
                            const Moment& moment) const {
    account.version = std::max(account.version, unit.numbers_above()) + 1;
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

Ledger::Page Accounts::entries(const wal::Reader& reader,
                               const AccountName& name,
                               std::optional<std::uint64_t> before,
                               std::size_t limit) const {
    const auto account = find(reader, name);
    if (!account) return {};
    return ledger_.list(reader, account_key(name), account->last_entry, before, limit);
}

Ledger::Sum Accounts::sum_of_entries(const Rows& rows,
                                     std::string_view key,
                                     const Account& account) const {
    return ledger_.sum(rows, key, account.last_entry);
}

}  // namespace twophase::participants::credit
