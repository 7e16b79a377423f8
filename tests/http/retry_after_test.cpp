// RFC 9110, section 10.2.3: which waits a peer can ask for, in every form that it may use.
#include "http/retry_after.hpp"

#include <gtest/gtest.h>

#include <string>

namespace twophase::http {
namespace {

constexpr std::int64_t now = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

std::int64_t wait(const std::string& text, unsigned status = 503, const std::string& date = "") {
    Response response{.status = status, .body = {}, .content_type = {}, .headers = {}};
    response.headers.push_back({"retry-after", text});
    if (!date.empty()) response.headers.push_back({"Date", date});
    return retry_after(response, now).count();
}

TEST(RetryAfterTest, SecondsAreTakenAsTheyAreUpToADay) {
    EXPECT_EQ(wait("60"), 60);
    EXPECT_EQ(wait("0"), 0);
    EXPECT_EQ(wait("007"), 7);
    EXPECT_EQ(wait("86401"), 86'400);
    EXPECT_EQ(wait("99999999999999999999999"), 86'400);
}

TEST(RetryAfterTest, ADateCountsFromTheAnswersOwnDate) {
    EXPECT_EQ(wait("Sun, 06 Nov 1994 08:50:37 GMT"), 60);
    // A peer whose clock is an hour ahead.
    EXPECT_EQ(wait("Sun, 06 Nov 1994 09:50:37 GMT", 429, "Sun, 06 Nov 1994 09:50:07 GMT"), 30);
    EXPECT_EQ(wait("Sun, 06 Nov 1994 08:00:00 GMT"), 0);
}

TEST(RetryAfterTest, TheTwoObsoleteFormsOfADateAreRead) {
    EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), now);
    EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), now);
    EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), now);
}

TEST(RetryAfterTest, WhatIsNeitherAsksForNothing) {
    for (const char* text : {"", "soon", "-5", "5.5", "5 s", "+5", "Sun, 06 Nov 1994 08:50:37 CET"})
        EXPECT_EQ(wait(text), 0) << text;
    EXPECT_EQ(retry_after({.status = 503}, now).count(), 0);
}

TEST(RetryAfterTest, OnlyAPeerThatIsBusyIsLeftAlone) {
    EXPECT_EQ(wait("60", 429), 60);
    for (const unsigned status : {200U, 301U, 404U, 500U, 502U}) EXPECT_EQ(wait("60", status), 0);
}

}  // namespace
}  // namespace twophase::http
