// recoveryctl's words: their order, and those that it doesn't know.
#include "tests/recovery/recoveryctl_support.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace twophase::recoveryctl {
namespace {

using testing::Ended;
using testing::run;
using testing::TempDirectory;

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct CommandLineTest : ::testing::Test {
    CommandLineTest() { testing::make_log(data); }
    TempDirectory directory;
    std::string data = directory / "log";
};

TEST_F(CommandLineTest, OptionsStandBeforeTheCommandOrBehindIt) {
    const Ended behind = run({"list", "--data", data, "--json"});
    ASSERT_EQ(behind.exit_code, 0) << behind.errors;
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"--data", data, "list", "--json"},
             {"--data=" + data, "--json", "list"},
             {"--json", "--data", data, "list"},
             {"--log-level", "error", "--data", data, "list", "--json"}}) {
        const Ended ended = run(words);
        EXPECT_EQ(ended.exit_code, 0) << words[0] << ended.errors;
        EXPECT_EQ(ended.json().at("items").size(), behind.json().at("items").size());
    }
}

TEST_F(CommandLineTest, AnOptionInFrontThatTheCommandDoesNotKnowIsRefused) {
    const Ended ended = run({"--data", data, "lost"});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_TRUE(has(ended.errors, "--data")) << ended.errors;
    EXPECT_EQ(run({"--frobnicate", "list"}).exit_code, 2);
    EXPECT_EQ(run({"--coordinator", "http://127.0.0.1:9", "list", "--data", data}).exit_code, 2)
        << "one or the other";
}

TEST_F(CommandLineTest, ACommandOfACommandMayHaveItsOptionsInFrontToo) {
    const Ended ended = run({"--participant-url", "http://127.0.0.1:9", "audit", "list"});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_TRUE(has(ended.errors, "127.0.0.1:9")) << ended.errors;
}

TEST_F(CommandLineTest, HelpAndVersionAreThoseOfTheProgram) {
    EXPECT_TRUE(has(run({"--version"}).out, "recoveryctl "));
    EXPECT_TRUE(has(run({"--version", "list"}).out, "recoveryctl "));
    EXPECT_TRUE(has(run({"--help"}).out, "reconcile"));
    EXPECT_TRUE(has(run({"list", "--help"}).out, "--state"));
}

TEST_F(CommandLineTest, AnUnknownCommandIsNamedWithTheNearest) {
    const Ended ended = run({"lsit"});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_TRUE(has(ended.errors, "'lsit' is no command; did you mean list?")) << ended.errors;
    EXPECT_TRUE(has(ended.errors, "dead-letters")) << "all are named";
    EXPECT_TRUE(has(run({"--data", data, "frobnicate"}).errors, "'frobnicate' is no command"));
    EXPECT_TRUE(has(run({"audit", "lists"}).errors, "'lists' is no command; did you mean list?"));
}

TEST_F(CommandLineTest, AnUnknownStateIsNamedWithThoseThatThereAre) {
    const Ended ended = run({"list", "--data", data, "--state", "lost"});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_TRUE(has(ended.errors, "'lost'")) << ended.errors;
    EXPECT_TRUE(has(ended.errors, "needs_attention")) << ended.errors;
}

TEST_F(CommandLineTest, EveryCommandTakesTheLogLevelsOfThePrograms) {
    for (const char* level : {"trace", "debug", "info", "warn", "warning", "error"})
        EXPECT_EQ(run({"list", "--data", data, "--log-level", level}).exit_code,
                  run({"list", "--data", data}).exit_code)
            << level;
    EXPECT_EQ(run({"list", "--data", data, "--log-level", "loud"}).exit_code, 2);
}

}  // namespace
}  // namespace twophase::recoveryctl
