#include "http/header_values.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace twophase::http {
namespace {

// "name=value name" of all Prefer lines.
std::string preferred(const std::vector<std::string>& lines) {
    std::vector<Header> headers{{"Host", "localhost"}};
    for (const std::string& line : lines) headers.push_back({"pReFer", line});
    std::string text;
    for (const Preference& one : read_preferences(headers)) {
        text += (text.empty() ? "" : " ") + one.name;
        if (!one.value.empty()) text += "=" + one.value;
    }
    return text;
}

TEST(PreferTest, IsOneListOverAllLines) {
    EXPECT_EQ(preferred({"respond-async, wait=10"}), "respond-async wait=10");
    EXPECT_EQ(preferred({"respond-async", "wait=10"}), "respond-async wait=10");
    EXPECT_EQ(preferred({",, wait=1 ,", "", ",respond-async"}), "wait=1 respond-async");
    EXPECT_EQ(preferred({}), "");
}

TEST(PreferTest, NamesAreReadWithoutCaseAndTheFirstOfEachCounts) {
    EXPECT_EQ(preferred({"Respond-Async, WAIT=5"}), "respond-async wait=5");
    EXPECT_EQ(preferred({"wait=1, Wait=2", "wait=3"}), "wait=1");
}

TEST(PreferTest, ValuesMayBeQuotedAndBlanksStandAroundTheEqualsSign) {
    EXPECT_EQ(preferred({"wait=\"10\", a=\"x\\\"y\""}), "wait=10 a=x\"y");
    EXPECT_EQ(preferred({"wait = 10 , respond-async"}), "wait=10 respond-async");
    EXPECT_EQ(preferred({"wait="}), "wait");
}

TEST(PreferTest, WhatIsQuotedOrAParameterIsNoPreference) {
    EXPECT_EQ(preferred({"foo=\"a, respond-async\", wait=2"}), "foo=a, respond-async wait=2");
    EXPECT_EQ(preferred({"foo; respond-async; bar=\"x, wait=9\", wait=2"}), "foo wait=2");
}

TEST(PreferTest, AMemberThatIsNoneIsLeftOutAlone) {
    EXPECT_EQ(preferred({"wait 5, respond-async"}), "respond-async");
    EXPECT_EQ(preferred({"=5, (x), wait=\"5\"6, respond-async"}), "respond-async");
    EXPECT_EQ(preferred({"respond-async, wait=\"5", "wait=6"}), "respond-async wait=6");
    EXPECT_EQ(preferred({"respond-async, a=\"x\\"}), "respond-async");
}

TEST(StringItemTest, IsReadAsRfc8941WritesIt) {
    EXPECT_EQ(parse_string_item("\"order-4711\""), "order-4711");
    EXPECT_EQ(parse_string_item("\"\""), "");
    EXPECT_EQ(parse_string_item(R"("a\"b\\c, d;e")"), "a\"b\\c, d;e");
}

TEST(StringItemTest, ItsParametersAreDropped) {
    for (const char* text :
         {"\"k\";a", "\"k\";a=1", "\"k\"; a=1;  b=\"x;y\"", "\"k\";*a=?1;b=:YQ==:"})
        EXPECT_EQ(parse_string_item(text), "k") << text;
}

TEST(StringItemTest, AnythingElseIsNone) {
    for (const char* text : {"",
                             "k",
                             "\"",
                             "\"k",
                             "k\"",
                             "\"k\"x",
                             "\"k\" ",
                             "\"k\", \"l\"",
                             "\"k\",",
                             "\"k\" \"l\"",
                             "\"k\\n\"",
                             "\"k\\",
                             "\"\xc3\xa9\"",
                             "\"a\tb\"",
                             "\"k\";",
                             "\"k\";A=1",
                             "\"k\";a=",
                             "\"k\";a=\"x",
                             "\"k\";a=1, \"l\""})
        EXPECT_EQ(parse_string_item(text), std::nullopt) << text;
}

}  // namespace
}  // namespace twophase::http
