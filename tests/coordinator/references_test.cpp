// References in payloads: what is one, what it becomes, and what it may not do.
#include "coordinator/references.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

constexpr std::string_view result = R"({"id":"t-1","n":7,"list":[1],"nothing":null})";

FilledPayload filled(const std::string& payload, std::size_t most_bytes = 1'000) {
    return with_results(
        payload,
        [](std::string_view id) { return id == "a" ? result : std::string_view(); },
        most_bytes);
}

TEST(ReferencesTest, AWholeStringIsReplacedAndTheTypeIsKept) {
    EXPECT_EQ(filled(R"({"x":"${a.result.id}"})").text, R"({"x":"t-1"})");
    EXPECT_EQ(filled(R"({"x":"${a.result.n}"})").text, R"({"x":7})");
    EXPECT_EQ(filled(R"({"x":"${a.result.nothing}"})").text, R"({"x":null})");
    EXPECT_EQ(filled(R"({"x":[{"y":"${a.result.list}"}]})").text, R"({"x":[{"y":[1]}]})");
}

TEST(ReferencesTest, OtherStringsStayAsTheyAre) {
    for (const char* payload : {R"({"x":"id ${a.result.id}"})",
                                R"({"x":"${a.result.}"})",
                                R"({"x":"${a.id}"})",
                                R"({"x":"${.result.id}"})",
                                R"({"x":"${a.results.id}"})",
                                R"({"x":"${a.result.id"})",
                                R"({"x":"${a.result.${b}}"})",
                                R"({"${a.result.id}":1})"}) {
        EXPECT_EQ(filled(payload).text, payload);
        EXPECT_TRUE(references_in(payload).empty()) << payload;
    }
}

TEST(ReferencesTest, WhatAResultDoesNotHaveIsSaid) {
    EXPECT_EQ(filled(R"({"x":"${a.result.none}"})").objection,
              "the result of branch a has no member 'none'");
    EXPECT_EQ(filled(R"({"x":"${b.result.id}"})").objection,
              "the result of branch b has no member 'id'");
}

TEST(ReferencesTest, ManyReferencesToALargeResultAreBounded) {
    std::string payload = R"({"x":["${a.result.id}")";
    for (int i = 0; i < 99; ++i) payload += R"(,"${a.result.id}")";
    payload += "]}";
    EXPECT_EQ(filled(payload, 10'000).objection, "");
    EXPECT_NE(filled(payload, 2'000).objection.find("larger than 2000 bytes"), std::string::npos);
}

}  // namespace
}  // namespace twophase::coordinator
