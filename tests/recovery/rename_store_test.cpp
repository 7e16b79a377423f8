// A participant's store gets another name: by the built program, on a real store.
#include "participants/credit/credit.hpp"
#include "participants/verify.hpp"
#include "tests/recovery/recoveryctl_support.hpp"
#include "wal/store.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace twophase::recoveryctl::testing {
namespace {

class RenameStoreTest : public ::testing::Test {
protected:
    RenameStoreTest() { open("credit").reset(); }

    std::unique_ptr<wal::Store> open(const std::string& name) const {
        const participants::credit::CreditKind kind;
        wal::StoreOptions options{.directory = data_, .kind = "credit"};
        options.id = name;
        options.tables = participants::tables_of(kind);
        options.any_filesystem = true;
        return std::make_unique<wal::Store>(options, [](const std::function<void()>&) {});
    }
    Ended rename(const std::string& to, const std::string& data = {}) const {
        return run({"rename-store",
                    "--data",
                    data.empty() ? data_ : data,
                    "--to",
                    to,
                    "--reason",
                    "two credits now",
                    "--yes"});
    }
    std::string refusal_of(const std::string& name) const {
        try {
            open(name);
            return "";
        } catch (const wal::StoreError& error) {
            return error.what();
        }
    }

    TempDirectory directory_;
    std::string data_ = directory_ / "data";
};

TEST_F(RenameStoreTest, OpensUnderTheNewNameAloneAndKeepsTheOldOne) {
    const Ended renamed = rename("points");
    ASSERT_EQ(renamed.exit_code, 0) << renamed.errors;
    EXPECT_NE(renamed.out.find("leave credit there"), std::string::npos) << renamed.out;
    EXPECT_NE(refusal_of("credit").find("recoveryctl rename-store"), std::string::npos);
    EXPECT_EQ(open("points")->identity().former_ids, std::vector<std::string>{"credit"});
    EXPECT_EQ(run({"verify", "--data", data_}).exit_code, 0);
    ASSERT_EQ(rename("credit").exit_code, 0);
    EXPECT_EQ(open("credit")->identity().former_ids, std::vector<std::string>{"points"});
}

TEST_F(RenameStoreTest, IsWrittenIntoItsAudit) {
    ASSERT_EQ(rename("points").exit_code, 0);
    const auto store = open("points");
    const participants::Audit audit([&store](std::string_view name) { return store->table(name); });
    const Json entry = Json::parse(audit.list(store->snapshot(), {.limit = 1}).items.at(0));
    EXPECT_EQ(entry.at("operation"), "rename_store");
    EXPECT_EQ(entry.at("detail").at("from"), "credit");
    EXPECT_EQ(entry.at("detail").at("to"), "points");
    EXPECT_EQ(entry.at("detail").at("reason"), "two credits now");
}

TEST_F(RenameStoreTest, RefusesWhatIsNoNameARunningStoreAndALogAndChangesNothing) {
    for (const char* name : {"", "a b", "credit"}) EXPECT_EQ(rename(name).exit_code, 2) << name;
    {
        const auto running = open("credit");
        EXPECT_EQ(rename("points").exit_code, 2);
    }
    const std::string log = directory_ / "log";
    make_log(log);
    EXPECT_EQ(rename("points", log).exit_code, 2);
    EXPECT_EQ(run({"list", "--data", log}).exit_code, 0);
    EXPECT_EQ(rename("points", directory_ / "nowhere").exit_code, 2);
    EXPECT_EQ(run({"rename-store", "--data", data_, "--to", "points", "--yes"}).exit_code, 2)
        << "without a reason";
    EXPECT_EQ(open("credit")->identity().former_ids, std::vector<std::string>{});
}

}  // namespace
}  // namespace twophase::recoveryctl::testing
