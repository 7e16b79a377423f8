// Damage behind the log's back: found, named, and never taken for something else.
#include "tests/wal/support.hpp"
#include "wal/frame.hpp"
#include "wal/log_keys.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace twophase::wal {
namespace {

struct DamageTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    LogOptions options = log_options(directory / "log");

    // Three transactions of two records; 3 is finished.
    DamageTest() {
        Log log(options, loop.post());
        for (std::uint64_t number = 1; number <= 3; ++number)
            append_and_wait(log, loop, {started(number), decided(number)});
        append_and_wait(log, loop, {finished(3, 2)});
    }
    void change(const std::string& table, const std::function<void(Batch&, Table)>& how) const {
        tamper(options.store.directory, table, how);
    }
    void flip(const std::string& table, const std::string& key, std::size_t bit = 200) const {
        flip_bit(options.store.directory, table, key, bit);
    }
    std::vector<std::string> findings() {
        const Log log(options, loop.post());
        std::vector<std::string> all;
        std::size_t done = 0;
        log.verify([&](const std::string& finding) { all.push_back(finding); },
                   [&](std::size_t transactions) { done = transactions; });
        EXPECT_LE(done, 3U);
        return all;
    }
    void expect_finding(const std::string& part) {
        const auto all = findings();
        EXPECT_TRUE(std::ranges::any_of(
            all, [&](const std::string& text) { return text.find(part) != std::string::npos; }))
            << "not found: " << part << testing::PrintToString(all);
    }
    // Transaction 1 as recovery sees it; the others must be whole.
    StoredTransaction recovered() {
        const Log log(options, loop.post());
        auto all = unfinished_in(log);
        EXPECT_EQ(all.bad_keys, 0U);
        EXPECT_EQ(all.transactions.size(), 2U);
        EXPECT_EQ(all.transactions.at(1).damage, "");
        EXPECT_EQ(all.transactions.at(0).gid, gid_of(1));
        return all.transactions.at(0);
    }
};

TEST_F(DamageTest, AWholeLogVerifies) { EXPECT_TRUE(findings().empty()); }

TEST_F(DamageTest, AFlippedBitInARecord) {
    const std::size_t bits = encode_frame(gid_of(1), 1, "decided").size() * 8;
    for (std::size_t bit = 0; bit < bits; bit += 37) {
        flip("records", record_key(gid_of(1), 1), bit);
        const auto transaction = recovered();
        EXPECT_EQ(transaction.damage, "record 1 fails its checksum");
        EXPECT_EQ(transaction.records.size(), 1U) << "what is before the damage is given";
        if (bit == 0) expect_finding("record 1 fails its checksum");
        flip("records", record_key(gid_of(1), 1), bit);
    }
    EXPECT_EQ(recovered().damage, "");
}

TEST_F(DamageTest, ATornRecord) {
    change("records", [](Batch& batch, Table table) {
        const std::string key = record_key(gid_of(1), 0);
        batch.put(table, key, std::string(*batch.get(table, key)).substr(0, 30));
    });
    EXPECT_EQ(recovered().damage, "record 0 fails its checksum");
    EXPECT_TRUE(recovered().records.empty());
}

TEST_F(DamageTest, AGap) {
    change("records", [](Batch& batch, Table table) {
        batch.put(table, record_key(gid_of(1), 3), encode_frame(gid_of(1), 3, "later"));
    });
    EXPECT_EQ(recovered().damage, "record 2 is missing");
    expect_finding("record 2 is missing");
}

TEST_F(DamageTest, NoRecordZero) {
    change("records",
           [](Batch& batch, Table table) { batch.erase(table, record_key(gid_of(1), 0)); });
    EXPECT_EQ(recovered().damage, "record 0 is missing");
    change("records",
           [](Batch& batch, Table table) { batch.erase(table, record_key(gid_of(1), 1)); });
    EXPECT_EQ(recovered().damage, "record 0 is missing") << "unfinished, and nothing there at all";
    expect_finding("is in an index and has no record 0");
    const Log log(options, loop.post());
    ASSERT_TRUE(log.read(gid_of(1)));
    EXPECT_EQ(log.read(gid_of(1))->damage, "record 0 is missing");
}

TEST_F(DamageTest, AFrameUnderAnothersKey) {
    change("records", [](Batch& batch, Table table) {
        batch.put(table, record_key(gid_of(1), 1), encode_frame(gid_of(2), 1, "decided"));
    });
    EXPECT_EQ(recovered().damage, "record 1 belongs under another key");
}

TEST_F(DamageTest, AMalformedRecordKey) {
    change("records", [](Batch& batch, Table table) {
        batch.put(table, record_key(gid_of(1), 1) + "x", "stray");
    });
    EXPECT_EQ(recovered().damage, "a record has a malformed key");
}

TEST_F(DamageTest, AnUnfinishedEntryThatFailsItsChecksum) {
    flip("unfinished", std::string(bytes_of(gid_of(1))), 9);
    EXPECT_EQ(recovered().damage, "its entry in the unfinished index fails its checksum");
    expect_finding("its entry in the unfinished index fails its checksum");
}

TEST_F(DamageTest, AnUnfinishedEntryWhoseGidCannotBeTold) {
    change("unfinished", [](Batch& batch, Table table) {
        const std::string key(bytes_of(gid_of(1)));
        const std::string value(*batch.get(table, key));
        batch.erase(table, key);
        batch.put(table, bytes_of(gid_of(0x101)), value);  // one flipped bit in the key
        batch.put(table, "short", value);
    });
    const Log log(options, loop.post());
    const auto unfinished = unfinished_in(log);
    EXPECT_EQ(unfinished.bad_keys, 2U);
    EXPECT_EQ(unfinished.transactions.size(), 1U);
}

TEST_F(DamageTest, ADamagedBusinessKeyIsStillTaken) {
    flip("business_keys", business_key(started(1).starts->key));
    {
        const Log log(options, loop.post());
        const auto entry = log.find(started(1).starts->key);
        ASSERT_TRUE(entry);
        EXPECT_TRUE(entry->damaged);
        EXPECT_TRUE(log.find_last_attempt("order", "1")->damaged);
    }
    expect_finding("business key order 1 1 fails its checksum");
}

TEST_F(DamageTest, IndexesThatDisagree) {
    change("unfinished",
           [](Batch& batch, Table table) { batch.erase(table, bytes_of(gid_of(1))); });
    expect_finding("3 business keys, but 2 transactions in the indexes");
    change("business_keys", [](Batch& batch, Table table) {
        batch.erase(table, business_key(started(1).starts->key));
    });
    expect_finding("3 transactions with records, but 2 in the indexes");
    change("business_keys", [](Batch& batch, Table table) {
        batch.erase(table, business_key(started(2).starts->key));
    });
    expect_finding("its business key is not taken");
}

TEST_F(DamageTest, AKeyThatNamesAnotherTransaction) {
    change("business_keys", [](Batch& batch, Table table) {
        const BusinessKey key = started(1).starts->key;
        const BusinessEntry wrong{.key = key, .gid = gid_of(2)};
        batch.put(table, business_key(key), business_value(business_key(key), wrong));
    });
    expect_finding("its business key names transaction");
}

TEST_F(DamageTest, AStrayRow) {
    change("records", [](Batch& batch, Table table) { batch.put(table, "stray", "row"); });
    expect_finding("8 rows of records, but 7 belong to a transaction");
    const Log log(options, loop.post());
    EXPECT_EQ(log.list({}, 10).size(), 3U);
    EXPECT_EQ(log.walk({}, 10).size(), 3U);
}

}  // namespace
}  // namespace twophase::wal
