// What recoveryctl says of a participant that is no longer configured.
#include "recovery/recoveryctl/render.hpp"

#include <gtest/gtest.h>

namespace twophase::recoveryctl {
namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

Json stranded(const char* state, const char* decision = "commit") {
    return {{"gid", "g"},
            {"state", state},
            {"decision", decision},
            {"created_at_ms", 0},
            {"participants", {"credit", "coupon"}},
            {"not_configured", {"coupon"}},
            {"branches",
             {{{"branch_id", "1"}, {"participant", "credit"}, {"state", "committed"}},
              {{"branch_id", "2"},
               {"participant", "coupon"},
               {"state", state},
               {"not_configured", true}}}}};
}

TEST(RemovedParticipantTextTest, ShowNamesItAndEachWayOut) {
    const std::string text = details_text(stranded("committing"), "", WallTime{});
    EXPECT_TRUE(has(text, "coupon (not configured)")) << text;
    EXPECT_FALSE(has(text, "credit (not configured)"));
    EXPECT_TRUE(has(text, "no longer configured"));
    EXPECT_TRUE(has(text, "put it back"));
    EXPECT_TRUE(has(text, "rename-store"));
    EXPECT_TRUE(has(text, "resolve g --branch 2 --how gone"));
    EXPECT_TRUE(has(text, "resolve g --branch 2 --how by-hand"));
    EXPECT_FALSE(has(text, "It ends by itself"));
}

TEST(RemovedParticipantTextTest, AByHandThatWouldNeverEndIsNotOffered) {
    const std::string text = details_text(stranded("executing"), "", WallTime{});
    EXPECT_TRUE(has(text, "--how gone")) << text;
    EXPECT_FALSE(has(text, "--how by-hand"));
    EXPECT_TRUE(has(consequence_text(stranded("executing"), "2", "by_hand"), "can't be undone"));
    EXPECT_TRUE(has(consequence_text(stranded("executing"), "2", "gone"), "nobody undoes"));
}

TEST(RemovedParticipantTextTest, ListNamesItAndSaysWhatToDo) {
    const std::string text = list_text(Json::array({stranded("committing")}), WallTime{});
    EXPECT_TRUE(has(text, "credit coupon (not configured)")) << text;
    EXPECT_TRUE(has(text, "put it back"));
}

}  // namespace
}  // namespace twophase::recoveryctl
