// Random sequences of messages against a model small enough to be seen to be right.
#include "participants/credit/claims.hpp"
#include "tests/participants/credit_bench.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace twophase::participants {
namespace {

using testing::credit_payload;
using testing::CreditBench;
using testing::gid;
using testing::text;

constexpr int users = 2;
constexpr int transactions = 12;
constexpr std::int64_t opening_balance = 60;

std::string user_name(int n) { return n == 0 ? "ann" : "bob"; }

/// One random message and what it is about.
struct Try {
    Verb verb;
    int transaction;
    int user;
    std::int64_t amount;
    bool is_addition;
};

Try random_try(std::mt19937& random) {
    const auto below = [&](int n) { return std::uniform_int_distribution(0, n - 1)(random); };
    const int transaction = below(transactions);
    return {.verb = static_cast<Verb>(below(5)),
            .transaction = transaction,
            .user = transaction % users,
            // Now and then another amount than this transaction's own.
            .amount = 10 + transaction + (below(8) == 0 ? 1 : 0),
            .is_addition = transaction % 3 == 0};
}

Message to_message(const Try& a_try) {
    Message made = CreditBench::of(a_try.verb, gid(a_try.transaction));
    if (begins_work(a_try.verb)) {
        made.operation = a_try.is_addition ? "add_credits" : "deduct_credits";
        made.payload = credit_payload(a_try.amount, user_name(a_try.user));
    }
    return made;
}

/// What the answers so far promise.
class Model {
public:
    void heard(const Try& a_try, const std::string& answer) {
        Branch& branch = branches_[a_try.transaction];
        if (answer == "200 prepared" && branch.state.empty()) branch = begun(a_try, "prepared");
        if (answer == "200 executed" && branch.state.empty()) branch = begun(a_try, "executed");
        if (answer == "200 committed") branch.state = "committed";
        if (answer == "200 rolled_back") branch.state = "rolled_back";
        if (answer == "200 compensated") branch.state = "compensated";
    }

    std::int64_t balance(int user) const {
        std::int64_t sum = opening_balance;
        for (const auto& [n, branch] : branches_)
            if (branch.user == user && (branch.state == "committed" || branch.state == "executed"))
                sum += branch.is_addition ? branch.amount : -branch.amount;
        return sum;
    }

    std::int64_t frozen(int user) const {
        std::int64_t sum = 0;
        for (const auto& [n, branch] : branches_)
            if (branch.user == user && branch.state == "prepared" && !branch.is_addition)
                sum += branch.amount;
        return sum;
    }

private:
    struct Branch {
        std::string state;
        int user = -1;
        std::int64_t amount = 0;
        bool is_addition = false;
    };
    static Branch begun(const Try& a_try, const char* state) {
        return {.state = state,
                .user = a_try.user,
                .amount = a_try.amount,
                .is_addition = a_try.is_addition};
    }
    std::map<int, Branch> branches_;
};

struct Sums {
    std::int64_t entries = 0;
    std::int64_t frozen = 0;
    std::int64_t incoming = 0;
};

Sums sums_of(CreditBench& bench, const std::string& user) {
    Sums sums;
    const auto& accounts = bench.resource.accounts();
    for (const auto& entry :
         accounts.entries(bench.store.batch(), {user, "points"}, {}, 1'000'000).items)
        sums.entries += entry.amount;
    const credit::Claims claims(bench.store.table_of());
    const credit::Held held = claims.by_account(Rows(bench.store.batch()))[user + "/points"];
    sums.frozen = held.deductions;
    sums.incoming = held.additions;
    return sums;
}

void check(CreditBench& bench, const Model& model) {
    for (int user = 0; user < users; ++user) {
        const credit::Account account = bench.account(user_name(user));
        const Sums sums = sums_of(bench, user_name(user));
        ASSERT_EQ(account.balance, model.balance(user));
        ASSERT_EQ(account.frozen, model.frozen(user));
        ASSERT_EQ(account.balance, sums.entries);
        ASSERT_EQ(account.frozen, sums.frozen);
        ASSERT_EQ(account.incoming, sums.incoming);
        ASSERT_GE(account.available(), 0);
    }
}

void run(unsigned seed) {
    std::mt19937 random(seed);
    CreditBench bench(opening_balance);
    bench.open_account("bob", opening_balance);
    Model model;
    for (int i = 0; i < 150; ++i) {
        const Try a_try = random_try(random);
        const credit::Account before = bench.account(user_name(a_try.user));
        const Answer answer = bench.send(to_message(a_try));
        model.heard(a_try, text(answer));
        check(bench, model);
        if (::testing::Test::HasFatalFailure()) return;
        const credit::Account after = bench.account(user_name(a_try.user));
        const bool is_changed = before.balance != after.balance || before.frozen != after.frozen;
        ASSERT_EQ(after.version, before.version + (is_changed ? 1 : 0));
    }
    ASSERT_EQ(bench.branches.audit().verify(bench.store.batch()), std::nullopt);
}

TEST(ConservationTest, BalancesAreWhatTheAnswersPromised) {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        run(seed);
        if (HasFatalFailure()) FAIL() << "with seed " << seed;
    }
}

}  // namespace
}  // namespace twophase::participants
