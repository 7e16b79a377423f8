#include "participants/credit/credit_resource.hpp"

#include "http/fields.hpp"
#include "http/json_text.hpp"
#include "participants/branch.hpp"
#include "participants/credit/claims.hpp"
#include "participants/record.hpp"

#include <charconv>
#include <tuple>
#include <utility>

namespace twophase::participants::credit {
namespace {

using http::Fields;

struct Request {
    bool is_addition = false;
    AccountName name;
    std::int64_t amount = 0;
    std::optional<Refusal> refusal;
};

Request read_request(const Work& work) {
    Request request;
    request.is_addition = work.operation == "add_credits";
    if (!request.is_addition && work.operation != "deduct_credits") {
        request.refusal = unknown_operation(work.operation);
        return request;
    }
    const auto json = http::read_json(work.payload);
    if (!json) {
        request.refusal = invalid_payload(json.error().field, json.error().expected);
        return request;
    }
    Fields fields(json->root());
    request.name.user_id = fields.text("user_id", {.max_bytes = 128, .allowed = user_characters});
    request.name.credit_type =
        fields.text("credit_type", {.max_bytes = 64, .allowed = user_characters});
    request.amount = fields.integer("amount", 1, most_amount);
    if (const auto& error = fields.finish())
        request.refusal = invalid_payload(error->field, error->expected);
    return request;
}

/// What a promised branch asked for. It was read once before, so it can't be wrong now.
Request read_promised(const Work& work) {
    Request request = read_request(work);
    if (request.refusal) throw DamagedRecord(branch_key(work.gid, work.branch_id));
    return request;
}

Hold hold_of(const Request& request) {
    return {.is_addition = request.is_addition, .amount = request.amount};
}

std::optional<Refusal> check(const Request& request, const std::optional<Account>& account) {
    if (!account) return refused("account_not_found", "no account of this user and credit type");
    if (request.is_addition && account->room() < request.amount)
        return refused("balance_ceiling", "the balance would pass its ceiling");
    if (!request.is_addition && account->available() < request.amount)
        return refused("insufficient_credits", "fewer credits are available");
    return std::nullopt;
}

Change change_of(const Request& request, const std::optional<Account>& account) {
    Change change;
    change.user_id = request.name.user_id;
    change.amount = request.amount;
    if (account) change.before_state = change.after_state = state_of(*account);
    return change;
}

Step refuse(Refusal refusal, Change change = {}) {
    return {.refusal = std::move(refusal), .result = "", .note = "", .change = std::move(change)};
}

Entry entry_of(const Work& work, EntryKind kind, std::int64_t amount) {
    Entry entry;
    entry.kind = kind;
    entry.amount = amount;
    entry.gid = work.gid;
    entry.branch_id = work.branch_id;
    entry.business_code = work.business_code;
    entry.business_id = work.business_id;
    return entry;
}

std::string result_of(std::uint64_t entry_id, const Account& account) {
    std::string text;
    http::ObjectText object(text);
    object.number("balance", account.balance);
    object.number("frozen", account.frozen);
    object.text("transaction_id", std::to_string(entry_id));
    object.close();
    return text;
}

/// Posts the entry of a branch that goes through.
Step post(const Accounts& accounts,
          wal::Unit& unit,
          const Request& request,
          Account& account,
          Entry entry,
          Change change,
          const Moment& moment) {
    const std::uint64_t id = accounts.post(unit, request.name, account, std::move(entry), moment);
    change.transaction_id = std::to_string(id);
    change.after_state = state_of(account);
    return {.refusal = {},
            .result = result_of(id, account),
            .note = std::to_string(id),
            .change = std::move(change)};
}

Entry first_entry(const Work& work, const Request& request) {
    return request.is_addition ? entry_of(work, EntryKind::add, request.amount)
                               : entry_of(work, EntryKind::deduct, -request.amount);
}

std::uint64_t entry_id_in(const std::string& note) {
    std::uint64_t id = 0;
    std::from_chars(note.data(), note.data() + note.size(), id);
    return id;
}

}  // namespace

Claim claim_of(const Branch& branch, std::string_view key) {
    Work work;
    std::tie(work.gid, work.branch_id) = split_branch_key(key);
    work.operation = branch.operation;
    work.payload = branch.payload;
    Request request = read_promised(work);
    const Hold hold = hold_of(request);
    return {.name = std::move(request.name), .hold = hold};
}

std::optional<Refusal> CreditResource::lock_objection(const wal::Unit& unit,
                                                      const Work& work,
                                                      const AccountName& name,
                                                      const Moment& moment) const {
    auto objection = locks_.objection(unit, name, work.lock_token, moment);
    if (!objection || work.gid.empty()) return objection;
    // A branch carries no token; to its coordinator this is a refusal like any other.
    return refused("account_locked", objection->message);
}

std::string CreditResource::note_of(const Rows&, const Work&, const std::string& result) const {
    const auto json = http::read_json(result);
    const http::Value* entry = json ? json->root().find("transaction_id") : nullptr;
    return entry == nullptr ? "" : std::string(entry->text());
}

Step CreditResource::prepare(wal::Unit& unit, const Work& work, const Moment& moment) {
    Request request = read_request(work);
    if (request.refusal) return refuse(std::move(*request.refusal));
    auto account = accounts_.find(unit, request.name);
    Change change = change_of(request, account);
    auto refusal = lock_objection(unit, work, request.name, moment);
    if (!refusal) refusal = check(request, account);
    if (refusal) return refuse(std::move(*refusal), std::move(change));
    accounts_.hold(unit, request.name, *account, hold_of(request), moment);
    change.after_state = state_of(*account);
    return {.refusal = {}, .result = "", .note = "", .change = std::move(change)};
}

Step CreditResource::commit(wal::Unit& unit, const Work& work, const Moment& moment) {
    const Request request = read_promised(work);
    auto account = accounts_.find(unit, request.name);
    if (!account) throw DamagedRecord(branch_key(work.gid, work.branch_id));
    Change change = change_of(request, account);
    Accounts::release(*account, hold_of(request));
    return post(
        accounts_, unit, request, *account, first_entry(work, request), std::move(change), moment);
}

Step CreditResource::rollback(wal::Unit& unit, const Work& work, const Moment& moment) {
    const Request request = read_promised(work);
    auto account = accounts_.find(unit, request.name);
    if (!account) throw DamagedRecord(branch_key(work.gid, work.branch_id));
    Change change = change_of(request, account);
    Accounts::release(*account, hold_of(request));
    if (request.is_addition)
        accounts_.save(unit, request.name, *account);
    else
        accounts_.save_changed(unit, request.name, *account, moment);
    change.after_state = state_of(*account);
    return {.refusal = {}, .result = "", .note = "", .change = std::move(change)};
}

Step CreditResource::execute(wal::Unit& unit, const Work& work, const Moment& moment) {
    Request request = read_request(work);
    if (request.refusal) return refuse(std::move(*request.refusal));
    auto account = accounts_.find(unit, request.name);
    Change change = change_of(request, account);
    auto refusal = lock_objection(unit, work, request.name, moment);
    if (!refusal) refusal = check(request, account);
    if (refusal) return refuse(std::move(*refusal), std::move(change));
    return post(
        accounts_, unit, request, *account, first_entry(work, request), std::move(change), moment);
}

Step CreditResource::compensate(wal::Unit& unit, const Work& work, const Moment& moment) {
    const Request request = read_promised(work);
    auto account = accounts_.find(unit, request.name);
    if (!account) throw DamagedRecord(branch_key(work.gid, work.branch_id));
    Change change = change_of(request, account);
    if (request.is_addition && account->available() < request.amount)
        return refuse(cannot_compensate("insufficient_credits", "the credits are spent already"),
                      std::move(change));
    if (!request.is_addition && account->room() < request.amount)
        return refuse(cannot_compensate("balance_ceiling", "the balance would pass its ceiling"),
                      std::move(change));
    const std::int64_t amount = request.is_addition ? -request.amount : request.amount;
    Entry entry = entry_of(work, EntryKind::compensation, amount);
    entry.original_entry_id = entry_id_in(work.note);
    entry.reason = work.reason;
    return post(accounts_, unit, request, *account, std::move(entry), std::move(change), moment);
}

}  // namespace twophase::participants::credit
