#include "http/json_text.hpp"

#include "http/json.hpp"

#include <gtest/gtest.h>

namespace twophase::http {
namespace {

TEST(JsonTextTest, EveryByteIsQuotedAsTheLibraryDoes) {
    for (int c = 0; c < 0x80; ++c) {
        const std::string text = "a" + std::string(1, static_cast<char>(c)) + "b";
        std::string quoted;
        append_quoted(quoted, text);
        EXPECT_EQ(quoted, dump(Json(text))) << c;
    }
    for (const char* text : {"", "é", "a\xF0\x9F\x98\x80", "\"", "\\"}) {
        std::string quoted;
        append_quoted(quoted, text);
        EXPECT_EQ(Json::parse(quoted), Json(text));
    }
    std::string quoted;
    EXPECT_ANY_THROW(append_quoted(quoted, "\xFF"));
}

TEST(JsonTextTest, AnObjectIsWhatItsMembersSay) {
    std::string text = "before ";
    ObjectText object(text);
    object.text("name", "a \"b\"");
    object.number("large", std::uint64_t{18446744073709551615U});
    object.number("negative", std::int64_t{-3});
    object.raw("raw", "[1,2]");
    object.begin("inner");
    ObjectText(text).close();
    object.close();
    EXPECT_EQ(text,
              R"(before {"name":"a \"b\"","large":18446744073709551615,"negative":-3,)"
              R"("raw":[1,2],"inner":{}})");
}

}  // namespace
}  // namespace twophase::http
