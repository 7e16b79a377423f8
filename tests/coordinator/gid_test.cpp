#include "coordinator/protocol/gid.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace twophase::coordinator {
namespace {

GidMint mint_from(std::uint64_t floor, std::uint16_t node = 7) {
    return GidMint(
        node, floor, [random = std::mt19937_64(1)]() mutable { return random(); }, 5);
}

TEST(GidTest, TextGoesThereAndBack) {
    auto mint = mint_from(1'700'000'000'000);
    const Gid gid = *mint.mint(1'700'000'000'123, UINT64_MAX);
    const std::string text = to_text(gid);
    EXPECT_EQ(parse_gid(text), gid);
    EXPECT_EQ(text[14], '7');
    EXPECT_EQ(text.substr(32), "0007");
    EXPECT_EQ(node_of(gid), 7);
    EXPECT_EQ(milliseconds_of(gid), 1'700'000'000'123U);
}

TEST(GidTest, TellsTheStartThatMintedIt) {
    const auto random = [] { return UINT64_MAX; };
    const std::uint32_t tag = 0x89abcdef;
    for (const std::uint32_t each : {std::uint32_t{1}, tag}) {
        GidMint mint(7, 5'000, random, each);
        const Gid gid = *mint.mint(5'000, UINT64_MAX);
        EXPECT_EQ(tag_of(gid), each);
        EXPECT_EQ(node_of(gid), 7);
        EXPECT_EQ(parse_gid(to_text(gid)), gid);
    }
}

TEST(GidTest, OnlyCanonicalTextIsAGid) {
    const std::string good = "018bcfe5-687b-7000-8123-456789abcdef";
    EXPECT_TRUE(parse_gid(good).has_value());
    for (const std::string& bad : {std::string(),
                                   good.substr(1),
                                   good + "0",
                                   std::string("018BCFE5-687b-7000-8123-456789abcdef"),
                                   std::string("018bcfe5-687b-4000-8123-456789abcdef"),
                                   std::string("018bcfe5-687b-7000-c123-456789abcdef"),
                                   std::string("018bcfe5x687b-7000-8123-456789abcdef"),
                                   std::string("018bcfe5-687b-7000-8123-456789abcdeg"),
                                   std::string("../../../../../../../../../etc/passw")})
        EXPECT_FALSE(parse_gid(bad).has_value()) << bad;
}

TEST(GidTest, IdsGrowWhateverTheClockDoes) {
    auto mint = mint_from(5'000);
    Gid last{};
    std::set<std::string> texts;
    std::mt19937_64 clock(3);
    for (int i = 0; i < 20'000; ++i) {
        const auto gid = mint.mint(clock() % 10'000, 1'000'000);
        ASSERT_TRUE(gid.has_value());
        EXPECT_LT(last, *gid);
        EXPECT_GE(milliseconds_of(*gid), 5'000U);
        last = *gid;
        texts.insert(to_text(*gid));
    }
    EXPECT_EQ(texts.size(), 20'000U);
}

TEST(GidTest, MintingStaysBelowTheCeilingAndStopsThere) {
    auto mint = mint_from(1'000);
    int minted = 0;
    while (const auto gid = mint.mint(50'000, 1'002)) {
        EXPECT_LT(milliseconds_of(*gid), 1'002U);
        ++minted;
    }
    EXPECT_GE(minted, 4'096);
    EXPECT_FALSE(mint.mint(50'000, 1'002).has_value());
    EXPECT_TRUE(mint.mint(50'000, 60'000).has_value());
}

TEST(GidTest, TheNextIdIsNeverBelowWhatWasAnnounced) {
    auto mint = mint_from(1'000);
    for (int i = 0; i < 10'000; ++i) {
        const Gid announced = mint.next_at_least();
        EXPECT_LE(announced, *mint.mint(1'000, UINT64_MAX));
    }
}

}  // namespace
}  // namespace twophase::coordinator
