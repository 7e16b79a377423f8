#include "coordinator/protocol/shared_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

namespace twophase::coordinator {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

const char* bytes_of(const SharedText& text) { return std::string_view(text).data(); }

TEST(SharedText, HoldsWhatItWasMadeOf) {
    const SharedText from_literal = "prepared";
    const SharedText from_string = "prepared"s;
    const SharedText from_view = "prepared, and more"sv.substr(0, 8);
    EXPECT_EQ(from_literal, "prepared");
    EXPECT_EQ(from_literal, from_string);
    EXPECT_EQ(from_string, from_view);
    EXPECT_EQ(from_view.size(), 8U);
    EXPECT_FALSE(from_view.empty());
}

TEST(SharedText, KeepsBytesThatNoTextHas) {
    const std::string bytes("a\0b\xff", 4);
    const SharedText text = bytes;
    EXPECT_EQ(text.size(), 4U);
    EXPECT_EQ(std::string(text), bytes);
}

TEST(SharedText, IsEmptyInEveryWay) {
    for (const SharedText& text : {SharedText(), SharedText(""), SharedText(std::string())}) {
        EXPECT_TRUE(text.empty());
        EXPECT_EQ(text.size(), 0U);
        EXPECT_EQ(text, "");
        EXPECT_EQ(text, SharedText());
    }
}

TEST(SharedText, TakesOnePointer) { EXPECT_EQ(sizeof(SharedText), sizeof(void*)); }

TEST(SharedText, CopiesShareTheBytesAndOutliveTheFirst) {
    SharedText copy;
    const char* first = nullptr;
    {
        const SharedText text = "a payload that is too long for any small buffer";
        first = bytes_of(text);
        copy = text;
    }
    EXPECT_EQ(bytes_of(copy), first);
    EXPECT_EQ(copy, "a payload that is too long for any small buffer");
}

TEST(SharedText, MovesLeaveNothingBehind) {
    SharedText text = "credit";
    const SharedText moved = std::move(text);
    EXPECT_EQ(moved, "credit");
    EXPECT_TRUE(text.empty());  // NOLINT(bugprone-use-after-move): that is what is promised
}

TEST(SharedText, AnAssignmentChangesItAlone) {
    SharedText text = "credit";
    const SharedText copy = text;
    text = "coupon";
    EXPECT_EQ(text, "coupon");
    EXPECT_EQ(copy, "credit");
    text.clear();
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(copy, "credit");
}

TEST(SharedText, IsItselfAfterAnAssignmentOfItself) {
    SharedText text = "credit";
    const SharedText& same = text;
    text = same;
    EXPECT_EQ(text, "credit");
}

TEST(SharedText, ComparesByItsBytes) {
    const SharedText a = "a", b = "b", longer = "ab";
    EXPECT_LT(a, b);
    EXPECT_LT(a, longer);
    EXPECT_LT(SharedText(), a);
    EXPECT_GT(b, "ab");
    EXPECT_NE(a, "A"s);
    EXPECT_NE("a"sv, b);
    const SharedText high = "\xc3\xa9";
    EXPECT_LT(a, high);  // as unsigned bytes, as everywhere
}

TEST(SharedText, JoinsTexts) {
    const SharedText text = "credit";
    EXPECT_EQ("branch " + text, "branch credit");
    EXPECT_EQ(text + "-1", "credit-1");
    EXPECT_EQ("'" + text + "'", "'credit'");
    EXPECT_EQ(text + SharedText("-") + text, "credit-credit");
}

TEST(SharedText, IsFoundByItsBytes) {
    const std::unordered_set<SharedText> all{"credit", "coupon"};
    EXPECT_TRUE(all.contains(SharedText("coupon"s)));
    EXPECT_FALSE(all.contains(SharedText("coupons")));
}

// What counts here is found by the data-race and address checks.
TEST(SharedText, IsCopiedAndForgottenByManyThreads) {
    const SharedText text = "a text that all of them hold";
    std::vector<std::jthread> threads;
    std::vector<std::size_t> sizes(4);
    for (std::size_t i = 0; i < sizes.size(); ++i)
        threads.emplace_back([&size = sizes[i], mine = text] {
            for (int n = 0; n < 1'000; ++n) {
                SharedText copy = mine;
                const SharedText other = std::move(copy);
                size += other.size();
            }
        });
    threads.clear();
    for (const std::size_t size : sizes) EXPECT_EQ(size, 1'000 * text.size());
}

}  // namespace
}  // namespace twophase::coordinator
