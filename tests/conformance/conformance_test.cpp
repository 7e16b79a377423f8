// Each check finds the flaw that it is for, and no check finds one where there is none.
#include "tests/conformance/fake_participant.hpp"
#include "tests/conformance/payload.hpp"
#include "tests/conformance/report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace twophase::conformance {
namespace {

using Names = std::set<std::string>;

/// Gone with this.
struct TemporaryDirectory {
    TemporaryDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "conformance-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path = name;
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

/// All options are given, so that every check runs.
std::vector<Outcome> check(const std::string& flaw, std::vector<std::string> only = {}) {
    using namespace std::chrono_literals;
    const TemporaryDirectory directory;
    FakeParticipant fake(flaw, directory.path / "coordinator");
    Options options;
    options.base = fake.endpoint();
    options.participant = "fake";
    options.coordinator = "conformance";
    options.operation = "take";
    options.payload = R"({"amount":10})";
    options.refused_payload = R"({"amount":10000000})";
    options.changed_payload = changed_copy(options.payload);
    options.batch = 4;
    options.is_saga = true;
    options.only = std::move(only);
    options.restart = [&] {
        fake.restart();
        return std::string();
    };
    options.fill = [&] {
        fake.fill();
        return std::string();
    };
    options.observe = [&] { return fake.observe(); };
    options.listen = {
        .address = "127.0.0.1", .port = 0, .address_file = directory.path / "coordinator"};
    // Only what is broken waits for as long as this.
    options.inquiry_limit = flaw.empty() ? 30s : 500ms;
    options.restart_limit = flaw.empty() ? 30s : 500ms;
    return run(options, {.begins = [](const Check&) {}, .ends = [](const Outcome&) {}});
}

Names names_of(const std::vector<Outcome>& outcomes, Verdict verdict) {
    Names names;
    for (const Outcome& outcome : outcomes)
        if (outcome.verdict == verdict) names.insert(outcome.check->name);
    return names;
}

TEST(Conformance, FindsNothingWhereNothingIsWrong) {
    const std::vector<Outcome> outcomes = check("");
    std::ostringstream report;
    write_report(report, outcomes);
    EXPECT_EQ(names_of(outcomes, Verdict::held).size(), all_checks().size()) << report.str();
    EXPECT_EQ(exit_code(outcomes), 0);
}

TEST(Conformance, AParticipantThatIgnoresLogsDoesNotFailAndTheReportSaysSo) {
    const std::vector<Outcome> outcomes = check("ignores-logs");
    std::ostringstream report;
    write_report(report, outcomes);
    EXPECT_EQ(exit_code(outcomes), 0) << report.str();
    Names expected{"restart-log"};
    for (const Check& one : log_checks()) expected.insert(one.name);
    EXPECT_EQ(names_of(outcomes, Verdict::not_offered), expected);
    EXPECT_NE(report.str().find("not offered, as the contract permits: it does not fence logs"),
              std::string::npos)
        << report.str();
}

TEST(Conformance, ACheckThatIsBlockedIsNoSuccess) {
    Outcome outcome{.check = &all_checks().front()};
    EXPECT_EQ(exit_code({outcome}), 0);
    outcome.verdict = Verdict::not_asked;
    EXPECT_EQ(exit_code({outcome}), 0);
    outcome.verdict = Verdict::blocked;
    EXPECT_EQ(exit_code({outcome}), 1);
    outcome.verdict = Verdict::did_not_hold;
    EXPECT_EQ(exit_code({outcome}), 1);
}

TEST(Conformance, NamesOfChecksAreUnique) {
    Names names;
    for (const Check& check : all_checks()) EXPECT_TRUE(names.insert(check.name).second);
}

TEST(Gids, AreCanonicalAndGrow) {
    const std::regex canonical(
        "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{8}c04f");
    Gids gids;
    std::string before;
    for (int i = 0; i < 10'000; ++i) {  // more than fit into a millisecond
        const std::string gid = gids.next();
        ASSERT_GT(gid, before);
        ASSERT_TRUE(std::regex_match(gid, canonical)) << gid;
        before = gid;
    }
}

TEST(Payload, AChangedCopyDiffersInOneValue) {
    EXPECT_EQ(changed_copy(R"({"a":"x","n":41})"), R"({"a":"x","n":42})");
    EXPECT_EQ(changed_copy(R"({"a":"x"})"), R"({"a":"xx"})");
    EXPECT_EQ(changed_copy(R"({"a":[]})"), R"({"a":[],"changed":true})");
    EXPECT_FALSE(is_json_object("7"));
    EXPECT_FALSE(is_json_object("{"));
}

/// A flaw, the check that is for it, and the others that can't but find it too.
struct Case {
    const char* flaw;
    const char* meant;
    Names others{};
    std::vector<std::string>
        only{};  // groups to run; empty: the group of `meant` and the basic ones
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.flaw; }

// clang-format off
const std::vector<Case> cases = {
    // vote
    {"vote-not-echoed", "prepare-yes",
      {"commit-unknown", "refusal-binds-nobody", "stale-rollback", "two-branches"}},
    {"new-id-at-repeat", "prepare-repeat",
      {"another-participant-end", "changed-operation", "changed-payload", "prepare-repeat-ended",
       "prepare-repeat-epoch"}},
    {"compares-epoch", "prepare-repeat-epoch"},
    {"prepares-again-after-commit", "prepare-repeat-ended"},
    {"accepts-changed-payload", "changed-payload", {"changed-operation"}},
    {"changed-payload-drops", "changed-payload", {"changed-operation"}},
    {"ignores-operation", "changed-operation"},
    {"refusal-without-code", "refusal"},
    {"remembers-refusals", "refusal-binds-nobody"},
    {"refusal-in-doubt", "refusal-binds-nobody"},
    {"rollback-of-refused-404", "refusal-rollback"},
    // end
    {"commit-says-done", "commit",
      {"commit-repeat", "in-doubt-ended", "prepare-repeat-ended", "rollback-after-commit",
       "stale-rollback", "two-branches"}},
    {"commit-repeat-differs", "commit-repeat", {"rollback-after-commit"}},
    {"needs-prepare-id", "commit-repeat",
      {"commit-after-rollback", "commit-of-tombstone", "two-branches"}},
    {"commits-unknown", "commit-unknown",
      {"another-participant", "refusal-binds-nobody", "stale-prepare", "unknown-coordinator"}},
    {"commit-leaves-tombstone", "commit-unknown", {"refusal-binds-nobody"}},
    {"rollback-says-aborted", "rollback",
      {"another-participant-end", "changed-operation", "changed-payload", "commit-after-rollback",
       "epoch-of-rollback", "in-doubt-ended", "prepare-after-rollback", "refusal-rollback",
       "rollback-repeat", "rollback-unknown", "stale-commit", "two-branches"}},
    {"rollback-repeat-404", "rollback-repeat", {"commit-after-rollback"}},
    {"rollback-unknown-404", "rollback-unknown",
      {"epoch-of-rollback", "in-doubt-ended", "refusal-rollback"}},
    {"forgets-tombstones", "late-prepare", {"refusal-rollback"}},
    {"prepares-rolled-back", "prepare-after-rollback"},
    {"commits-rolled-back", "commit-after-rollback", {"two-branches"}},
    {"commit-of-tombstone-404", "commit-of-tombstone"},
    {"rolls-back-committed", "rollback-after-commit", {"two-branches"}},
    // identity, epoch
    {"ignores-participant", "another-participant"},
    {"ignores-participant-at-end", "another-participant-end"},
    {"any-coordinator", "unknown-coordinator"},
    {"one-branch-a-gid", "two-branches",
      {"in-doubt-age", "in-doubt-coordinator", "in-doubt-ended", "in-doubt-listed",
       "in-doubt-pages"}},
    {"prepares-stale", "stale-prepare", {"epoch-of-rollback"}},
    {"commits-stale", "stale-commit"},
    {"rolls-back-stale", "stale-rollback"},
    {"stale-tombstone", "stale-rollback"},
    {"epoch-at-prepare-only", "epoch-of-rollback", {"stale-commit", "stale-rollback"}},
    // in-doubt
    {"lists-nothing", "in-doubt-listed",
      {"in-doubt-age", "in-doubt-coordinator", "in-doubt-pages"}},
    {"lists-committed", "in-doubt-ended", {"prepare-repeat-ended"}},
    {"lists-rolled-back", "in-doubt-ended", {"in-doubt-age"}},
    {"ignores-limit", "in-doubt-pages"},
    {"first-page-only", "in-doubt-pages"},
    {"cursor-stands-still", "in-doubt-pages"},
    {"ignores-coordinator-filter", "in-doubt-coordinator"},
    {"ignores-age", "in-doubt-age"},
    // batch
    {"batch-reversed", "batch-whole", {"batch-as-single", "batch-mixed"}},
    {"batch-without-status", "batch-whole",
      {"batch-as-single", "batch-malformed", "batch-mixed", "batch-of-one", "batch-twice"}},
    {"batch-one-as-object", "batch-of-one"},
    {"batch-fails-whole", "batch-mixed", {"batch-malformed"}},
    {"batch-malformed-whole", "batch-malformed"},
    {"batch-other-answer", "batch-as-single"},
    {"batch-twice-anew", "batch-twice"},
    // hostile
    {"bad-json-500", "not-json", {"too-deep", "wrong-types"}},
    {"deep-500", "too-deep"},
    {"guesses-epoch", "missing-members"},
    {"epoch-as-text", "wrong-types"},
    {"any-content-type", "content-type"},
    {"get-commits", "method"},
    {"plain-problems", "problem-document"},
    // concurrency
    {"prepare-races-prepare", "parallel-prepares", {}, {"concurrency"}},
    {"commit-races-commit", "parallel-commits", {}, {"concurrency"}},
    {"rollback-is-busy", "parallel-rollbacks", {}, {"concurrency"}},
    {"prepare-races-rollback", "prepare-against-rollback", {}, {"concurrency"}},
    {"commit-races-rollback", "commit-against-rollback", {}, {"concurrency"}},
    {"one-at-a-time", "parallel-branches", {}, {"concurrency"}},
    // effects
    {"keeps-holds", "rollback-restores", {"prepare-once-parallel"}},
    {"holds-at-repeat", "prepare-once", {"compensate-restores", "prepare-once-parallel"}},
    {"holds-in-race", "prepare-once-parallel", {}, {"effects"}},
    {"deducts-at-repeat", "commit-once"},
    {"changed-payload-holds", "changed-payload-inert"},
    {"refusal-holds", "refusal-inert"},
    {"compensates-twice", "compensate-restores"},
    // saga
    {"execute-says-prepared", "execute-yes", {"execute-refusal", "parallel-executes"}},
    {"execute-in-doubt", "execute-yes"},
    {"executes-anew", "execute-repeat", {"execute-changed", "parallel-executes"}},
    {"execute-changed", "execute-changed"},
    {"execute-remembers-refusals", "execute-refusal"},
    {"compensate-repeat-409", "compensate", {"late-execute"}},
    {"compensate-unknown-404", "late-execute"},
    {"late-execute-runs", "late-execute"},
    {"executes-stale", "saga-stale-epoch"},
    {"compensates-stale", "saga-stale-epoch"},
    {"execute-races", "parallel-executes", {}, {"saga"}},
    // inquiry
    {"asks-never", "inquiry-commit",
      {"inquiry-another-gid", "inquiry-not-found", "inquiry-pending", "inquiry-rollback"}},
    {"ignores-commit", "inquiry-commit"},
    {"ignores-rollback", "inquiry-rollback"},
    {"pending-is-rollback", "inquiry-pending", {}, {"inquiry"}},
    {"404-is-rollback", "inquiry-not-found"},
    {"ignores-gid", "inquiry-another-gid"},
    // log
    {"nonce-not-echoed", "log-told"},
    {"pins-unconfirmed", "log-unconfirmed"},
    {"never-confirms", "log-taken", {"log-missing", "log-other", "log-successor", "log-twin"}},
    {"prepares-for-other-log", "log-other"},
    {"ends-for-other-log", "log-other"},
    {"other-log-unnamed", "log-other", {"log-successor"}},
    {"takes-without-log", "log-missing"},
    {"twin-starts", "log-twin"},
    {"refuses-successor", "log-successor"},
    {"keeps-predecessor", "log-successor"},
    // restart
    {"comes-not-back", "restart-comes-back"},
    {"restart-empty-list", "restart-in-doubt"},
    {"restart-loses-prepared", "restart-in-doubt",
      {"restart-commit", "restart-repeat", "restart-traffic"}},
    {"restart-forgets-answers", "restart-repeat", {"restart-saga", "restart-traffic"}},
    {"restart-forgets-payloads", "restart-changed"},
    {"restart-refuses-commit", "restart-commit"},
    {"restart-forgets-committed", "restart-committed"},
    {"restart-forgets-rolled-back", "restart-rolled-back"},
    {"restart-forgets-tombstones", "restart-tombstone"},
    {"restart-forgets-epochs", "restart-epoch"},
    {"restart-forgets-log", "restart-log"},
    {"restart-loses-the-last", "restart-traffic"},
    {"restart-forgets-executed", "restart-saga"},
    // full
    {"full-says-less", "full-refuses"},
    {"full-forgets", "full-refuses"},
    {"full-commits-not", "full-ends"},
    {"full-ends-not", "full-ends"},
};
// clang-format on

std::vector<std::string> groups_for(const Case& flaw) {
    if (!flaw.only.empty()) return flaw.only;
    std::vector<std::string> groups{"vote", "end", "identity", "epoch", "in-doubt"};
    for (const Check& check : all_checks())
        if (check.name == std::string(flaw.meant)) groups.emplace_back(check.group);
    return groups;
}

class Flaw : public ::testing::TestWithParam<Case> {};

TEST_P(Flaw, IsFoundByItsCheck) {
    const Case& flaw = GetParam();
    const std::vector<Outcome> outcomes = check(flaw.flaw, groups_for(flaw));
    Names expected = flaw.others;
    expected.insert(flaw.meant);
    std::ostringstream report;
    write_report(report, outcomes);
    EXPECT_EQ(names_of(outcomes, Verdict::did_not_hold), expected) << report.str();
    EXPECT_EQ(exit_code(outcomes), 1);
}

INSTANTIATE_TEST_SUITE_P(Each, Flaw, ::testing::ValuesIn(cases), [](const auto& row) {
    std::string name = row.param.flaw;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

class LegalOddity : public ::testing::TestWithParam<const char*> {};

TEST_P(LegalOddity, IsNoBreach) {
    const std::vector<Outcome> outcomes = check(GetParam(), {"hostile"});
    std::ostringstream report;
    write_report(report, outcomes);
    EXPECT_EQ(names_of(outcomes, Verdict::did_not_hold), Names()) << report.str();
    EXPECT_EQ(exit_code(outcomes), 0);
}

INSTANTIATE_TEST_SUITE_P(Each,
                         LegalOddity,
                         ::testing::Values("empty-body-415",
                                           "echoes-any-gid",
                                           "unknown-method-501"),
                         [](const auto& row) {
                             std::string name = row.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

TEST(Conformance, EachCheckHasAFlawThatItIsFor) {
    for (const Check& check : all_checks()) {
        const bool has_one = std::ranges::any_of(
            cases, [&](const Case& one) { return one.meant == std::string(check.name); });
        EXPECT_TRUE(has_one) << check.name;
    }
}

}  // namespace
}  // namespace twophase::conformance
