#include "tests/wal/support.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace twophase::wal {
namespace {

std::vector<Gid> gids(const std::vector<StoredTransaction>& transactions) {
    std::vector<Gid> all;
    for (const auto& transaction : transactions) all.push_back(transaction.gid);
    return all;
}

struct LogTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    LogOptions options = log_options(directory / "log");
    std::optional<Log> log{std::in_place, options, loop.post()};

    void reopen() {
        log.reset();
        log.emplace(options, loop.post());
    }
    void append(std::vector<Entry> entries) {
        ASSERT_EQ(append_and_wait(*log, loop, std::move(entries)), Written::durable);
    }
};

TEST_F(LogTest, WhatWasAppendedIsReadBackAfterARestart) {
    append({started(1, "one")});
    append({started(2, std::string(100'000, 'x')), decided(1, 1, "commit")});
    append({finished(1, 2)});
    reopen();
    const auto first = log->read(gid_of(1));
    ASSERT_TRUE(first);
    EXPECT_EQ(first->damage, "");
    EXPECT_TRUE(first->is_finished);
    ASSERT_EQ(first->records.size(), 3U);
    EXPECT_EQ(first->records[0].payload, "one");
    EXPECT_EQ(first->records[1].payload, "commit");
    EXPECT_EQ(first->records[2].n, 2U);
    EXPECT_FALSE(log->read(gid_of(3)));
    const auto unfinished = unfinished_in(*log);
    EXPECT_EQ(gids(unfinished.transactions), std::vector{gid_of(2)});
    EXPECT_EQ(unfinished.transactions[0].records[0].payload.size(), 100'000U);
    EXPECT_FALSE(unfinished.transactions[0].is_finished);
    EXPECT_EQ(unfinished.bad_keys, 0U);
}

TEST_F(LogTest, BusinessKeysAreFoundByKeyAndByAttempt) {
    const auto attempt = [](std::uint64_t number, std::string code, std::string id, unsigned n) {
        Entry entry = started(number);
        entry.starts->key = {.code = std::move(code), .id = std::move(id), .attempt = n};
        entry.starts->fingerprint.fill(static_cast<std::uint8_t>(number));
        return entry;
    };
    append({attempt(1, "a", "bc", 1), attempt(2, "ab", "c", 1), attempt(3, "a", "bc", 2)});
    append({attempt(4, "a", "bc", 0xFFFFFFFF), attempt(5, "a", "bcd", 1)});
    const auto exact = log->find({"a", "bc", 2});
    ASSERT_TRUE(exact);
    EXPECT_FALSE(exact->damaged);
    EXPECT_EQ(exact->gid, gid_of(3));
    EXPECT_EQ(exact->fingerprint[31], 3);
    EXPECT_EQ(exact->key, (BusinessKey{"a", "bc", 2}));
    EXPECT_FALSE(log->find({"a", "bc", 3}));
    EXPECT_FALSE(log->find({"", "bc", 1})) << "no such key can be";
    EXPECT_EQ(log->find_last_attempt("a", "bc")->gid, gid_of(4));
    EXPECT_EQ(log->find_last_attempt("ab", "c")->gid, gid_of(2));
    EXPECT_FALSE(log->find_last_attempt("a", "b"));
    EXPECT_FALSE(log->find_last_attempt("zz", "z"));
    const auto attempts = log->find_attempts("a", "bc");
    ASSERT_EQ(attempts.size(), 3U);
    EXPECT_EQ(attempts[1].gid, gid_of(3));
}

TEST_F(LogTest, ListsNewestFirstAndWalksOldestFirst) {
    for (std::uint64_t number = 1; number <= 5; ++number)
        append({started(number), decided(number)});
    append({finished(2, 2)});
    const auto newest = log->list({}, 2);
    EXPECT_EQ(gids(newest), (std::vector{gid_of(5), gid_of(4)}));
    EXPECT_EQ(newest[0].records.size(), 2U);
    const auto rest = log->list(newest.back().gid, 100);
    EXPECT_EQ(gids(rest), (std::vector{gid_of(3), gid_of(2), gid_of(1)}));
    EXPECT_TRUE(rest[1].is_finished);
    EXPECT_FALSE(rest[0].is_finished);
    EXPECT_TRUE(log->list(gid_of(1), 100).empty());
    EXPECT_EQ(gids(log->walk({}, 2)), (std::vector{gid_of(1), gid_of(2)}));
    EXPECT_EQ(gids(log->walk(gid_of(2), 100)), (std::vector{gid_of(3), gid_of(4), gid_of(5)}));
    EXPECT_TRUE(log->walk(gid_of(5), 100).empty());
}

TEST_F(LogTest, TheCeilingIsDurableAndNeverFalls) {
    EXPECT_EQ(log->gid_ceiling(), 0U);
    log->append({started(1)}, Urgency::lazy, {}, 9000);
    log->append({started(2)}, Urgency::lazy, {}, 8000);
    reopen();
    EXPECT_EQ(log->gid_ceiling(), 9000U);
}

// A caller that lost count would make the log lie: the process ends and nothing is written.
struct BrokenLogTest : LogTest {
    std::promise<std::string> stopped;
    std::string append_until_stopped(std::vector<Entry> entries) {
        options.store.fail_stop = [this](const std::string& why) { stopped.set_value(why); };
        reopen();
        bool is_told = false;
        log->append(std::move(entries), Urgency::forced, [&](Written) { is_told = true; });
        std::string why = stopped.get_future().get();
        log.reset();
        loop.run_posted();
        EXPECT_FALSE(is_told);
        options.store.fail_stop = {};
        reopen();
        return why.substr(why.rfind(": ") + 2);
    }
};

TEST_F(BrokenLogTest, ATakenBusinessKey) {
    append({started(1)});
    Entry second = started(2);
    second.starts->key = started(1).starts->key;
    EXPECT_EQ(append_until_stopped({started(3), second}), "its business key is taken already");
    EXPECT_EQ(log->find(started(1).starts->key)->gid, gid_of(1));
    EXPECT_FALSE(log->read(gid_of(3))) << "the append is one atomic job";
}

TEST_F(BrokenLogTest, ARecordThatIsThereAlready) {
    append({started(1), decided(1)});
    EXPECT_EQ(append_until_stopped({decided(1, 1, "another")}), "record 1 is there already");
    EXPECT_EQ(log->read(gid_of(1))->records[1].payload, "decided");
}

TEST_F(BrokenLogTest, ADecisionWithoutItsStart) {
    EXPECT_EQ(append_until_stopped({decided(1)}), "record 1 has no predecessor");
    EXPECT_FALSE(log->read(gid_of(1)));
}

TEST_F(BrokenLogTest, ASecondEnd) {
    append({started(1), finished(1, 1)});
    EXPECT_EQ(append_until_stopped({finished(1, 2)}), "is finished that is not unfinished");
}

TEST_F(LogTest, AStartThatIsNotRecordZeroIsABug) {
    for (const char* n : {"0", "1"}) {
        Child child({"misuse", directory / n, n});
        EXPECT_EQ(child.wait(), -SIGABRT);
    }
}

}  // namespace
}  // namespace twophase::wal
