#include "participants/audit.hpp"

#include "http/json.hpp"
#include "participants/record.hpp"
#include "tests/participants/credit_bench.hpp"

#include <gtest/gtest.h>

namespace twophase::participants {
namespace {

using http::Json;
using testing::CreditBench;
using testing::gid;

Json last_entry(CreditBench& bench) {
    return Json::parse(bench.branches.audit().list(bench.store.batch(), {.limit = 1}).items.at(0));
}

TEST(AuditTest, TellsWhoDidWhatAndWhatCameOfIt) {
    CreditBench bench(100);
    Message message = CreditBench::of(Verb::prepare, gid(1), 30);
    message.origin = {.ip = "10.0.0.7", .request_id = "r-1", .actor = "shop \"é\"\n"};
    bench.send(message);
    bench.send(Verb::commit, gid(1));
    const auto items = bench.branches.audit().list(bench.store.batch(), {}).items;
    const Json prepared = Json::parse(items.at(1));
    EXPECT_EQ(prepared.at("service"), "credit");
    EXPECT_EQ(prepared.at("operation"), "deduct_credits");
    EXPECT_EQ(prepared.at("verb"), "prepare");
    EXPECT_EQ(prepared.at("user_id"), "ann");
    EXPECT_EQ(prepared.at("amount"), 30);
    EXPECT_EQ(prepared.at("business_code"), "order");
    EXPECT_EQ(prepared.at("ip"), "10.0.0.7");
    EXPECT_EQ(prepared.at("request_id"), "r-1");
    EXPECT_EQ(prepared.at("actor"), "shop \"é\"\n");
    EXPECT_EQ(prepared.at("gid"), gid(1));
    EXPECT_EQ(prepared.at("success"), true);
    EXPECT_EQ(prepared.at("timestamp"), bench.moment.microseconds);
    EXPECT_EQ(prepared.at("before_state"), Json::parse(R"({"balance":100,"frozen_amount":0})"));
    EXPECT_EQ(prepared.at("after_state"), Json::parse(R"({"balance":100,"frozen_amount":30})"));
    const Json committed = Json::parse(items.at(0));
    EXPECT_EQ(committed.at("after_state"), Json::parse(R"({"balance":70,"frozen_amount":0})"));
    EXPECT_EQ(committed.at("business_id"), gid(1)) << "of the branch";
    EXPECT_NE(committed.at("transaction_id"), "");
}

TEST(AuditTest, TellsOfRefusalsToo) {
    CreditBench bench(100);
    bench.send(Verb::prepare, gid(1), 500);
    EXPECT_EQ(last_entry(bench).at("code"), "insufficient_credits");
    EXPECT_EQ(last_entry(bench).at("success"), false);
    EXPECT_EQ(last_entry(bench).at("user_id"), "ann");
    bench.has_room = false;
    const std::size_t audited = bench.audited();
    bench.send(Verb::prepare, gid(2), 500);
    EXPECT_EQ(bench.audited(), audited) << "what is left of the store belongs to ends";
}

TEST(AuditTest, EachEntryCarriesTheHashOfTheOneBefore) {
    CreditBench bench;
    for (int n = 1; n <= 5; ++n) bench.send(Verb::prepare, gid(n), n);
    EXPECT_EQ(bench.branches.audit().verify(bench.store.batch()), std::nullopt);
}

TEST(AuditTest, TakesAnyBytesOfAHeader) {
    CreditBench bench;
    bench.store.in_unit([&](wal::Unit& unit) {
        AuditEntry entry;
        entry.origin.request_id = "\xff\xfe broken";
        bench.branches.audit().append(unit, entry);
        return 0;
    });
    EXPECT_EQ(bench.branches.audit().verify(bench.store.batch()), std::nullopt);
}

TEST(AuditTest, ListsByTransactionAndUserPageByPage) {
    CreditBench bench;
    bench.open_account("bob", 10);
    for (int n = 1; n <= 3; ++n) bench.send(Verb::prepare, gid(n), 1);
    Message bobs = CreditBench::of(Verb::prepare, gid(4), 1);
    bobs.payload = testing::credit_payload(1, "bob");
    bench.send(bobs);
    const Audit& audit = bench.branches.audit();
    EXPECT_EQ(audit.list(bench.store.batch(), {.gid = gid(2)}).items.size(), 1U);
    EXPECT_EQ(audit.list(bench.store.batch(), {.user_id = "bob"}).items.size(), 1U);
    const auto page = audit.list(bench.store.batch(), {.limit = 3});
    EXPECT_EQ(page.items.size(), 3U);
    EXPECT_EQ(audit.list(bench.store.batch(), {.before = page.next}).items.size(), 1U);
}

TEST(RecordTest, IsBoundToItsKey) {
    const InDoubt entry{.coordinator = "main", .operation = "x", .prepared_at = -5};
    const std::string bytes = encode("key", entry);
    EXPECT_EQ(decode<InDoubt>("key", bytes).prepared_at, -5);
    EXPECT_THROW(decode<InDoubt>("other", bytes), DamagedRecord);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string broken = bytes;
        broken[i] ^= 4;
        EXPECT_THROW(decode<InDoubt>("key", broken), DamagedRecord) << i;
        EXPECT_THROW(decode<InDoubt>("key", bytes.substr(0, i)), DamagedRecord) << i;
    }
}

}  // namespace
}  // namespace twophase::participants
