// Credit on the table bench.
#pragma once

#include "participants/credit/credit_resource.hpp"
#include "tests/participants/bench.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace twophase::participants::testing {

inline std::vector<std::string> credit_tables() {
    std::vector<std::string> tables = branch_tables();
    std::ranges::copy(credit::Accounts::tables(), std::back_inserter(tables));
    tables.emplace_back("direct_calls");
    return tables;
}

inline std::string credit_payload(std::int64_t amount, const std::string& user = "ann") {
    return R"({"amount":)" + std::to_string(amount) + R"(,"credit_type":"points","user_id":")" +
           user + "\"}";
}

struct CreditBench {
    OpenStore store{credit_tables()};
    credit::CreditResource resource{store.table_of()};
    bool has_room = true;
    Branches branches{{.participant = "credit",
                       .coordinators = {"main", "second"},
                       .has_room = [this] { return has_room; }},
                      store.table_of(),
                      resource};
    // A minute after the gids of the bench were minted.
    Moment moment{.microseconds = 1'720'699'775'584'000, .running_seconds = 100};

    /// Ann's account with a balance of `balance`.
    explicit CreditBench(std::int64_t balance = 100) { open_account("ann", balance); }

    void open_account(const std::string& user, std::int64_t balance) {
        store.in_unit([&](wal::Unit& unit) {
            const credit::AccountName name{user, "points"};
            credit::Account account = resource.accounts().create(unit, name, moment);
            credit::Entry entry;
            entry.amount = balance;
            if (balance > 0) resource.accounts().post(unit, name, account, entry, moment);
            return 0;
        });
    }

    Answer send(const Message& message) {
        return store.in_unit(
            [&](wal::Unit& unit) { return branches.handle(unit, message, moment); });
    }
    Answer send(Verb verb, const std::string& gid, std::int64_t amount = 30) {
        return send(of(verb, gid, amount));
    }
    static Message of(Verb verb, const std::string& gid, std::int64_t amount = 30) {
        Message made = message(verb, gid, "credit");
        if (!begins_work(verb)) return made;
        made.operation = "deduct_credits";
        made.payload = credit_payload(amount);
        made.business_code = "order";
        made.business_id = gid;
        return made;
    }

    credit::Account account(const std::string& user = "ann") {
        const wal::Reader& reader = store.batch();
        return resource.accounts().find(reader, {user, "points"}).value();
    }
    std::size_t audited() {
        return branches.audit().list(store.batch(), {.limit = 1'000'000}).items.size();
    }
};

}  // namespace twophase::participants::testing
