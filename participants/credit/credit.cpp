#include "participants/credit/credit.hpp"

#include "http/fields.hpp"
#include "http/instant.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "participants/calls.hpp"
#include "participants/credit/account_wire.hpp"
#include "participants/credit/adjust_route.hpp"
#include "participants/credit/credit_books.hpp"
#include "participants/credit/lock_routes.hpp"
#include "participants/operation_routes.hpp"
#include "recovery/page_thread.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace twophase::participants::credit {
namespace {

using http::Fields;
using http::Json;

Json to_json(const Entry& entry) {
    Json json{{"entry_id", std::to_string(entry.entry_id)},
              {"kind", to_string(entry.kind)},
              {"amount", entry.amount},
              {"balance_after", entry.balance_after},
              {"business_code", entry.business_code},
              {"business_id", entry.business_id},
              {"created_at", http::instant_text(entry.created_at)}};
    if (!entry.gid.empty()) json["gid"] = entry.gid;
    if (!entry.branch_id.empty()) json["branch_id"] = entry.branch_id;
    if (entry.kind == EntryKind::compensation) {
        json["original_transaction_id"] = std::to_string(entry.original_entry_id);
        json["failure_reason"] = entry.reason.empty() ? Json() : Json::parse(entry.reason);
    } else if (!entry.reason.empty()) {
        json["reason"] = entry.reason;
    }
    return json;
}

void create_account(const Surroundings& around,
                    const Accounts& accounts,
                    const http::Request& request,
                    http::Respond respond) {
    const auto json = http::read_json(request.body);
    if (!json) return respond(http::problem(json.error()));
    const NamedAccount read = read_name(json->root());
    if (read.error) return respond(http::problem(*read.error));
    const Moment moment = around.clock();
    auto audit = direct_entry(around, "create_account", moment, request);
    const auto work = [=, &accounts, log = &around.audit, name = read.name](wal::Unit& unit) {
        if (const auto account = accounts.find(unit, name)) return account_response(name, *account);
        const Account account = accounts.create(unit, name, moment);
        AuditEntry entry = audit;
        entry.change.user_id = name.user_id;
        entry.change.after_state = state_of(account);
        log->append(unit, entry);
        return account_response(name, account, 201);
    };
    write_and_respond(around.queue, "create_account", work, std::move(respond));
}

const char* message_of(const Posting& posting, bool is_repeat) {
    if (posting.kind == EntryKind::grant) return is_repeat ? "granted before" : "granted";
    return is_repeat ? "deducted before" : "deducted";
}

http::Response to_response(const Posting& posting, const Posted& posted) {
    if (posted.refusal) return to_problem(*posted.refusal);
    return http::json_response({{"success", true},
                                {"transaction_id", std::to_string(posted.entry_id)},
                                {"idempotent", posted.is_repeat},
                                {"message", message_of(posting, posted.is_repeat)},
                                {"account", to_json(posting.name, posted.account)}});
}

struct ReadPosting {
    Posting posting;
    std::optional<http::FieldError> error;
};

ReadPosting read_posting(const AccountName& name, const http::Value& json) {
    ReadPosting read;
    Posting& posting = read.posting;
    posting.name = name;
    Fields fields(json);
    posting.amount = fields.integer("amount", 1, most_amount);
    posting.business_code = fields.text("business_code", http::business_key_rule);
    posting.business_id = fields.text("business_id", http::business_key_rule);
    posting.reason =
        fields.optional_text("reason", {.min_bytes = 0, .max_bytes = 256}).value_or("");
    read.error = fields.finish();
    if (read.error) return read;
    Json canonical = Json::parse(http::dump(json));
    canonical["user_id"] = name.user_id;
    canonical["credit_type"] = name.credit_type;
    posting.canonical = http::dump(canonical);
    return read;
}

void post_entry(const Surroundings& around,
                const Postings& postings,
                EntryKind kind,
                const http::Request& request,
                http::Respond respond) {
    const NamedAccount named = name_in_path(request);
    if (named.error) return respond(http::problem(*named.error));
    const auto json = http::read_json(request.body);
    if (!json) return respond(http::problem(json.error()));
    ReadPosting read = read_posting(named.name, json->root());
    if (read.error) return respond(http::problem(*read.error));
    const HeaderNumber token = read_lock_token(request);
    if (token.error) return respond(http::problem(*token.error));
    read.posting.kind = kind;
    read.posting.lock_token = token.value;
    const Moment moment = around.clock();
    const auto work =
        [&postings,
         moment,
         posting = std::move(read.posting),
         entry = direct_entry(around, to_string(kind), moment, request)](wal::Unit& unit) {
            return to_response(posting, postings.carry_out(unit, posting, entry, moment));
        };
    write_and_respond(around.queue, to_string(kind), work, std::move(respond));
}

http::Response show_account(const Accounts& accounts,
                            const wal::Store& store,
                            const http::Request& request) {
    const NamedAccount named = name_in_path(request);
    if (named.error) return http::problem(*named.error);
    const auto account = accounts.find(store.snapshot(), named.name);
    return account ? account_response(named.name, *account) : no_account();
}

http::Response list_entries(const Accounts& accounts,
                            const wal::Store& store,
                            const http::Request& request) {
    const NamedAccount named = name_in_path(request);
    const PageQuery query = page_query(request);
    if (named.error) return http::problem(*named.error);
    if (query.error) return http::problem(*query.error);
    const wal::Snapshot snapshot = store.snapshot();
    if (!accounts.find(snapshot, named.name)) return no_account();
    const auto page = accounts.entries(snapshot, named.name, query.before, query.limit);
    Json items = Json::array();
    for (const Entry& entry : page.items) items.push_back(to_json(entry));
    return http::json_response({{"items", std::move(items)},
                                {"next", page.next ? Json(std::to_string(*page.next)) : Json()}});
}

}  // namespace

std::vector<std::string> CreditKind::tables() const {
    std::vector<std::string> tables = Accounts::tables();
    std::ranges::copy(DirectCalls::tables(), std::back_inserter(tables));
    return tables;
}

Resource& CreditKind::open(const TableOf& table_of) {
    table_of_ = table_of;
    return resource_.emplace(table_of);
}

std::unique_ptr<Books> CreditKind::books(const TableOf& table_of) const {
    return std::make_unique<CreditBooks>(table_of);
}

void CreditKind::add_routes(const Surroundings& around) {
    using http::Request;
    using http::Respond;
    const Accounts& accounts = resource_->accounts();
    const wal::Store& store = around.queue.store();
    const std::string account = "/v1/accounts/{user_id}/{credit_type}";
    around.router.add("POST", "/v1/accounts", [around, &accounts](const Request& r, Respond to) {
        create_account(around, accounts, r, std::move(to));
    });
    around.router.add("GET", account, [&accounts, &store](const Request& r, const Respond& to) {
        to(read_or_damaged([&] { return show_account(accounts, store, r); }));
    });
    around.router.add_list(
        account + "/entries",
        [&accounts, &store, &pages = around.pages](const Request& r, const Respond& to) {
            pages.answer(
                [&accounts, &store, r] {
                    return read_or_damaged([&] { return list_entries(accounts, store, r); });
                },
                to);
        });
    const Locks& locks = resource_->locks();
    add_adjust_route(around, Adjustments(accounts, locks, around.audit));
    postings_.emplace(accounts, locks, around.audit, table_of_);
    for (const EntryKind kind : {EntryKind::grant, EntryKind::deduct})
        around.router.add("POST",
                          account + "/" + to_string(kind),
                          [around, kind, this](const Request& r, Respond to) {
                              post_entry(around, *postings_, kind, r, std::move(to));
                          });
    add_operation_routes(around, Operations(*resource_, around.audit, table_of_));
    const auto lines =
        std::make_shared<LockLines>(LockLines::Parts{.machine = around.machine,
                                                     .queue = around.queue,
                                                     .accounts = accounts,
                                                     .locks = locks,
                                                     .audit = around.audit,
                                                     .clock = around.clock,
                                                     .participant = around.participant},
                                    LockLines::Limits{});
    lock_lines_ = lines;
    add_lock_routes(around, lines);
}

void CreditKind::stop() {
    if (const auto lines = lock_lines_.lock()) lines->stop();
}

}  // namespace twophase::participants::credit
