// A store that was made before there were locks and operations.
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
    const TableOf table_of = [&](std::string_view name) { return store.table(name); };
    const credit::Accounts accounts(table_of);
    store.submit({.work =
                      [&](wal::Unit& unit) {
                          const credit::AccountName ann{"ann", "points"};
                          credit::Account account = accounts.create(unit, ann, {});
                          credit::Entry entry;
                          entry.amount = 100;
                          accounts.post(unit, ann, account, entry, {});
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

}  // namespace
}  // namespace twophase::participants
