// A store that was made before there were locks, operations and a ledger.
#include "participants/branch.hpp"
#include "participants/branches.hpp"
#include "participants/credit/credit.hpp"
#include "participants/record.hpp"
#include "tests/participants/bench.hpp"
#include "tests/participants/running.hpp"
#include "wal/store.hpp"

#include <gtest/gtest.h>

namespace twophase::participants {
namespace {

using http::Json;
using testing::post;

/// What a direct call was then.
struct EarlierCall {
    std::string request;
    std::uint64_t entry_id = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.request);
        visit(self.entry_id);
    }
};

constexpr std::uint64_t earlier_entries = 4;

/// An account then, and one of its entries, which lay beside those of the same account.
struct EarlierAccount {
    std::uint64_t account_id = 0;
    std::int64_t balance = 0;
    std::int64_t frozen = 0;
    std::int64_t incoming = 0;
    std::uint64_t version = 1;
    std::int64_t created_at = 0;
    std::int64_t updated_at = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.account_id);
        visit(self.balance);
        visit(self.frozen);
        visit(self.incoming);
        visit(self.version);
        visit(self.created_at);
        visit(self.updated_at);
    }
};

struct EarlierEntry {
    std::uint64_t entry_id = 0;
    credit::EntryKind kind = credit::EntryKind::grant;
    std::int64_t amount = 0;
    std::int64_t balance_after = 0;
    std::string texts[5];
    std::uint64_t original_entry_id = 0;
    std::int64_t created_at = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.entry_id);
        visit(self.kind);
        visit(self.amount);
        visit(self.balance_after);
        for (auto& text : self.texts) visit(text);
        visit(self.original_entry_id);
        visit(self.created_at);
    }
};

void write_entry(wal::Unit& unit, wal::Store& store, std::uint64_t id) {
    EarlierEntry entry;
    entry.entry_id = next_number(unit, store.table("numbers"), "entry");
    EXPECT_EQ(entry.entry_id, id);
    entry.amount = 100 / static_cast<std::int64_t>(earlier_entries);
    write(unit, store.table("entries"), "ann/points/" + key_of(id), entry);
}

struct EarlierHold {
    bool is_addition = false;
    std::int64_t amount = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.is_addition);
        visit(self.amount);
    }
};

std::string gid_of(int n) { return "0190a1b2-0000-7000-8000-00000000000" + std::to_string(n); }

void prepare(wal::Unit& unit, wal::Store& store, int n, std::int64_t amount) {
    const std::string key = branch_key(gid_of(n), "1");
    const Branch branch{.coordinator = "main",
                        .operation = "deduct_credits",
                        .payload = R"({"amount":)" + std::to_string(amount) +
                                   R"(,"credit_type":"points","user_id":"ann"})",
                        .prepare_id = "credit-" + std::to_string(n)};
    write(unit, store.table("branches"), key, branch);
    write(unit, store.table("in_doubt"), key, InDoubt{"main", branch.operation, 0});
    write(unit, store.table("holds"), "ann/points/" + key, EarlierHold{.amount = amount});
}

void make_earlier_store(const std::filesystem::path& directory) {
    wal::StoreOptions options;
    options.directory = directory;
    options.kind = options.id = "credit";
    options.tables = branch_tables();
    for (const char* table : {"accounts", "entries", "holds", "direct_calls"})
        options.tables.emplace_back(table);
    options.map_bytes = std::size_t{1} << 26;
    options.any_filesystem = true;
    wal::Store store(options, [](const std::function<void()>&) {});
    store.submit(
        {.work =
             [&](wal::Unit& unit) {
                 next_number(unit, store.table("numbers"), "account");
                 const EarlierAccount account{
                     .account_id = 1, .balance = 100, .frozen = 50, .version = earlier_entries + 1};
                 prepare(unit, store, 1, 30);
                 prepare(unit, store, 2, 20);
                 write(unit, store.table("accounts"), "ann/points", account);
                 for (std::uint64_t id = 1; id <= earlier_entries; ++id)
                     write_entry(unit, store, id);
                 const std::string key(
                     "grant\0welcome\0"
                     "1",
                     15);
                 const EarlierCall call{
                     R"({"amount":100,"business_code":"welcome","business_id":"1",)"
                     R"("credit_type":"points","user_id":"ann"})",
                     1};
                 write(unit, store.table("direct_calls"), key, call);
             },
         .then = [](wal::Written) {}});
    store.stop();
}

TEST(EarlierStoreTest, OpensWithWhatItKnew) {
    const testing::TemporaryDirectory directory;
    make_earlier_store(directory.path() / "store");
    const testing::RunningParticipant participant(
        std::make_unique<credit::CreditKind>(), credit::defaults(), directory.path());
    const http::Endpoint& at = participant.endpoint();
    const std::string account = "/v1/accounts/ann/points";
    const Json grant{{"amount", 100}, {"business_code", "welcome"}, {"business_id", "1"}};
    const auto again = post(at, account + "/grant", grant);
    EXPECT_EQ(again.status, 200U);
    EXPECT_EQ(again.body.at("idempotent"), true);
    EXPECT_EQ(again.body.at("transaction_id"), "1");
    EXPECT_EQ(post(at, account + "/lock", {{"lease_ms", 60'000}}).body.at("lock_token"), 1);
    EXPECT_EQ(post(at, account + "/deduct", grant).status, 423U);
}

TEST(EarlierStoreTest, KeepsWhatItPromised) {
    const testing::TemporaryDirectory directory;
    make_earlier_store(directory.path() / "store");
    const testing::RunningParticipant participant(
        std::make_unique<credit::CreditKind>(), credit::defaults(), directory.path());
    const http::Endpoint& at = participant.endpoint();
    const auto found = [&] {
        return post(at, "/v1/reconciliation", Json::object()).body.at("findings");
    };
    EXPECT_EQ(found(), Json::array());
    const auto end = [&](const char* verb, int n) {
        return post(at,
                    std::string("/v1/branches/") + verb,
                    {{"gid", gid_of(n)},
                     {"branch_id", "1"},
                     {"participant", "credit"},
                     {"coordinator", "main"},
                     {"epoch", 1}});
    };
    EXPECT_EQ(end("commit", 1).body.at("result").at("balance"), 70);
    EXPECT_EQ(end("rollback", 2).body.at("state"), "rolled_back");
    const Json account = testing::get(at, "/v1/accounts/ann/points").body;
    EXPECT_EQ(account.at("balance"), 70);
    EXPECT_EQ(account.at("frozen"), 0);
    EXPECT_EQ(found(), Json::array());
}

/// Pages of two, to the end; and one that begins at a number which is nobody's.
TEST(EarlierStoreTest, ListsItsEntriesAfterTheNewerOnes) {
    const testing::TemporaryDirectory directory;
    make_earlier_store(directory.path() / "store");
    const testing::RunningParticipant participant(
        std::make_unique<credit::CreditKind>(), credit::defaults(), directory.path());
    const http::Endpoint& at = participant.endpoint();
    const std::string account = "/v1/accounts/ann/points";
    EXPECT_EQ(post(at, "/v1/accounts", {{"user_id", "bob"}, {"credit_type", "points"}}).status,
              201U);
    for (int i = 0; i < 3; ++i) {  // 5, 7 and 9: Bob has the ones between
        const Json grant{
            {"amount", 10}, {"business_code", "new"}, {"business_id", std::to_string(i)}};
        EXPECT_EQ(post(at, account + "/grant", grant).status, 200U);
        const Json his{{"amount", 1}, {"business_code", "his"}, {"business_id", std::to_string(i)}};
        EXPECT_EQ(post(at, "/v1/accounts/bob/points/grant", his).status, 200U);
    }
    const auto ids = [&](const std::string& query) {
        std::vector<std::string> listed;
        std::string next = query;
        do {
            const auto page = testing::get(at, account + "/entries?limit=2" + next);
            EXPECT_EQ(page.status, 200U);
            for (const Json& item : page.body.at("items")) listed.push_back(item.at("entry_id"));
            next = page.body.at("next").is_null()
                       ? ""
                       : "&before=" + page.body.at("next").get<std::string>();
        } while (!next.empty());
        return listed;
    };
    using Ids = std::vector<std::string>;
    EXPECT_EQ(ids(""), (Ids{"9", "7", "5", "4", "3", "2", "1"}));
    EXPECT_EQ(ids("&before=8"), (Ids{"7", "5", "4", "3", "2", "1"}));
    EXPECT_EQ(ids("&before=6"), (Ids{"5", "4", "3", "2", "1"}));
    EXPECT_EQ(ids("&before=99"), (Ids{"9", "7", "5", "4", "3", "2", "1"}));
    EXPECT_EQ(ids("&before=5"), (Ids{"4", "3", "2", "1"}));
    EXPECT_EQ(ids("&before=3"), (Ids{"2", "1"}));
    EXPECT_EQ(ids("&before=1"), Ids{});
    const auto report = post(at, "/v1/reconciliation", Json::object());
    EXPECT_EQ(report.body.at("checked").at("accounts"), 2) << report.body;
    EXPECT_EQ(report.body.at("found"), 0) << report.body;
}

}  // namespace
}  // namespace twophase::participants
