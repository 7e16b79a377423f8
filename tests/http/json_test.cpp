#include "http/json.hpp"

#include "http/fields.hpp"
#include "http/problem.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <ostream>
#include <random>
#include <string>

namespace twophase::http {
namespace {

struct Bad {
    const char* name;
    std::string text;
    const char* field;

    friend void PrintTo(const Bad& one, std::ostream* out) { *out << one.name; }
};

class RefusedJson : public testing::TestWithParam<Bad> {};

TEST_P(RefusedJson, IsRefusedAndNamesTheField) {
    const auto parsed = parse_json(GetParam().text);
    ASSERT_FALSE(parsed) << GetParam().text.substr(0, 100);
    EXPECT_EQ(parsed.error().field, GetParam().field);
    EXPECT_FALSE(parsed.error().expected.empty());
    const auto read = read_json(GetParam().text);
    ASSERT_FALSE(read) << GetParam().text.substr(0, 100);
    EXPECT_EQ(read.error().field, GetParam().field);
    EXPECT_EQ(read.error().expected, parsed.error().expected);
}

std::string wide(std::size_t members) {
    std::string text = "{";
    for (std::size_t i = 0; i < members; ++i) {
        text += (i == 0 ? "" : ",") + ("\"m" + std::to_string(i)) + "\":1";
    }
    return text + "}";
}

std::string deep(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

INSTANTIATE_TEST_SUITE_P(
    Json,
    RefusedJson,
    testing::Values(Bad{"empty", "", ""},
                    Bad{"no_json", "hello", ""},
                    Bad{"trailing", "{} x", ""},
                    Bad{"two_texts", "{}{}", ""},
                    Bad{"nul_at_end", std::string("{}\0garbage", 10), ""},
                    Bad{"nul_in_text", std::string("{\"a\":\"x\0y\"}", 11), ""},
                    Bad{"depth_17", deep(17), "[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"},
                    Bad{"depth_bomb",
                        std::string(1024 * 1024, '['),
                        "[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"},
                    Bad{"depth_bomb_of_objects",
                        [] {
                            std::string text;
                            for (int i = 0; i < 100'000; ++i) text += "{\"a\":";
                            return text;
                        }(),
                        "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"},
                    Bad{"members_65", wide(65), "m64"},
                    Bad{"duplicate_key", R"({"a":1,"b":{"c":1,"c":2}})", "b.c"},
                    Bad{"duplicate_key_escaped", R"({"a":1,"\u0061":2})", "a"},
                    Bad{"nan", R"({"a":NaN})", "a"},
                    Bad{"infinity", R"({"a":Infinity})", "a"},
                    Bad{"beyond_double", R"({"a":[1,1e400]})", "a[1]"},
                    Bad{"beyond_double_negative", R"([-1e400])", "[0]"},
                    Bad{"two_to_64",
                        R"({"branches":[{},{"payload":{"amount":18446744073709551616}}]})",
                        "branches[1].payload.amount"},
                    Bad{"below_int64", R"({"a":-9223372036854775809})", "a"},
                    Bad{"leading_zero", R"({"a":01})", "a"},
                    Bad{"plus", R"({"a":+1})", "a"},
                    Bad{"hex", R"({"a":0x1})", "a"},
                    Bad{"comment", "{/* */}", ""},
                    Bad{"trailing_comma", R"({"a":1,})", "a"},
                    Bad{"single_quotes", "{'a':1}", ""},
                    Bad{"invalid_utf8", "{\"a\":\"\xff\"}", "a"},
                    Bad{"overlong_utf8", "{\"a\":\"\xc0\xaf\"}", "a"},
                    Bad{"utf8_surrogate", "{\"a\":\"\xed\xa0\x80\"}", "a"},
                    Bad{"lone_high_surrogate", R"({"a":"\ud800"})", "a"},
                    Bad{"lone_low_surrogate", R"({"a":"\udc00"})", "a"},
                    Bad{"high_without_low", R"({"a":"\ud800\u0041"})", "a"},
                    Bad{"escaped_nul", R"({"a":["x","\u0000"]})", "a[1]"},
                    Bad{"escaped_nul_in_name", R"({"a":{"\u0000":1}})", "a"},
                    Bad{"control_byte", "{\"a\":\"\n\"}", "a"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(JsonTest, TakesWhatIsAtTheLimits) {
    EXPECT_TRUE(parse_json(deep(16)));
    EXPECT_TRUE(parse_json(wide(64)));
    const std::string deepest = deep(16);
    const std::string widest = wide(64);
    EXPECT_TRUE(read_json(deepest));
    EXPECT_TRUE(read_json(widest));
    std::string many = "[1";
    for (int i = 0; i < 1000; ++i) many += ",{\"a\":1}";
    many += "]";
    EXPECT_TRUE(parse_json(many)) << "elements of an array aren't members";
    EXPECT_TRUE(read_json(many));
    const auto big =
        parse_json("[18446744073709551615,-9223372036854775808,1.5,\"\\ud83d\\ude00\"]");
    ASSERT_TRUE(big);
    EXPECT_EQ((*big)[0].get<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ((*big)[1].get<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ((*big)[3].get<std::string>(), "\xf0\x9f\x98\x80");
}

TEST(JsonTest, BuildsTheSameTreeAsTheLibrary) {
    const std::string text =
        R"({"a":[1,[],{"b":null,"c":[true,{"d":"x"},2.5]},-3],"e":{},"f":{"g":{"h":[[]]}}})";
    const auto parsed = parse_json(text);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, Json::parse(text));
}

TEST(JsonTest, CommentsAreAnOption) {
    const std::string text = "{\n// one\n\"a\": 1 /* two */\n}";
    EXPECT_FALSE(parse_json(text));
    EXPECT_TRUE(parse_json(text, {.comments = true}));
}

TEST(JsonTest, DumpThrowsWhereDumpReplacingInforms) {
    const Json odd = "\xff";
    EXPECT_THROW(dump(odd), Json::type_error);
    EXPECT_EQ(dump_replacing(odd), "\"\xef\xbf\xbd\"");
}

TEST(DocumentTest, KeepsItsTextsWhereverItGoes) {
    const std::string text =
        R"({"plain":"left as it is","tab\t":"\u00e9\"","all":"\n","":"","list":["\\","x",[]]})";
    auto read = read_json(text);
    ASSERT_TRUE(read);
    const Document moved = *std::move(read);
    const Value& root = moved.root();
    EXPECT_EQ(root.size(), 5U);
    EXPECT_EQ(root.find("plain")->text(), "left as it is");
    EXPECT_EQ(root.find("tab\t")->text(), "\xc3\xa9\"");
    EXPECT_EQ(root.find("all")->text(), "\n");
    EXPECT_EQ(root.find("")->text(), "");
    EXPECT_TRUE(root.find("")->is_text());
    std::string items;
    for (const Value& item : *root.find("list")) (items += item.text()) += ';';
    EXPECT_EQ(items, "\\;x;;");
    EXPECT_EQ(root.find("x"), nullptr) << "an item of a member is no member";
    EXPECT_EQ(root.find("list")->find("plain"), nullptr) << "an array has no members";
}

TEST(DocumentTest, PrintsMembersByNameAndNumbersAsTheLibraryDoes) {
    const std::string text =
        R"({"b":[1e2,-0,1.0,18446744073709551615,-7],"a":{"z\n":null,"y":true}})";
    const auto read = read_json(text);
    ASSERT_TRUE(read);
    EXPECT_EQ(dump(read->root()), parse_json(text)->dump());
    EXPECT_EQ(dump(read->root()),
              R"({"a":{"y":true,"z\n":null},"b":[100.0,-0.0,1.0,18446744073709551615,-7]})");
}

// Boost.JSON hands out a text with escapes in parts of a buffer's size.
TEST(DocumentTest, ReadsLongTextsWithEscapesEverywhere) {
    const std::string_view pieces[] = {"plain text ",
                                       R"(\n)",
                                       R"(\u00e9)",
                                       R"(\ud83d\ude00)",
                                       "é",
                                       "\xF0\x9F\x98\x80",
                                       R"(\\\")",
                                       R"(\/)"};
    std::mt19937_64 random(20261127);
    for (std::size_t round = 0; round < 100; ++round) {
        std::string names[2];
        for (std::string& name : names)
            for (std::size_t n = random() % 2'000; n > 0; --n)
                name += pieces[random() % std::size(pieces)];
        const std::string text = "{\"1" + names[0] + "\":\"" + names[1] + "\",\"2" + names[1] +
                                 "\":[\"" + names[0] + "\",\"\"]}";
        const auto read = read_json(text);
        ASSERT_TRUE(read) << round;
        ASSERT_EQ(dump(read->root()), Json::parse(text).dump()) << round;
    }
}

TEST(DocumentTest, KeepsTheTreeThatItHadToBeMadeOf) {
    const std::string text =
        R"({"a":"a text that is longer than a string holds","b":1e-9999999999})";
    auto read = read_json(text);
    ASSERT_TRUE(read);
    const Document moved = *std::move(read);
    EXPECT_EQ(dump(moved.root()), R"({"a":"a text that is longer than a string holds","b":0.0})");
    const auto commented = read_json(R"({"a":1 /* one */})", {.comments = true});
    ASSERT_TRUE(commented);
    EXPECT_EQ(dump(commented->root()), R"({"a":1})");
}

// --- Fields ---

/// A text with the document that was read from it.
class Read {
public:
    explicit Read(std::string text) : text_(std::move(text)), document_(read_json(text_)) {
        EXPECT_TRUE(document_) << text_;
    }
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;
    operator const Value&() const { return document_->root(); }

private:
    std::string text_;
    boost::system::result<Document, FieldError> document_;
};

TEST(FieldsTest, IntegersAreExact) {
    for (const char* text : {"1.9",
                             "1.0",
                             "1e2",
                             "\"5\"",
                             "true",
                             "-0",
                             "-0.0",
                             "null",
                             "[1]",
                             "9223372036854775808",
                             "18446744073709551615",
                             "0",
                             "101"}) {
        const Read json(std::string("{\"amount\":") + text + "}");
        Fields fields(json, "branches[0]");
        fields.integer("amount", 1, 100);
        ASSERT_TRUE(fields.finish()) << text;
        EXPECT_EQ(fields.error()->field, "branches[0].amount") << text;
    }
}

TEST(FieldsTest, IntegersReachTheWholeRange) {
    constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
    constexpr auto highest = std::numeric_limits<std::int64_t>::max();
    const Read json(R"({"a":9223372036854775807,"b":-9223372036854775808,"c":0})");
    Fields fields(json);
    EXPECT_EQ(fields.integer("a", lowest, highest), highest);
    EXPECT_EQ(fields.integer("b", lowest, highest), lowest);
    EXPECT_EQ(fields.integer("c", lowest, highest), 0);
    EXPECT_FALSE(fields.finish());
    for (const char* none : {"-0", "9223372036854775808", "18446744073709551615"}) {
        const Read other(std::string("{\"a\":") + none + "}");
        Fields strict(other);
        strict.integer("a", lowest, highest);
        EXPECT_TRUE(strict.error()) << none << " is no integer of ours, however wide the range";
    }
}

TEST(FieldsTest, TextsHaveALengthAndAnAlphabet) {
    const Read json(R"({"a":"ab-c_9","b":"","c":"a b","d":5,"e":"abcd"})");
    const Fields::Text name{.min_bytes = 1, .max_bytes = 6, .allowed = "A-Za-z0-9_-"};
    EXPECT_EQ(Fields(json).text("a", name), "ab-c_9");
    EXPECT_EQ(Fields(json).optional_text("x", name), std::nullopt);
    for (const char* bad : {"b", "c", "d", "x"}) {
        Fields fields(json);
        EXPECT_EQ(fields.text(bad, name), "");
        ASSERT_TRUE(fields.error()) << bad;
        EXPECT_EQ(fields.error()->field, bad);
    }
    Fields fields(json);
    fields.optional_text("e", {.max_bytes = 3});
    EXPECT_EQ(fields.error()->expected, "text of 1 to 3 bytes");
}

TEST(FieldsTest, OnlyTheFirstViolationIsKept) {
    const Read json(R"({"a":1})");
    Fields fields(json);
    fields.text("a", {});
    fields.integer("b", 0, 1);
    fields.fail("c", "something");
    EXPECT_EQ(fields.finish()->field, "a");
}

TEST(FieldsTest, UnreadMembersAreRefused) {
    const Read json(R"({"a":1,"zz":2})");
    Fields fields(json, "x");
    fields.integer("a", 0, 9);
    ASSERT_TRUE(fields.finish());
    EXPECT_EQ(fields.error()->field, "x.zz");
    const Read two(R"({"zz":1,"aa":2})");
    EXPECT_EQ(Fields(two).finish()->field, "zz") << "the first in the text";
    Fields all(json);
    all.integer("a", 0, 9);
    all.optional_integer("zz", 0, 9);
    all.optional_integer("absent", 0, 9);
    EXPECT_FALSE(all.finish());
}

TEST(FieldsTest, ContainersHaveAKindAndASize) {
    const Read json(R"({"o":{},"a":[1,2],"n":null,"t":true})");
    Fields good(json);
    EXPECT_NE(good.object("o"), nullptr);
    EXPECT_NE(good.array("a", 1, 2), nullptr);
    EXPECT_EQ(good.optional_object("x"), nullptr);
    EXPECT_EQ(good.optional_array("x", 1, 2), nullptr);
    EXPECT_EQ(good.optional_boolean("t"), true);
    EXPECT_FALSE(good.error());
    EXPECT_EQ(Fields(json).array("a", 3, 9), nullptr);
    Fields missing(json);
    EXPECT_EQ(missing.object("x"), nullptr);
    EXPECT_TRUE(missing.error());
    Fields null(json);
    EXPECT_EQ(null.optional_object("n"), nullptr);
    EXPECT_TRUE(null.error()) << "null isn't absent";
}

TEST(FieldsTest, WhatIsNoObjectIsAViolation) {
    const Read json("[1]");
    Fields fields(json, "branches[2]");
    EXPECT_EQ(fields.text("a", {}), "");
    EXPECT_EQ(fields.finish()->field, "branches[2]");
}

TEST(ProblemTest, IsAProblemDocument) {
    Json more = Json::object();
    more["gid"] = "g";
    const Response response = problem(409, "transaction-rolled-back", "No \xff.", more);
    EXPECT_EQ(response.status, 409U);
    EXPECT_EQ(response.content_type, "application/problem+json");
    const Json body = Json::parse(response.body);
    EXPECT_EQ(body["type"], "urn:twophase:problem:transaction-rolled-back");
    EXPECT_EQ(body["title"], "Conflict");
    EXPECT_EQ(body["status"], 409);
    EXPECT_EQ(body["code"], "transaction-rolled-back");
    EXPECT_EQ(body["gid"], "g");
}

TEST(ProblemTest, NamesTheField) {
    const Response response = problem(FieldError{"branches[0].amount", "an integer"});
    EXPECT_EQ(response.status, 400U);
    const Json body = Json::parse(response.body);
    EXPECT_EQ(body["code"], "invalid-field");
    EXPECT_EQ(body["field"], "branches[0].amount");
    EXPECT_EQ(body["detail"], "branches[0].amount: expected an integer");
}

TEST(JsonTest, ACommentThatEndsInTwoStarsHidesNothingAfterIt) {
    const auto parsed = parse_json(R"({"a":1, /* x **/ "b":2, /* y */ "c":3})", {.comments = true});
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->size(), 3U) << *parsed;
}

// Three readers: what a document is made of has to be what a tree is made of, and that what
// nlohmann takes.
TEST(JsonTest, ReadersTakeAndRefuseTheSameWhateverTheText) {
    const std::string seeds[] = {
        R"({"a":[1,-2,3.25,1e3,-1.5e-3],"b":{"c":null,"d":true},"e":"\u00e9\ud83d\ude00\n"})",
        R"([18446744073709551615,-9223372036854775808,0,"",{},[],false])",
        "\xef\xbb\xbf{\"text\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}",
        R"({"a":[1e-9999999999,0e2147483648,0.01e-2147483647,1e400]})",
        R"( {"gid":"01934567-89ab-7cde-8123-456789abcdef","epoch":17,"vote":"prepared"} )"};
    const std::string_view pieces[] = {
        "{", "}",  "[",    "]",   ",",       ":",    "\"",           "\\", "\\u", "0",    "-",
        "+", ".",  "e",    "E9",  "\x80",    "\xc3", "\xed\xa0\x80", "\t", " ",   "\x1f", "\x7f",
        "/", "//", "null", "nan", "\\ud800", "12"};
    std::mt19937_64 random(20261127);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    std::size_t taken = 0;
    constexpr std::size_t rounds = 20'000;
    for (std::size_t i = 0; i < rounds; ++i) {
        std::string text = seeds[below(std::size(seeds))];
        for (std::size_t n = below(3); n > 0; --n) {
            const std::size_t at = below(text.size() + 1);
            text.replace(at, below(3), pieces[below(std::size(pieces))]);
        }
        const Json expected = Json::parse(text, nullptr, false);
        const auto parsed = parse_json(text);
        const auto read = read_json(text);
        ASSERT_EQ(read.has_value(), parsed.has_value()) << text;
        if (read) {
            ASSERT_EQ(dump(read->root()), parsed->dump()) << text;
            ASSERT_EQ(dump(document_of(*parsed).root()), parsed->dump()) << text;
        } else {
            ASSERT_EQ(read.error().field, parsed.error().field) << text;
            ASSERT_EQ(read.error().expected, parsed.error().expected) << text;
        }
        if (text.find("-0") != std::string::npos) continue;  // nlohmann's -0 loses its sign
        if (expected.is_discarded()) {
            EXPECT_FALSE(parsed) << text;
        } else if (parsed) {
            ++taken;
            EXPECT_EQ(parsed->dump(), expected.dump()) << text;
        }
    }
    EXPECT_GT(taken, rounds / 10);
    EXPECT_LT(taken, rounds * 9 / 10);
}

}  // namespace
}  // namespace twophase::http
