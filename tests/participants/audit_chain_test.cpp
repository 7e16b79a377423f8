// Damage to the audit log, planted in the store: each is found, and the first entry named.
#include "http/json.hpp"
#include "participants/audit.hpp"
#include "participants/record.hpp"
#include "tests/participants/credit_bench.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>

namespace twophase::participants {
namespace {

using http::Json;
using testing::CreditBench;
using testing::gid;

/// Five entries, their amounts 1 to 5, and a hand that reaches around the program.
struct AuditDamage : ::testing::Test {
    AuditDamage() {
        for (int n = 1; n <= 5; ++n) bench.send(Verb::prepare, gid(n), n);
    }
    std::string entry(std::uint64_t number) {
        return std::string(bench.store.batch().get(audit, key_of(number)).value());
    }
    void put(std::uint64_t number, const std::string& text) {
        bench.store.batch().put(audit, key_of(number), text);
    }
    void remove(std::uint64_t number) { bench.store.batch().erase(audit, key_of(number)); }
    void replace(std::uint64_t number, const std::string& from, const std::string& to) {
        std::string text = entry(number);
        text.replace(text.find(from), from.size(), to);
        put(number, text);
    }
    /// As whoever knows how hashes are made would write it.
    void forge(std::uint64_t number, std::int64_t amount) {
        Json json = Json::parse(entry(number));
        json["amount"] = amount;
        const std::string previous = json["previous_hash"];
        json.erase("hash");
        json.erase("previous_hash");
        const std::string hash = sha256(previous + json.dump());
        json["previous_hash"] = previous;
        json["hash"] = hash;
        put(number, json.dump());
    }
    /// What verify says, of the store and of an export alike.
    std::string verdict() {
        const Audit& log = bench.branches.audit();
        const wal::Reader& reader = bench.store.batch();
        AuditChain chain(log.head(reader));
        std::istringstream lines(log.export_lines(reader, 0, 100, 1'000'000).text);
        for (std::string line; std::getline(lines, line);) chain.add(line);
        EXPECT_EQ(chain.finish(), log.verify(reader)) << "over an export";
        return log.verify(reader).value_or("whole");
    }

    CreditBench bench;
    wal::Table audit = bench.store.table_of()("audit");
};

TEST_F(AuditDamage, IsNotFoundWhereThereIsNone) { EXPECT_EQ(verdict(), "whole"); }

TEST_F(AuditDamage, AnAlteredEntryIsNamed) {
    replace(3, "\"amount\":3", "\"amount\":4");
    EXPECT_EQ(verdict(), "audit entry 3 was altered");
}

TEST_F(AuditDamage, AnAlteredHashIsNamed) {
    replace(3, "\"hash\":\"", "\"hash\":\"0");
    EXPECT_EQ(verdict(), "audit entry 3 was altered");
}

TEST_F(AuditDamage, AnEntryThatIsNoJsonAnyMoreIsNamed) {
    put(2, "{\n\xff");
    EXPECT_EQ(verdict(), "audit entry 2 was altered");
}

TEST_F(AuditDamage, AnEntryWrittenAnewWithItsHashIsNamedByTheNext) {
    forge(3, 4);
    EXPECT_EQ(verdict(), "audit entry 3 was altered: audit entry 4 knows it by another hash");
}

TEST_F(AuditDamage, TheLastWrittenAnewWithItsHashIsNamedByTheStore) {
    forge(5, 4);
    EXPECT_EQ(verdict(), "audit entry 5 was altered: the store knows it by another hash");
}

TEST_F(AuditDamage, ARemovedEntryIsNamed) {
    remove(2);
    EXPECT_EQ(verdict(), "audit entry 2 was removed");
}

TEST_F(AuditDamage, RemovedEntriesAreNamed) {
    remove(1);
    remove(2);
    EXPECT_EQ(verdict(), "audit entries 1 to 2 were removed");
}

TEST_F(AuditDamage, TheLastRemovedAreNamed) {
    remove(5);
    EXPECT_EQ(verdict(), "audit entry 5 was removed from the end: the store counts 5");
    remove(4);
    EXPECT_EQ(verdict(), "audit entries 4 to 5 were removed from the end: the store counts 5");
}

TEST_F(AuditDamage, ReorderedEntriesAreNamed) {
    const std::string second = entry(2);
    put(2, entry(4));
    put(4, second);
    EXPECT_EQ(verdict(), "audit entry 2 was put elsewhere: audit entry 4 stands in its place");
}

TEST_F(AuditDamage, AnEntryThatStandsTwiceIsNamed) {
    put(4, entry(2));
    EXPECT_EQ(verdict(), "audit entry 2 was put elsewhere: it stands where audit entry 4 has to");
}

TEST_F(AuditDamage, AnEntryByAnotherHandIsNamed) {
    put(6, entry(5));
    EXPECT_NE(verdict(), "whole");
}

TEST(AuditChainTest, AnIndexThatHidesAnEntryIsNamed) {
    CreditBench bench;
    const auto verdict = [&] { return bench.branches.audit().verify(bench.store.batch()); };
    for (int n = 1; n <= 1'024; ++n) bench.send(Verb::rollback, gid(n));
    EXPECT_EQ(verdict(), std::nullopt);
    const wal::Table index = bench.store.table_of()("audit_index");
    std::string block(bench.store.batch().get(index, key_of(0)).value());
    bench.store.batch().put(index, key_of(0), block.substr(8));
    EXPECT_EQ(verdict(), "the index of audit entries 1 to 1024 was altered");
}

TEST(AuditChainTest, ALogThatGrowsDuringTheWalkIsWhole) {
    CreditBench bench;
    for (int n = 1; n <= 2; ++n) bench.send(Verb::prepare, gid(n), n);
    AuditChain chain(bench.branches.audit().head(bench.store.batch()));
    bench.send(Verb::prepare, gid(3), 3);
    std::istringstream lines(
        bench.branches.audit().export_lines(bench.store.batch(), 0, 100, 1'000'000).text);
    for (std::string line; std::getline(lines, line);) chain.add(line);
    EXPECT_EQ(chain.finish(), std::nullopt);
    EXPECT_EQ(chain.count(), 3U);
}

TEST(AuditChainTest, ADamagedCountIsTold) {
    CreditBench bench;
    bench.send(Verb::prepare, gid(1), 1);
    bench.store.batch().put(bench.store.table_of()("numbers"), "audit head", "x");
    EXPECT_NE(bench.branches.audit().verify(bench.store.batch()).value_or("").find("count"),
              std::string::npos);
}

}  // namespace
}  // namespace twophase::participants
