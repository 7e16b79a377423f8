#include "http/text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace twophase::http {
namespace {

TEST(TextTest, PercentEncodingLeavesWhatTheRfcCallsUnreserved) {
    EXPECT_EQ(percent_encode(""), "");
    EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
    EXPECT_EQ(percent_encode("a b/c?d&e=%+"), "a%20b%2Fc%3Fd%26e%3D%25%2B");
    EXPECT_EQ(percent_encode("\xc3\xa9"), "%C3%A9");
    EXPECT_EQ(percent_encode(std::string("\0\x7f", 2)), "%00%7F");
}

TEST(TextTest, PercentDecodingUndoesIt) {
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    EXPECT_EQ(percent_decode(percent_encode(all)), all);
    for (const char* bad : {"%", "a%2", "%zz", "%2g"}) EXPECT_EQ(percent_decode(bad), std::nullopt);
}

std::vector<std::string_view> members(std::string_view list, std::string_view separators = ",") {
    std::vector<std::string_view> all;
    while (const auto member = next_in_list(list, separators)) all.push_back(*member);
    return all;
}

TEST(TextTest, AHeadersListIsReadMemberByMember) {
    using Members = std::vector<std::string_view>;
    EXPECT_EQ(members(""), Members());
    EXPECT_EQ(members("close"), Members{"close"});
    EXPECT_EQ(members(" keep-alive ,\tUpgrade,x"), (Members{"keep-alive", "Upgrade", "x"}));
    EXPECT_EQ(members("a,,b , "), (Members{"a", "", "b", ""}));
    EXPECT_EQ(members("respond-async; wait=10, x", ",;"),
              (Members{"respond-async", "wait=10", "x"}));
}

}  // namespace
}  // namespace twophase::http
