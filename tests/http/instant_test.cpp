#include "http/instant.hpp"

#include "http/fields.hpp"
#include "http/json.hpp"

#include <gtest/gtest.h>

#include <string>

namespace twophase::http {
namespace {

TEST(InstantTest, IsWrittenInUtcWithMicroseconds) {
    EXPECT_EQ(instant_text(0), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(instant_text(1'769'850'902'250'000), "2026-01-31T09:15:02.250000Z");
    EXPECT_EQ(instant_text(951'782'399'999'999), "2000-02-28T23:59:59.999999Z");
    EXPECT_EQ(instant_text(-1), "1969-12-31T23:59:59.999999Z");
}

TEST(InstantTest, ReadsWhatItWrote) {
    for (const std::int64_t time : {std::int64_t{0},
                                    std::int64_t{-1},
                                    std::int64_t{951'868'800'000'001},
                                    std::int64_t{253'402'300'799'999'999}})
        EXPECT_EQ(parse_instant(instant_text(time)), time) << instant_text(time);
}

TEST(InstantTest, ReadsEveryFormOfRfc3339) {
    const std::int64_t time = 1'769'850'902'000'000;
    EXPECT_EQ(parse_instant("2026-01-31T09:15:02Z"), time);
    EXPECT_EQ(parse_instant("2026-01-31t09:15:02z"), time);
    EXPECT_EQ(parse_instant("2026-01-31T09:15:02.5Z"), time + 500'000);
    EXPECT_EQ(parse_instant("2026-01-31T09:15:02.123456789Z"), time + 123'456);
    EXPECT_EQ(parse_instant("2026-01-31T10:15:02+01:00"), time);
    EXPECT_EQ(parse_instant("2026-01-30T23:45:02-09:30"), time);
    EXPECT_EQ(parse_instant("2026-01-31T09:15:02-00:00"), time);
    EXPECT_EQ(parse_instant("2016-12-31T23:59:60Z"), parse_instant("2017-01-01T00:00:00Z"));
}

TEST(InstantTest, RefusesWhatIsNoTimeOrHasNoZone) {
    for (const char* text : {"",
                             "1769850902",
                             "1769850902000",
                             "2026-01-31",
                             "2026-01-31T09:15:02",
                             "2026-01-31 09:15:02Z",
                             "2026-01-31T09:15Z",
                             "2026-01-31T09:15:02.Z",
                             "2026-01-31T24:00:00Z",
                             "2026-02-29T00:00:00Z",
                             "2026-13-01T00:00:00Z",
                             "2026-00-01T00:00:00Z",
                             "2026-01-00T00:00:00Z",
                             "-026-01-31T09:15:02Z",
                             "2026-+1-31T09:15:02Z",
                             "+2026-01-31T09:15:02Z",
                             "2026-01-31T09:15:02+0100",
                             "2026-01-31T09:15:02+24:00",
                             "2026-01-31T09:15:02Z ",
                             "now"})
        EXPECT_FALSE(parse_instant(text)) << text;
}

TEST(InstantTest, AMemberIsATextWithinTheYearsThatItMayBeOf) {
    const auto read = [](const std::string& value) -> std::string {
        const std::string text = "{\"at\":" + value + "}";
        const auto json = read_json(text);
        Fields fields(json->root());
        const auto time = fields.optional_instant("at", {.first = 2000, .last = 2200});
        if (const auto& error = fields.finish()) return error->field + ": " + error->expected;
        return instant_text(time.value());
    };
    EXPECT_EQ(read(R"("2000-01-01T00:00:00Z")"), "2000-01-01T00:00:00.000000Z");
    EXPECT_EQ(read(R"("2200-12-31T23:59:59.999999Z")"), "2200-12-31T23:59:59.999999Z");
    const std::string refusal =
        "at: a time such as \"2026-01-31T09:15:02.250Z\", of the years 2000 to 2200";
    EXPECT_EQ(read(R"("2201-01-01T00:00:00Z")"), refusal);
    EXPECT_EQ(read(R"("1999-12-31T23:59:59.999999Z")"), refusal);
    EXPECT_EQ(read(R"("0999-01-01T00:00:00Z")"), refusal);
    EXPECT_EQ(read("1769850902"), refusal) << "seconds";
    EXPECT_EQ(read("1769850902000"), refusal) << "milliseconds";
    EXPECT_EQ(read("1769850902000000"), refusal) << "microseconds";
    EXPECT_EQ(read("null"), refusal);
}

}  // namespace
}  // namespace twophase::http
