// recoveryctl as its users meet it: the built program on logs, on a coordinator and on strangers.
#include "http/instant.hpp"
#include "recovery/recoveryctl/render.hpp"
#include "recovery/recoveryctl/table.hpp"
#include "recovery/recoveryctl/terminal.hpp"
#include "tests/recovery/recoveryctl_support.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace twophase::recoveryctl::testing {
namespace {

using coordinator::Decision;
using coordinator::How;

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::vector<std::string> gids(const Json& items) {
    std::vector<std::string> all;
    for (const Json& item : items) all.push_back(item.at("gid"));
    return all;
}

/// A stopped coordinator's log with the three transactions of make_log().
class OfflineTest : public ::testing::Test {
protected:
    OfflineTest() { make_log(data_); }
    Ended run_on_log(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin() + 1, {"--data", data_});
        return run(arguments);
    }
    Ended resolve(const std::string& gid, std::vector<std::string> more) const {
        more.insert(more.begin(), {"resolve", gid, "--reason", "because", "--yes"});
        return run_on_log(more);
    }
    TempDirectory directory_;
    std::string data_ = directory_ / "data";
};

// --- words for terminals ---

TEST(RecoveryctlTextTest, EscapesWhatWouldHarmATerminal) {
    EXPECT_EQ(printable("Zoë\x1b[2J\n\x7f"), "Zoë\\x1b[2J\\x0a\\x7f");
    EXPECT_EQ(printable("a\xC2\x9B\xE2\x80\xAE"
                        "b"),
              "a\\xc2\\x9b\\xe2\\x80\\xae"
              "b");
    EXPECT_EQ(printable("\xFF"
                        "a"),
              "\\xff"
              "a");
}

TEST(RecoveryctlTextTest, QuotesWhatAShellWouldRead) {
    EXPECT_EQ(shell_word("/data/x-1"), "/data/x-1");
    EXPECT_EQ(shell_word("a b'c"), "'a b'\\''c'");
}

TEST(RecoveryctlTextTest, AlignsColumnsByCharacters) {
    Table table({"A", "B"});
    table.add({"ëëë", ""});
    EXPECT_EQ(table.text(), "A    B\nëëë  -\n");
    Table wide({"A", "B"});
    wide.add({"订单7", "x"});
    wide.add({"e\u0301", "y"});
    EXPECT_EQ(wide.text(), "A      B\n订单7  x\ne\u0301      y\n");
}

TEST(RecoveryctlTextTest, TellsAgesInOneUnit) {
    const WallTime now{std::chrono::hours(24)};
    EXPECT_EQ(age_text({{"created_at", "1970-01-01T23:59:18Z"}}, now), "42s");
    EXPECT_EQ(age_text({{"created_at", "1970-01-01T21:13:20.000000Z"}}, now), "2h");
    EXPECT_EQ(age_text({{"created_at", "1970-01-02T00:00:01Z"}}, now), "0s");
    EXPECT_EQ(age_text(Json::object(), now), "");
}

TEST(RecoveryctlTextTest, ShowsMembersAndRecordsOfLaterVersions) {
    const Json details{{"gid", 7},
                       {"state", Json::array({1})},
                       {"branches", {{{"branch_id", true}}, 5}},
                       {"timeline", {{{"type", "moved"}, {"where", "there"}}, "odd"}}};
    EXPECT_TRUE(has(details_text(details, "", {}), "moved"));
}

Json stuck(const char* state) {
    Json progress{{"attempts", 4}, {"last_error", "no connection"}};
    return {{"gid", "1"},
            {"state", "committing"},
            {"decision", "commit"},
            {"created_at", "1970-01-01T00:00:00.000000Z"},
            {"branches",
             {{{"branch_id", "2"},
               {"participant", "coupon"},
               {"state", state},
               {"not_durable", progress}}}}};
}

TEST(RecoveryctlTextTest, OffersAnEndByHandOnlyWhereNothingEndsItByItself) {
    const auto text = [](const Json& details, std::chrono::hours after) {
        return details_text(details, "", WallTime{} + after);
    };
    const std::string soon = text(stuck("committing"), std::chrono::hours(1));
    EXPECT_TRUE(has(soon, "It ends by itself once these answer: coupon.")) << soon;
    EXPECT_TRUE(has(soon, "4*")) << "what no record tells is marked";
    EXPECT_FALSE(has(soon, "by-hand")) << soon;
    EXPECT_TRUE(has(text(stuck("committing"), std::chrono::hours(3)), "--how by-hand"));
    const std::string hazard = text(stuck("needs_attention"), std::chrono::hours(0));
    EXPECT_TRUE(has(hazard, "--how by-hand")) << hazard;
    EXPECT_FALSE(has(hazard, "by itself"));
}

TEST(RecoveryctlTextTest, SaysBeforehandWhatAnEndWillDo) {
    const auto text = [](const char* state, const char* how) {
        return consequence_text(stuck(state), "2", how);
    };
    EXPECT_TRUE(has(text("committing", "by_hand"), "it will be committed there"));
    EXPECT_TRUE(has(text("rolling_back", "by_hand"), "it will be rolled back there"));
    EXPECT_TRUE(has(text("compensating", "by_hand"), "Nothing more is sent to coupon"));
    EXPECT_TRUE(has(text("committing", "gone"), "is told nothing more"));
    EXPECT_TRUE(has(text("dead_letter", "discarded"), "is undone first"));
    EXPECT_EQ(consequence_text(stuck("committing"), "9", "by_hand"), "");
}

// --- the command line ---

TEST(RecoveryctlTest, HelpsWithEverySubcommand) {
    EXPECT_EQ(run({"--help"}).exit_code, 0);
    for (const char* name : {"list",
                             "show",
                             "retry",
                             "resolve",
                             "verify",
                             "backup",
                             "restore",
                             "export",
                             "participants",
                             "status"}) {
        const Ended help = run({name, "--help"});
        EXPECT_EQ(help.exit_code, 0) << name;
        EXPECT_TRUE(has(help.out, "Example: recoveryctl ")) << help.out;
    }
}

TEST(RecoveryctlTest, EndsWith2WhenUsedWrongly) {
    EXPECT_EQ(run({}).exit_code, 2);
    EXPECT_EQ(run({"lst"}).exit_code, 2);
    EXPECT_EQ(run({"list", "--data", "a", "--coordinator", "b"}).exit_code, 2);
    EXPECT_EQ(run({"retry"}).exit_code, 2);
    EXPECT_EQ(run({"list", "--coordinator", "ftp://x"}).exit_code, 2);
    EXPECT_EQ(run({"list", "--data", "/nowhere"}).exit_code, 2);
    for (const char* option : {"--data", "--coordinator"}) {
        const Ended unset = run({"verify", option, ""});
        EXPECT_EQ(unset.exit_code, 2) << "never the default: " << unset.out;
        EXPECT_TRUE(has(unset.errors, "unset variable")) << unset.errors;
    }
    EXPECT_EQ(run({"audit", "verify", "--data", ""}).exit_code, 2);
    EXPECT_EQ(run({"audit", "verify", "--participant-url", ""}).exit_code, 2);
    EXPECT_EQ(run({"reconcile", "--participant-url", ""}).exit_code, 2);
    EXPECT_EQ(run({"list", "--coordinator", "file:/nowhere"}).exit_code, 2);
}

// --- a stopped coordinator's log ---

TEST_F(OfflineTest, ListsWhatIsUnfinished) {
    const Ended table = run_on_log({"list"});
    EXPECT_EQ(table.exit_code, 0) << table.errors;
    EXPECT_FALSE(has(table.out, text(1)));
    EXPECT_TRUE(has(table.out, text(2)));
    EXPECT_TRUE(has(table.out, "order \\x1b[31mundecided"));
    EXPECT_FALSE(has(table.out, "\x1b"));
    const Json json = run_on_log({"list", "--json"}).json();
    EXPECT_EQ(gids(json.at("items")), (std::vector{text(3), text(2)}));
    EXPECT_EQ(json.at("more"), false);
}

TEST_F(OfflineTest, ListsByStateKeyAndNumber) {
    const auto listed = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"list", "--json"});
        return gids(run_on_log(more).json().at("items"));
    };
    EXPECT_EQ(listed({"--all"}), (std::vector{text(3), text(2), text(1)}));
    EXPECT_EQ(listed({"--state", "committed"}), std::vector{text(1)});
    EXPECT_EQ(listed({"--business-code", "order", "--business-id", "finished"}),
              std::vector{text(1)});
    EXPECT_EQ(listed({"--participant", "nobody"}), std::vector<std::string>{});
    const Json first = run_on_log({"list", "--json", "--all", "--limit", "2"}).json();
    EXPECT_EQ(first.at("items").size(), 2U);
    EXPECT_EQ(first.at("more"), true);
    EXPECT_TRUE(http::parse_instant(first.at("items").at(0).at("created_at").get<std::string>()));
    EXPECT_EQ(run_on_log({"list", "--state", "lost"}).exit_code, 2);
}

TEST_F(OfflineTest, ShowsBranchesTimelineAndWhatToTry) {
    const Ended shown = run_on_log({"show", text(2)});
    EXPECT_EQ(shown.exit_code, 0) << shown.errors;
    EXPECT_TRUE(has(shown.out, "committing"));
    EXPECT_TRUE(has(shown.out, "branch 1 (credit) ended: committed"));
    EXPECT_TRUE(has(shown.out, "2023-11-14T22:13:20.000000Z"));
    const Ended undecided = run_on_log({"show", text(3)});
    EXPECT_TRUE(has(undecided.out, "the next start of the coordinator rolls it back"));
    EXPECT_TRUE(has(undecided.out, "recoveryctl resolve --data " + data_ + " " + text(3)));
    EXPECT_EQ(run_on_log({"show", text(1), "--json"}).json().at("state"), "committed");
    EXPECT_EQ(run_on_log({"show", text(9)}).exit_code, 1);
    EXPECT_EQ(run_on_log({"show", "7"}).exit_code, 2);
}

TEST_F(OfflineTest, FindsAGidWrittenWithoutHyphens) {
    std::string bare = text(1);
    std::erase(bare, '-');
    EXPECT_EQ(run_on_log({"show", bare}).exit_code, 0);
}

TEST_F(OfflineTest, RetriesNothing) {
    const Ended retried = run_on_log({"retry", text(2)});
    EXPECT_EQ(retried.exit_code, 2);
    EXPECT_TRUE(has(retried.errors, "start it"));
}

TEST_F(OfflineTest, ResolvesNothingUnasked) {
    const Ended asked = run_on_log({"resolve", text(3), "--how", "rollback", "--reason", "r"});
    EXPECT_EQ(asked.exit_code, 2);
    EXPECT_TRUE(has(asked.errors, "--yes"));
    EXPECT_FALSE(OpenLog(data_).fold(gid_number(3)).decision);
}

TEST_F(OfflineTest, RollsBackWhatIsUndecided) {
    ASSERT_EQ(resolve(text(3), {"--how", "rollback"}).exit_code, 0);
    const auto folded = OpenLog(data_).fold(gid_number(3));
    EXPECT_EQ(folded.decision, Decision::rollback);
    ASSERT_EQ(folded.resolved.size(), 1U);
    EXPECT_EQ(folded.resolved[0].reason, "because");
    EXPECT_FALSE(folded.is_finished);
    EXPECT_EQ(resolve(text(3), {"--how", "rollback"}).exit_code, 1);
    EXPECT_EQ(run_on_log({"verify"}).exit_code, 0);
}

TEST_F(OfflineTest, NeverCommitsWithoutVotes) {
    const Ended refused = resolve(text(3), {"--how", "commit"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_TRUE(has(refused.errors, "votes-missing"));
    EXPECT_FALSE(OpenLog(data_).fold(gid_number(3)).decision);
}

TEST_F(OfflineTest, EndsOneBranchByHand) {
    EXPECT_EQ(resolve(text(2), {"--how", "rollback"}).exit_code, 1);
    EXPECT_EQ(resolve(text(2), {"--how", "by-hand", "--branch", "1"}).exit_code, 1);
    EXPECT_EQ(resolve(text(2), {"--how", "by-hand", "--branch", "7"}).exit_code, 2);
    ASSERT_EQ(resolve(text(2), {"--how", "by-hand", "--branch", "2"}).exit_code, 0);
    const auto folded = OpenLog(data_).fold(gid_number(2));
    EXPECT_EQ(folded.branches[0].how, How::committed);
    EXPECT_EQ(folded.branches[1].how, How::by_hand);
    EXPECT_FALSE(folded.is_finished) << "its participant is told the decision all the same";
    EXPECT_EQ(resolve(text(2), {"--how", "discarded", "--branch", "2"}).exit_code, 1);
    ASSERT_EQ(resolve(text(2), {"--how", "gone", "--branch", "2"}).exit_code, 0);
    EXPECT_TRUE(OpenLog(data_).fold(gid_number(2)).is_finished) << "unless it is gone for good";
    EXPECT_EQ(gids(run_on_log({"list", "--json"}).json().at("items")), std::vector{text(3)});
}

TEST_F(OfflineTest, FindsNothingWrongInAWholeLog) {
    const Ended verified = run_on_log({"verify", "--json"});
    EXPECT_EQ(verified.exit_code, 0);
    EXPECT_EQ(verified.json(), (Json{{"transactions", 3}, {"findings", Json::array()}}));
}

TEST_F(OfflineTest, FindsADamagedRecord) {
    damage(data_, gid_number(2), 1);
    const Ended verified = run_on_log({"verify"});
    EXPECT_EQ(verified.exit_code, 1);
    EXPECT_TRUE(has(verified.out, "checksum")) << verified.out;
    EXPECT_EQ(run_on_log({"list", "--json"}).json().at("items")[0].at("state"), "needs_attention");
    EXPECT_EQ(resolve(text(2), {"--how", "rollback"}).exit_code, 1);
    EXPECT_TRUE(has(run_on_log({"show", text(2)}).out, "recoveryctl verify"));
}

TEST_F(OfflineTest, FindsARecordThatNobodyCanRead) {
    OpenLog(data_).append_payload(gid_number(3), 1, "{\"type\":\"later\",\"at\":1}");
    const Ended verified = run_on_log({"verify"});
    EXPECT_EQ(verified.exit_code, 1);
    EXPECT_TRUE(has(verified.out, text(3) + ": record 1: ")) << verified.out;
}

TEST_F(OfflineTest, FindsRecordsThatDoNotFollow) {
    OpenLog(data_).append({committed(3), committed(3)}, 1);
    const Ended verified = run_on_log({"verify"});
    EXPECT_EQ(verified.exit_code, 1);
    EXPECT_TRUE(has(verified.out, "record 2: decided twice")) << verified.out;
}

TEST_F(OfflineTest, LeavesAStoreThatIsOwnedAlone) {
    const OpenLog owner(data_);
    const Ended refused = run_on_log({"list", "--json"});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_TRUE(has(refused.errors, "--coordinator"));
    EXPECT_EQ(refused.json().at("exit_code"), 2);
}

TEST_F(OfflineTest, EndsWith3WhenTheStoreCannotBeRead) {
    std::ofstream(data_ + "/data.mdb", std::ios::trunc) << "no store";
    EXPECT_EQ(run_on_log({"list"}).exit_code, 3);
}

TEST_F(OfflineTest, ExportsOldestFirst) {
    const std::string file = directory_ / "all.ndjson";
    EXPECT_EQ(run_on_log({"export", "--to", file}).exit_code, 0);
    std::ifstream in(file);
    std::vector<Json> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    EXPECT_EQ(gids(lines), (std::vector{text(1), text(2), text(3)}));
    EXPECT_EQ(run_on_log({"export"}).json().is_discarded(), true);  // three lines, not one
    EXPECT_EQ(run_on_log({"export", "--to", "/nowhere/x"}).exit_code, 2);
}

TEST_F(OfflineTest, ExportsOverNothingButAFile) {
    const std::string pipe = (std::filesystem::path(data_).parent_path() / "pipe").string();
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(run_on_log({"export", "--to", pipe}).exit_code, 2);
    EXPECT_TRUE(std::filesystem::is_fifo(pipe));
    std::filesystem::remove(pipe);
    const std::string file = pipe + "-file";
    std::ofstream(file + ".partial") << "somebody's";
    std::filesystem::create_symlink(file, pipe);
    EXPECT_EQ(run_on_log({"export", "--to", pipe}).exit_code, 0);
    EXPECT_TRUE(std::filesystem::is_symlink(pipe));
    EXPECT_GT(std::filesystem::file_size(file), 0U);
    EXPECT_EQ(std::filesystem::file_size(file + ".partial"), 10U);
    for (const char* name : {"", ".partial"}) std::filesystem::remove(file + name);
    std::filesystem::remove(pipe);
}

TEST_F(OfflineTest, SaysWhatItCannotDoOffline) {
    EXPECT_EQ(run_on_log({"participants"}).exit_code, 2);
    EXPECT_EQ(run_on_log({"status", "--json"}).json().at("coordinator"), "main");
    EXPECT_EQ(run_on_log({"backup"}).exit_code, 2);
}

/// The log of OfflineTest, restored from its backup.
class RestoredTest : public OfflineTest {
protected:
    RestoredTest() {
        const std::string copy = directory_ / "copy";
        const Ended backed_up = run_on_log({"backup", "--to", copy});
        EXPECT_EQ(backed_up.exit_code, 0) << backed_up.errors;
        EXPECT_EQ(run({"list", "--data", copy}).exit_code, 3);
        data_ = directory_ / "restored";
        EXPECT_EQ(run({"restore", "--from", copy, "--to", data_}).exit_code, 2);
        const Ended restored = run({"restore", "--from", copy, "--to", data_, "--yes"});
        EXPECT_EQ(restored.exit_code, 0) << restored.errors;
        EXPECT_TRUE(has(restored.out, "waiting for a person"));
        EXPECT_EQ(run({"restore", "--from", copy, "--to", data_, "--yes"}).exit_code, 2);
    }
};

TEST_F(RestoredTest, ListsFirstWhatWaitsForAPerson) {
    const Json items = run_on_log({"list", "--json"}).json().at("items");
    ASSERT_EQ(gids(items), (std::vector{text(3), text(2)}));
    EXPECT_EQ(items[0].at("state"), "needs_attention");
    EXPECT_EQ(items[1].at("state"), "committing");
    EXPECT_TRUE(has(run_on_log({"show", text(3)}).out, "--how commit"));
}

TEST_F(RestoredTest, CommitsWhatAPersonHasProofOf) {
    ASSERT_EQ(resolve(text(3), {"--how", "commit"}).exit_code, 0);
    EXPECT_EQ(OpenLog(data_).fold(gid_number(3)).decision, Decision::commit);
}

TEST_F(RestoredTest, SettlesWhatTheBackupDoesNotKnow) {
    EXPECT_EQ(resolve(text(9), {"--how", "by-hand"}).exit_code, 2);
    EXPECT_EQ(resolve(text(9), {"--how", "commit", "--branch", "1"}).exit_code, 2);
    ASSERT_EQ(resolve(text(9), {"--how", "rollback"}).exit_code, 0);
    EXPECT_EQ(OpenLog(data_).fold(gid_number(9)).decision, Decision::rollback);
    EXPECT_EQ(run_on_log({"verify"}).exit_code, 0);
}

// --- a running coordinator ---

TEST(RecoveryctlRemoteTest, LooksAfterARunningCoordinator) {
    const TempDirectory directory;
    RunningCoordinator coordinator(directory);
    const auto asked = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin() + 1, {"--coordinator", coordinator.url()});
        return run(arguments);
    };
    const std::string gid = coordinator.start_transaction("a b&c");
    EXPECT_EQ(gids(asked({"list", "--json"}).json().at("items")), std::vector{gid});
    EXPECT_EQ(gids(asked({"list", "--json", "--business-code", "order", "--business-id", "a b&c"})
                       .json()
                       .at("items")),
              std::vector{gid});
    EXPECT_TRUE(has(asked({"show", gid}).out, "recoveryctl retry --coordinator file:"));
    EXPECT_EQ(asked({"show", text(1)}).exit_code, 1);
    EXPECT_EQ(asked({"retry", gid}).exit_code, 0);
    EXPECT_EQ(asked({"retry", "--all", "--json"}).json().at("items").size(), 1U);
    EXPECT_EQ(asked({"resolve", gid, "--how", "rollback", "--reason", "r", "--yes"}).exit_code, 1);
    EXPECT_EQ(asked({"resolve", gid, "--how", "by-hand", "--reason", "r"}).exit_code, 2);
    for (const char* branch : {"1", "2"}) {
        Ended resolved;
        do {  // while a request to it is in flight, the coordinator says busy
            resolved = asked({"resolve",
                              gid,
                              "--branch",
                              branch,
                              "--how",
                              "by-hand",
                              "--reason",
                              "told by telephone",
                              "--yes"});
        } while (resolved.exit_code == 1 && has(resolved.errors, "busy"));
        EXPECT_EQ(resolved.exit_code, 0) << resolved.errors;
    }
    const Json shown = asked({"show", gid, "--json"}).json();
    EXPECT_EQ(shown.at("state"), "rolled_back");
    EXPECT_EQ(shown.at("heuristic"), true);
    EXPECT_TRUE(has(asked({"list"}).out, "nothing is unfinished"));
    EXPECT_TRUE(has(asked({"list", "--participant", "coupn"}).out,
                    "no unfinished transaction names participant \"coupn\": is it spelled"));
    EXPECT_TRUE(has(asked({"dead-letters", "--participant", "coupn"}).out, "is it spelled"));
    EXPECT_EQ(asked({"verify"}).exit_code, 0);
    EXPECT_TRUE(has(asked({"export"}).out, gid));
    EXPECT_EQ(asked({"backup", "--name", "monday"}).exit_code, 0);
    EXPECT_EQ(asked({"backup", "--name", "monday"}).exit_code, 1);
    EXPECT_TRUE(std::filesystem::exists(directory / "backups/monday/data.mdb"));
    EXPECT_TRUE(has(asked({"participants"}).out, "coupon"));
    EXPECT_TRUE(has(asked({"status"}).out, "log.has_room"));
    EXPECT_EQ(run({"list", "--data", directory / "data"}).exit_code, 2);
}

TEST(RecoveryctlRemoteTest, SaysWhenAStrangerAnswers) {
    const FakeServer stranger({.body = "<html>hello</html>", .content_type = "text/html"});
    for (const char* name : {"list", "verify", "export", "status"}) {
        const Ended asked = run({name, "--coordinator", stranger.url()});
        EXPECT_EQ(asked.exit_code, 2) << name;
        EXPECT_TRUE(has(asked.errors, "does not answer as a coordinator does")) << asked.errors;
    }
}

TEST(RecoveryctlRemoteTest, TakesWhatItDoesNotKnow) {
    const FakeServer later({.body = R"({"items":[{"gid":5,"state":null,"new":{}},7],"next":null,
                                        "gid":"x","timeline":[3,{"type":"new"}],"branches":4})"});
    for (const char* name : {"list", "participants", "status", "verify"})
        EXPECT_EQ(run({name, "--coordinator", later.url()}).exit_code, 0) << name;
    EXPECT_EQ(run({"show", "x", "--coordinator", later.url()}).exit_code, 0);
}

TEST(RecoveryctlRemoteTest, PassesRefusalsOn) {
    const FakeServer starting({.status = 503, .body = R"({"code":"starting","detail":"reading"})"});
    const Ended refused = run({"list", "--coordinator", starting.url()});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_TRUE(has(refused.errors, "reading (starting)"));
}

}  // namespace
}  // namespace twophase::recoveryctl::testing
