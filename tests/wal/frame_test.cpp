#include "wal/frame.hpp"

#include "tests/wal/support.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace twophase::wal {
namespace {

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) {
        char digits[4];
        std::snprintf(digits, sizeof digits, "%02x ", static_cast<unsigned char>(byte));
        text += digits;
    }
    text.pop_back();
    return text;
}

const Gid example{
    0x01, 0x93, 0x5b, 0x8f, 0x2a, 0x10, 0x70, 0x07, 0x80, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66};

TEST(FrameTest, GivesItsPayloadBack) {
    for (const std::string& payload :
         {std::string(), std::string("commit"), std::string(70000, 'x')}) {
        const std::string frame = encode_frame(example, 2, payload);
        const CheckedFrame checked = check_frame(example, 2, frame);
        EXPECT_EQ(checked.damage, nullptr);
        EXPECT_EQ(checked.payload, payload);
    }
}

TEST(FrameTest, IsTheOneInTheReadme) {
    const std::string line = hex(encode_frame(example, 1, "commit"));
    std::ifstream file(WAL_README);
    std::stringstream readme;
    readme << file.rdbuf();
    EXPECT_NE(readme.str().find(line), std::string::npos) << "wal/README.md lacks\n" << line;
}

TEST(FrameTest, EveryFlippedBitShows) {
    const std::string whole = encode_frame(example, 1, "commit");
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string flipped = whole;
        flipped[bit / 8] ^= static_cast<char>(1U << (bit % 8));
        EXPECT_NE(check_frame(example, 1, flipped).damage, nullptr) << "bit " << bit;
    }
}

TEST(FrameTest, EveryTornFrameShows) {
    const std::string whole = encode_frame(example, 1, "commit");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_NE(check_frame(example, 1, whole.substr(0, size)).damage, nullptr) << size;
        std::string zeroed = whole.substr(0, size);
        zeroed.resize(whole.size(), '\0');
        if (zeroed != whole) {
            EXPECT_NE(check_frame(example, 1, zeroed).damage, nullptr) << size;
        }
    }
}

TEST(FrameTest, BelongsToItsKeyAlone) {
    const std::string frame = encode_frame(example, 1, "commit");
    Gid other = example;
    other[15] ^= 1;
    EXPECT_STREQ(check_frame(other, 1, frame).damage, "belongs under another key");
    EXPECT_STREQ(check_frame(example, 2, frame).damage, "belongs under another key");
}

}  // namespace
}  // namespace twophase::wal
