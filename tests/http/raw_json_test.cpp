// JSON kept as it was written, and the one text that all of the same meaning have.
#include "http/raw_json.hpp"

#include "http/canonical_json.hpp"
#include "http/document.hpp"
#include "http/json.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace twophase::http {
namespace {

using Texts = std::vector<std::string>;

Texts pieces_of(std::string_view container) {
    Texts pieces;
    RawMembers members(container);
    while (const auto member = members.next()) {
        if (!member->name.empty()) pieces.emplace_back(member->name);
        pieces.emplace_back(member->value);
    }
    return pieces;
}

std::string canonical(std::string_view json) {
    std::string text;
    return append_canonical(text, json) ? text : "none";
}

TEST(RawJsonTest, MembersAndItemsAreTheirBytes) {
    EXPECT_EQ(pieces_of(" {\n \"b\" : 1.10 ,\t\"a\\u0062\":\"x, \\\"}\" , \"c\":{ \"d\": [ ] } } "),
              (Texts{"\"b\"", "1.10", "\"a\\u0062\"", "\"x, \\\"}\"", "\"c\"", "{ \"d\": [ ] }"}));
    EXPECT_EQ(pieces_of("[ 1e2,-0 , null,[\"]\"],\"\\\\\" ]"),
              (Texts{"1e2", "-0", "null", "[\"]\"]", "\"\\\\\""}));
    EXPECT_EQ(pieces_of("\xef\xbb\xbf{\"a\":true}"), (Texts{"\"a\"", "true"}));
    for (const char* none : {"", "{}", " [ ] ", "7", "\"{\"", "null"})
        EXPECT_TRUE(pieces_of(none).empty()) << none;
}

TEST(RawJsonTest, AMemberIsFoundByWhatItsNameMeans) {
    const std::string text = R"({"x":1,"a\u0062":2,"":3,"ab\"":4})";
    EXPECT_EQ(raw_member(text, "x"), "1");
    EXPECT_EQ(raw_member(text, "ab"), "2");
    EXPECT_EQ(raw_member(text, ""), "3");
    EXPECT_EQ(raw_member(text, "ab\""), "4");
    EXPECT_EQ(raw_member(text, "a"), "");
}

TEST(RawJsonTest, BlanksGoAndTextsStay) {
    EXPECT_EQ(without_blanks(" {\r\n \"a b\" :\t[ 1.10 , \" \\\" \" ] } \n"),
              R"({"a b":[1.10," \" "]})");
    EXPECT_EQ(without_blanks("  1e2 "), "1e2");
    EXPECT_EQ(without_blanks(" "), "");
}

TEST(RawJsonTest, WhatAStringMeansIsWhatOurReaderReads) {
    const std::string_view pieces[] = {"x",
                                       R"(\n)",
                                       R"(\u00e9)",
                                       R"(\ud83d\ude00)",
                                       "\xF0\x9F\x98\x80",
                                       R"(\\)",
                                       R"(\")",
                                       R"(\/)",
                                       R"(\b)",
                                       R"(\f)",
                                       R"(\r)",
                                       R"(\t)",
                                       R"(\u20AC)",
                                       R"(\u0024)",
                                       R"(\u007f)"};
    std::mt19937_64 random(13);
    for (int round = 0; round < 500; ++round) {
        std::string text = "\"";
        for (std::size_t n = random() % 20; n > 0; --n)
            text += pieces[random() % std::size(pieces)];
        text += '"';
        EXPECT_EQ(unescaped(text), Json::parse(text).get<std::string>()) << text;
    }
}

// What is cut or no JSON at all never comes here; it must end all the same.
TEST(RawJsonTest, NonsenseEnds) {
    const std::string_view pieces[] = {
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "0", "a", " "};
    std::mt19937_64 random(13);
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (std::size_t n = random() % 12; n > 0; --n)
            text += pieces[random() % std::size(pieces)];
        pieces_of(text);
        unescaped(text);
        without_blanks(text);
        raw_member(text, "a");
    }
}

TEST(CanonicalJsonTest, NumbersAreTheirExactDecimalValue) {
    for (const char* hundred :
         {"100", "100.0", "1e2", "1E+2", "0.1e3", "1000e-1", "1.00e2", "100e0", "100e-0", "1e0002"})
        EXPECT_EQ(canonical(hundred), "1e2") << hundred;
    for (const char* zero : {"0", "-0", "0.0", "0e5", "-0.000e-7", "0e99999999999999999999999"})
        EXPECT_EQ(canonical(zero), "0") << zero;
    EXPECT_EQ(canonical("9007199254740993"), "9007199254740993");
    EXPECT_NE(canonical("9007199254740993"), canonical("9007199254740992"));
    EXPECT_NE(canonical("9007199254740993.0"), canonical("9007199254740992.0"));
    EXPECT_NE(canonical("0.1"), canonical("0.1000000000000000055511151231257827"));
    EXPECT_NE(canonical("1e-9999999"), canonical("1e-9999998"));
    EXPECT_NE(canonical("-1"), canonical("1"));
    EXPECT_EQ(canonical("1e-9999999"), "1e-9999999");
    EXPECT_EQ(canonical("10e-9999999999999999"), "1e-9999999999999998");
    EXPECT_EQ(canonical("0." + std::string(300, '0') + "1"), "1e-301");
    EXPECT_EQ(canonical("1.5"), "15e-1");
    const std::string digits(100, '7');
    EXPECT_EQ(canonical(digits), digits);
}

TEST(CanonicalJsonTest, AnExponentBeyondCountingIsRefused) {
    EXPECT_EQ(canonical("1e-999999999999999999"), "1e-999999999999999999");
    EXPECT_EQ(canonical("1e-9999999999999999999"), "none");
    EXPECT_EQ(canonical(R"([{"a":1e-9999999999999999999}])"), "none");
}

TEST(CanonicalJsonTest, OrderEscapesAndBlanksMeanNothing) {
    const std::string one =
        canonical(R"({"b":[1,{"y":"\u00e9\/","x":null}],"a":"\u0041\n","c\u0064":true})");
    EXPECT_EQ(one, "{\"a\":\"A\\n\",\"b\":[1,{\"x\":null,\"y\":\"\xc3\xa9/\"}],\"cd\":true}");
    EXPECT_EQ(canonical(" {\"cd\" : true,\n\"a\":\"A\\u000a\", \"b\":[ 1.0 ,{\"x\":null ,"
                        "\"y\":\"\xc3\xa9/\"} ] }" +
                        1),
              one);
}

TEST(CanonicalJsonTest, WhatIsAnotherValueStaysAnother) {
    for (const auto& [one, other] : std::vector<std::pair<const char*, const char*>>{
             {"[1,2]", "[2,1]"},
             {"[1]", "1"},
             {"\"1\"", "1"},
             {"null", "false"},
             {"{}", "[]"},
             {R"({"a":null})", "{}"},
             {R"({"a":1})", R"({"A":1})"},
             {R"("\u00e9")", R"("e\u0301")"},
             {R"({"a":"b\",\"c\":\"d"})", R"({"a":"b","c":"d"})"}})
        EXPECT_NE(canonical(one), canonical(other)) << one << " and " << other;
}

TEST(LongIntegersTest, AreTakenOnlyWhereTheirDigitsAreKept) {
    const std::string text = "{\"n\":" + std::string(100, '7') + "}";
    for (const bool is_allowed : {false, true}) {
        const JsonLimits limits{.long_integers = is_allowed};
        EXPECT_EQ(read_json(text, limits).has_value(), is_allowed);
        EXPECT_EQ(parse_json(text, limits).has_value(), is_allowed);
    }
    const auto read = read_json(text, {.long_integers = true});
    EXPECT_FALSE(read->root().find("n")->exact_integer()) << "no integer of ours";
    const std::string beyond = "{\"n\":" + std::string(400, '7') + "}";
    const auto refused = read_json(beyond, {.long_integers = true});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().expected, "a number within a double's range");
}

}  // namespace
}  // namespace twophase::http
