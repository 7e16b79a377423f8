#include "wal/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace twophase::wal {
namespace {

TEST(Crc32cTest, GivesTheKnownAnswers) {
    // RFC 3720, B.4, and the customary check value.
    std::string ascending;
    for (int byte = 0; byte < 32; ++byte) ascending.push_back(static_cast<char>(byte));
    for (auto* checksum : {&crc32c, &crc32c_by_table}) {
        EXPECT_EQ(checksum("", 0), 0U);
        EXPECT_EQ(checksum("123456789", 0), 0xE3069283U);
        EXPECT_EQ(checksum(std::string(32, '\0'), 0), 0x8A9136AAU);
        EXPECT_EQ(checksum(std::string(32, '\xFF'), 0), 0x62A8AB43U);
        EXPECT_EQ(checksum(ascending, 0), 0x46DD794EU);
    }
}

TEST(Crc32cTest, GoesOnFromAPrefixAndAgreesWithTheTable) {
    std::mt19937 random(1);
    for (int round = 0; round < 500; ++round) {
        std::string bytes(random() % 100, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        const std::size_t cut = random() % (bytes.size() + 1);
        const std::uint32_t whole = crc32c(bytes);
        EXPECT_EQ(whole, crc32c_by_table(bytes));
        EXPECT_EQ(whole, crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))));
    }
}

}  // namespace
}  // namespace twophase::wal
