#include "http/json.hpp"
#include "participants/credit/credit_resource.hpp"
#include "participants/credit/postings.hpp"
#include "tests/participants/credit_bench.hpp"

#include <gtest/gtest.h>

namespace twophase::participants::credit {
namespace {

using http::Json;
using testing::credit_payload;
using testing::CreditBench;
using testing::gid;
using testing::text;

Answer prepare(CreditBench& bench,
               const std::string& payload,
               const char* what = "deduct_credits") {
    Message message = CreditBench::of(Verb::prepare, gid(1));
    message.operation = what;
    message.payload = payload;
    return bench.send(message);
}

Answer add(CreditBench& bench, Verb verb, int n, std::int64_t amount) {
    Message message = CreditBench::of(verb, gid(n), amount);
    if (begins_work(verb)) message.operation = "add_credits";
    return bench.send(message);
}

TEST(CreditTest, PrepareFreezesCommitDeductsRollbackThaws) {
    CreditBench bench(100);
    bench.send(Verb::prepare, gid(1), 30);
    EXPECT_EQ(bench.account().balance, 100);
    EXPECT_EQ(bench.account().frozen, 30);
    EXPECT_EQ(bench.account().available(), 70);
    const Answer committed = bench.send(Verb::commit, gid(1));
    EXPECT_EQ(bench.account().balance, 70);
    EXPECT_EQ(bench.account().frozen, 0);
    const Json result = Json::parse(committed.result);
    EXPECT_EQ(result.at("balance"), 70);
    EXPECT_EQ(result.at("frozen"), 0);
    bench.send(Verb::prepare, gid(2), 30);
    bench.send(Verb::rollback, gid(2));
    EXPECT_EQ(bench.account().balance, 70);
    EXPECT_EQ(bench.account().frozen, 0);
}

TEST(CreditTest, ACommitAppendsAnEntryThatNamesTheBranch) {
    CreditBench bench(100);
    bench.send(Verb::prepare, gid(1), 30);
    const Answer committed = bench.send(Verb::commit, gid(1));
    const auto page =
        bench.resource.accounts().entries(bench.store.batch(), {"ann", "points"}, {}, 1);
    const Entry& entry = page.items.at(0);
    EXPECT_EQ(entry.kind, EntryKind::deduct);
    EXPECT_EQ(entry.amount, -30);
    EXPECT_EQ(entry.balance_after, 70);
    EXPECT_EQ(entry.gid, gid(1));
    EXPECT_EQ(entry.business_code, "order");
    EXPECT_EQ(Json::parse(committed.result).at("transaction_id"), std::to_string(entry.entry_id));
}

TEST(CreditTest, RefusesWhatIsNotAvailable) {
    CreditBench bench(100);
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(1), 60)), "200 prepared");
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(2), 41)), "409 insufficient_credits");
    EXPECT_EQ(text(bench.send(Verb::execute, gid(3), 41)), "409 insufficient_credits");
    EXPECT_EQ(text(bench.send(Verb::prepare, gid(4), 40)), "200 prepared");
}

TEST(CreditTest, RefusesAnAccountThatIsNotThere) {
    CreditBench bench;
    EXPECT_EQ(text(prepare(bench, credit_payload(1, "bob"))), "409 account_not_found");
    EXPECT_EQ(text(prepare(bench, credit_payload(1, "bob"), "add_credits")),
              "409 account_not_found");
}

TEST(CreditTest, RefusesAnOperationThatItDoesNotHave) {
    CreditBench bench;
    const Answer answer = prepare(bench, credit_payload(1), "steal_credits");
    EXPECT_EQ(text(answer), "422 unknown-operation");
}

TEST(CreditTest, RefusesAmountsThatAreNone) {
    for (const char* amount : {"0",
                               "-1",
                               "1.5",
                               "1.0",
                               "\"5\"",
                               "true",
                               "null",
                               "1e3",
                               "1000000000000001",
                               "9223372036854775808"}) {
        CreditBench bench;
        const std::string payload =
            R"({"user_id":"ann","credit_type":"points","amount":)" + std::string(amount) + "}";
        const Answer answer = prepare(bench, payload);
        EXPECT_EQ(text(answer), "422 invalid-payload") << amount;
        EXPECT_EQ(answer.field, "payload.amount") << amount;
        EXPECT_EQ(bench.account().frozen, 0);
    }
}

TEST(CreditTest, NamesTheFieldOfAWrongPayload) {
    CreditBench bench;
    EXPECT_EQ(prepare(bench, R"({"credit_type":"points","amount":1})").field, "payload.user_id");
    EXPECT_EQ(prepare(bench, R"({"user_id":"a/b","credit_type":"points","amount":1})").field,
              "payload.user_id");
    EXPECT_EQ(
        prepare(bench, R"({"user_id":"ann","credit_type":"points","amount":1,"to":"me"})").field,
        "payload.to");
}

TEST(CreditTest, AddReservesRoomUnderTheCeiling) {
    CreditBench bench(0);
    for (int n = 1; n <= 8; ++n) EXPECT_EQ(add(bench, Verb::execute, n, most_amount).status, 200U);
    EXPECT_EQ(text(add(bench, Verb::prepare, 9, most_amount)), "200 prepared");
    EXPECT_EQ(text(add(bench, Verb::prepare, 10, 1)), "409 balance_ceiling");
    EXPECT_EQ(text(add(bench, Verb::execute, 11, 1)), "409 balance_ceiling");
    EXPECT_EQ(bench.account().balance, 8 * most_amount) << "only room is reserved";
    EXPECT_EQ(text(add(bench, Verb::commit, 9, 0)), "200 committed");
    EXPECT_EQ(bench.account().balance, most_balance);
    EXPECT_EQ(bench.account().room(), 0);
}

TEST(CreditTest, ARolledBackAddGivesItsRoomBack) {
    CreditBench bench(0);
    add(bench, Verb::prepare, 1, most_amount);
    add(bench, Verb::rollback, 1, 0);
    EXPECT_EQ(bench.account().room(), most_balance);
    EXPECT_EQ(bench.account().balance, 0);
}

TEST(CreditTest, CompensationAddsBackAndNamesTheOriginal) {
    CreditBench bench(100);
    const Answer executed = bench.send(Verb::execute, gid(1), 30);
    EXPECT_EQ(bench.account().balance, 70);
    Message compensate = CreditBench::of(Verb::compensate, gid(1));
    compensate.reason = R"({"branch_id":"2","code":"out_of_stock","message":"none left"})";
    EXPECT_EQ(text(bench.send(compensate)), "200 compensated");
    EXPECT_EQ(bench.account().balance, 100);
    const Entry entry =
        bench.resource.accounts().entries(bench.store.batch(), {"ann", "points"}, {}, 1).items[0];
    EXPECT_EQ(entry.kind, EntryKind::compensation);
    EXPECT_EQ(std::to_string(entry.original_entry_id),
              Json::parse(executed.result).at("transaction_id"));
    EXPECT_EQ(entry.reason, compensate.reason);
}

TEST(CreditTest, CannotCompensateWhatIsSpent) {
    CreditBench bench(0);
    add(bench, Verb::execute, 1, 50);
    bench.send(Verb::execute, gid(2), 30);
    const Answer answer = add(bench, Verb::compensate, 1, 0);
    EXPECT_EQ(answer.status, 409U);
    EXPECT_EQ(answer.code, "cannot_compensate");
    EXPECT_EQ(bench.account().balance, 20);
    bench.send(Verb::compensate, gid(2));
    EXPECT_EQ(text(add(bench, Verb::compensate, 1, 0)), "200 compensated") << "funds came back";
    EXPECT_EQ(bench.account().balance, 0);
}

TEST(CreditTest, EveryChangeOfBalanceOrFrozenRaisesTheVersion) {
    CreditBench bench(100);
    std::uint64_t before = bench.account().version;
    const auto rises = [&] {
        return bench.account().version > std::exchange(before, bench.account().version);
    };
    bench.send(Verb::prepare, gid(1), 10);
    EXPECT_TRUE(rises());
    bench.send(Verb::commit, gid(1));
    EXPECT_TRUE(rises());
    bench.send(Verb::prepare, gid(2), 10);
    EXPECT_TRUE(rises());
    bench.send(Verb::rollback, gid(2));
    EXPECT_TRUE(rises());
    bench.send(Verb::execute, gid(3), 10);
    EXPECT_TRUE(rises());
    bench.send(Verb::compensate, gid(3));
    EXPECT_TRUE(rises());
    bench.send(Verb::prepare, gid(4), 1'000);
    EXPECT_FALSE(rises()) << "a refusal changes nothing";
}

TEST(CreditTest, EntriesPage) {
    CreditBench bench(100);
    for (int n = 1; n <= 4; ++n) bench.send(Verb::execute, gid(n), 1);
    const Accounts& accounts = bench.resource.accounts();
    const auto first = accounts.entries(bench.store.batch(), {"ann", "points"}, {}, 3);
    ASSERT_EQ(first.items.size(), 3U);
    const auto second = accounts.entries(bench.store.batch(), {"ann", "points"}, first.next, 3);
    ASSERT_EQ(second.items.size(), 2U);
    EXPECT_FALSE(second.next);
    EXPECT_EQ(second.items.back().kind, EntryKind::grant);
}

/// A number that is nobody's cursor, with more entries of others below it than one page looks at:
/// pages may be empty, `next` goes down, and nothing at or above the number is listed.
TEST(CreditTest, EntriesPageFromANumberOfSomebodyElse) {
    CreditBench bench(100);  // entry 1
    bench.open_account("bob", 0);
    const AccountName bobs{"bob", "points"};
    const AccountName anns{"ann", "points"};
    const Accounts& accounts = bench.resource.accounts();
    bench.store.in_unit([&](wal::Unit& unit) {
        Account bob = accounts.find(unit, bobs).value();
        Account ann = accounts.find(unit, anns).value();
        Entry one;
        one.amount = 1;
        for (int i = 0; i < 6'000; ++i) accounts.post(unit, bobs, bob, one, bench.moment);
        accounts.post(unit, anns, ann, one, bench.moment);  // entry 6,002
        return 0;
    });
    std::vector<std::uint64_t> listed;
    std::optional<std::uint64_t> before = 6'001;
    int pages = 0;
    for (; before && pages < 10; ++pages) {
        const auto page = accounts.entries(bench.store.batch(), anns, before, 3);
        for (const Entry& entry : page.items) listed.push_back(entry.entry_id);
        if (page.next) {
            EXPECT_LT(*page.next, *before);
        }
        before = page.next;
    }
    EXPECT_EQ(listed, std::vector<std::uint64_t>{1});
    EXPECT_EQ(pages, 2);
    EXPECT_EQ(accounts.entries(bench.store.batch(), anns, {}, 3).items.size(), 2U);
}

// --- grants and deductions by direct calls ---

struct PostingBench : CreditBench {
    PostingBench() : CreditBench(0) {}
    Postings postings{resource.accounts(), resource.locks(), branches.audit(), store.table_of()};

    Posted grant(std::int64_t amount, const std::string& id, const std::string& user = "ann") {
        Posting posting{.name = {user, "points"},
                        .amount = amount,
                        .business_code = "welcome",
                        .business_id = id,
                        .reason = "",
                        .canonical = user + std::to_string(amount)};
        return store.in_unit(
            [&](wal::Unit& unit) { return postings.carry_out(unit, posting, {}, moment); });
    }
};

TEST(PostingTest, IsCarriedOutOncePerBusinessKey) {
    PostingBench bench;
    const Posted first = bench.grant(50, "1");
    const Posted again = bench.grant(50, "1");
    EXPECT_FALSE(first.is_repeat);
    EXPECT_TRUE(again.is_repeat);
    EXPECT_EQ(again.entry_id, first.entry_id);
    EXPECT_EQ(bench.account().balance, 50);
    bench.grant(50, "2");
    EXPECT_EQ(bench.account().balance, 100);
}

TEST(PostingTest, RefusesAnotherRequestUnderTheSameKey) {
    PostingBench bench;
    bench.grant(50, "1");
    EXPECT_EQ(bench.grant(51, "1").refusal->status, 422U);
    EXPECT_EQ(bench.account().balance, 50);
}

TEST(PostingTest, RefusesAMissingAccountAndTheCeiling) {
    PostingBench bench;
    EXPECT_EQ(bench.grant(1, "1", "bob").refusal->status, 404U);
    for (int n = 0; n < 9; ++n) bench.grant(most_amount, "big" + std::to_string(n));
    EXPECT_EQ(bench.account().balance, most_balance);
    EXPECT_EQ(bench.grant(1, "2").refusal->reason, "balance_ceiling");
}

}  // namespace
}  // namespace twophase::participants::credit
