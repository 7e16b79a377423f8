#include "wal/log_keys.hpp"

#include "tests/wal/support.hpp"

#include <gtest/gtest.h>

#include <map>

namespace twophase::wal {
namespace {

// All short texts over an alphabet that holds what an encoding could trip over.
std::vector<std::string> nasty_texts() {
    const std::vector<std::string> letters = {"a", "b", std::string(1, '\0'), "\x01", "\x02", "/"};
    std::vector<std::string> texts = letters;
    for (const auto& left : letters)
        for (const auto& right : letters) texts.push_back(left + right);
    texts.emplace_back(128, '\x01');
    return texts;
}

TEST(LogKeysTest, BusinessKeysAreInjective) {
    EXPECT_NE(business_key({"a", "bc"}), business_key({"ab", "c"}));
    std::map<std::string, BusinessKey> seen;
    for (const auto& code : nasty_texts())
        for (const auto& id : nasty_texts())
            for (const std::uint32_t attempt : {1U, 2U, 0x01610161U}) {
                const BusinessKey key{.code = code, .id = id, .attempt = attempt};
                const auto [place, is_new] = seen.emplace(business_key(key), key);
                EXPECT_TRUE(is_new) << code << " " << id << " " << attempt;
                EXPECT_EQ(to_business_key(place->first), key);
                EXPECT_LE(place->first.size(), 511U);
            }
}

TEST(LogKeysTest, BusinessKeysAreBounded) {
    EXPECT_TRUE(is_valid({std::string(128, 'c'), std::string(128, 'i')}));
    EXPECT_FALSE(is_valid({"", "i"}));
    EXPECT_FALSE(is_valid({"c", ""}));
    EXPECT_FALSE(is_valid({std::string(129, 'c'), "i"}));
    EXPECT_FALSE(is_valid({"c", std::string(129, 'i')}));
}

TEST(LogKeysTest, MalformedBusinessKeysAreNone) {
    const std::string whole = business_key({"order", "17", 3});
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(to_business_key(whole.substr(0, size))) << size;
    EXPECT_FALSE(to_business_key(whole + "x"));
}

TEST(LogKeysTest, RecordsOfATransactionLieTogetherInOrder) {
    EXPECT_LT(record_key(gid_of(1), 0), record_key(gid_of(1), 1));
    EXPECT_LT(record_key(gid_of(1), 255), record_key(gid_of(1), 256));
    EXPECT_LT(record_key(gid_of(1), 0xFFFFFFFF), above_records(gid_of(1)));
    EXPECT_LE(above_records(gid_of(1)), record_key(gid_of(2), 0));
    EXPECT_LT(record_key(gid_of(255), 0xFFFFFFFF), above_records(gid_of(255)));
    EXPECT_LE(above_records(gid_of(255)), record_key(gid_of(256), 0));
    Gid highest;
    highest.fill(0xFF);
    EXPECT_EQ(above_records(highest), "");
}

TEST(LogKeysTest, FinishedKeysLieByAge) {
    EXPECT_LT(finished_key(1, gid_of(9)), finished_key(2, gid_of(1)));
    EXPECT_LT(finished_key(255, gid_of(9)), finished_key(256, gid_of(1)));
    const auto back = to_finished_key(finished_key(77, gid_of(5)));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->finished_at, 77U);
    EXPECT_EQ(back->gid, gid_of(5));
    EXPECT_FALSE(to_finished_key("short"));
}

}  // namespace
}  // namespace twophase::wal
