// recoveryctl audit, against a participant that runs and on its store once it is stopped.
#include "participants/audit.hpp"
#include "participants/credit/credit.hpp"
#include "participants/record.hpp"
#include "tests/participants/running.hpp"
#include "tests/recovery/recoveryctl_support.hpp"
#include "wal/environment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace twophase::recoveryctl {
namespace {

using testing::Ended;
using testing::Json;
using testing::run;
using testing::TempDirectory;

/// A credit participant with five entries in its audit log: an account, and grants of 1 to 4.
struct AuditCommands : ::testing::Test {
    AuditCommands() {
        start();
        post("/v1/accounts", {{"user_id", "ann"}, {"credit_type", "points"}});
        for (int n = 1; n <= 4; ++n)
            post("/v1/accounts/ann/points/grant",
                 {{"amount", n}, {"business_code", "welcome"}, {"business_id", std::to_string(n)}});
    }
    void start() {
        participant = std::make_unique<participants::testing::RunningParticipant>(
            std::make_unique<participants::credit::CreditKind>(),
            participants::credit::defaults(),
            directory / "");
    }
    void stop() { participant.reset(); }
    void post(const std::string& path, const Json& body) {
        participants::testing::post(participant->endpoint(), path, body);
    }
    /// Runs `recoveryctl audit WHAT` against the running participant.
    Ended running(std::vector<std::string> what) {
        what.insert(what.begin(), "audit");
        what.insert(what.end(), {"--participant-url", "file:" + (directory / "address")});
        return run(what);
    }
    /// On its store, stopping it first.
    Ended stopped(std::vector<std::string> what) {
        stop();
        what.insert(what.begin(), "audit");
        what.insert(what.end(), {"--data", directory / "store"});
        return run(what);
    }
    /// Reaches around the program, into its stopped store.
    void tamper(const std::function<void(wal::Batch&, wal::Table)>& how) {
        stop();
        wal::Environment environment(
            {.directory = directory / "store", .map_bytes = std::size_t{1} << 28});
        const wal::Table audit = environment.find_table("audit").value();
        wal::Batch batch = environment.batch();
        how(batch, audit);
        batch.commit();
    }
    /// What verify finds, stopped and running.
    void expect_found(const std::string& finding) {
        const Ended on_store = stopped({"verify"});
        EXPECT_EQ(on_store.exit_code, 1);
        EXPECT_NE(on_store.out.find(finding + "\n"), std::string::npos) << on_store.out;
        start();
        const Ended over_http = running({"verify", "--json"});
        EXPECT_EQ(over_http.exit_code, 1);
        EXPECT_EQ(over_http.json().at("findings"), Json::array({finding}));
    }

    TempDirectory directory;
    std::unique_ptr<participants::testing::RunningParticipant> participant;
};

std::string entry(const wal::Batch& batch, wal::Table audit, std::uint64_t number) {
    return std::string(batch.get(audit, participants::key_of(number)).value());
}

TEST_F(AuditCommands, ListShowsWhoDidWhat) {
    const Ended all = running({"list"});
    EXPECT_EQ(all.exit_code, 0) << all.errors;
    EXPECT_NE(all.out.find("welcome 4"), std::string::npos) << all.out;
    EXPECT_NE(all.out.find("balance 10, frozen_amount 0"), std::string::npos) << all.out;
    EXPECT_LT(all.out.find("welcome 4"), all.out.find("welcome 3")) << "newest first";
    const Ended two = running({"list", "--limit", "2"});
    EXPECT_NE(two.out.find("there are more"), std::string::npos) << two.out;
}

TEST_F(AuditCommands, ListFiltersAlikeRunningAndStopped) {
    const std::vector<std::vector<std::string>> all = {
        {"list", "--json", "--user-id", "ann"},
        {"list", "--json", "--business-code", "welcome", "--business-id", "3"},
        {"list", "--json", "--gid", "0190a1b2-0000-7000-8000-000000000001"},
        {"list", "--json", "--to", "2020-01-31T09:15:02Z"},
        {"list", "--json", "--from", "2020-01-31", "--limit", "0"},
    };
    std::vector<std::string> answers;
    for (const auto& what : all) answers.push_back(running(what).out);
    const auto count = [&](std::size_t i) { return Json::parse(answers[i]).at("items").size(); };
    EXPECT_EQ(count(0), 5U);
    EXPECT_EQ(count(1), 1U);
    EXPECT_EQ(count(2), 0U);
    EXPECT_EQ(count(3), 0U);
    EXPECT_EQ(count(4), 5U);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(stopped(all[i]).out, answers[i]) << i;
}

TEST_F(AuditCommands, ExportWritesEveryEntryOldestFirst) {
    const Ended exported = running({"export"});
    EXPECT_EQ(exported.exit_code, 0) << exported.errors;
    EXPECT_EQ(std::ranges::count(exported.out, '\n'), 5);
    EXPECT_EQ(Json::parse(exported.out.substr(0, exported.out.find('\n'))).at("seq"), 1);
    const Ended written = stopped({"export", "--to", directory / "audit.ndjson"});
    EXPECT_EQ(written.exit_code, 0) << written.errors;
    std::ifstream file(directory / "audit.ndjson");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), exported.out);
}

TEST_F(AuditCommands, VerifyFindsNothingInAWholeLog) {
    const Ended over_http = running({"verify"});
    EXPECT_EQ(over_http.exit_code, 0) << over_http.errors;
    EXPECT_NE(over_http.out.find("5 entries checked, 0 findings"), std::string::npos);
    EXPECT_EQ(stopped({"verify"}).out, over_http.out) << "the last one's hash too";
}

TEST_F(AuditCommands, VerifyNamesAnAlteredEntry) {
    tamper([](wal::Batch& batch, wal::Table audit) {
        std::string text = entry(batch, audit, 3);
        text.replace(text.find("\"amount\":2"), 10, "\"amount\":9");
        batch.put(audit, participants::key_of(3), text);
    });
    expect_found("audit entry 3 was altered");
}

TEST_F(AuditCommands, VerifyNamesARemovedEntry) {
    tamper(
        [](wal::Batch& batch, wal::Table audit) { batch.erase(audit, participants::key_of(2)); });
    expect_found("audit entry 2 was removed");
}

TEST_F(AuditCommands, VerifyNamesReorderedEntries) {
    tamper([](wal::Batch& batch, wal::Table audit) {
        const std::string second = entry(batch, audit, 2);
        batch.put(audit, participants::key_of(2), entry(batch, audit, 4));
        batch.put(audit, participants::key_of(4), second);
    });
    expect_found("audit entry 2 was put elsewhere: audit entry 4 stands in its place");
}

TEST_F(AuditCommands, VerifyNamesTheLastEntryCutOff) {
    tamper(
        [](wal::Batch& batch, wal::Table audit) { batch.erase(audit, participants::key_of(5)); });
    expect_found("audit entry 5 was removed from the end: the store counts 5");
}

TEST_F(AuditCommands, AskWhereTheEnvironmentSays) {
    ::setenv("TWOPHASE_PARTICIPANT", ("file:" + (directory / "address")).c_str(), 1);
    const Ended asked = run({"audit", "verify"});
    ::unsetenv("TWOPHASE_PARTICIPANT");
    EXPECT_EQ(asked.exit_code, 0) << asked.errors;
}

TEST_F(AuditCommands, SayWhatIsImpossible) {
    const auto refusal = [](const Ended& ended) {
        EXPECT_EQ(ended.exit_code, 2) << ended.out;
        return ended.errors;
    };
    EXPECT_NE(refusal(run({"audit", "list", "--data", directory / "store"})).find("it is running"),
              std::string::npos);
    EXPECT_NE(refusal(running({"list", "--from", "yesterday"})).find("--from"), std::string::npos);
    EXPECT_NE(refusal(running({"list", "--from", "1769850902000000"})).find("2026-01-31T09:15:02Z"),
              std::string::npos)
        << "of a number nobody could tell the unit";
    EXPECT_NE(refusal(running({"list", "--business-id", "1"})).find("--business-code"),
              std::string::npos);
    EXPECT_NE(refusal(run({"audit", "list", "--data", directory / "nothing"})).find("no store"),
              std::string::npos);
    testing::make_log(directory / "log");
    EXPECT_NE(refusal(run({"audit", "verify", "--data", directory / "log"})).find("coordinator"),
              std::string::npos);
    const std::string url = "file:" + (directory / "nowhere");
    EXPECT_NE(
        refusal(run({"audit", "verify", "--participant-url", url})).find("is the participant"),
        std::string::npos);
}

}  // namespace
}  // namespace twophase::recoveryctl
