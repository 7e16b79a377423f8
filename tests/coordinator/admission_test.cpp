#include "coordinator/protocol/admission.hpp"

#include <gtest/gtest.h>

namespace twophase::coordinator {
namespace {

constexpr Fingerprint first{1, 1};
constexpr Fingerprint other{1, 2};

KnownAttempt known(std::uint32_t attempt, bool is_rolled_back) {
    return {.attempt = attempt,
            .fingerprint = first,
            .is_durably_rolled_back = is_rolled_back,
            .is_undone = is_rolled_back};
}

TEST(AdmissionTest, AFreshKeyBeginsWithAttemptOne) {
    EXPECT_EQ(admit(1, first, {}, {}), Admission::is_new);
    EXPECT_EQ(admit(2, first, {}, {}), Admission::attempt_unknown);
}

TEST(AdmissionTest, TheSameRequestIsARepeatAndAnotherIsNot) {
    EXPECT_EQ(admit(1, first, known(1, false), known(1, false)), Admission::repeat);
    EXPECT_EQ(admit(1, other, known(1, false), known(1, false)), Admission::changed);
    EXPECT_EQ(admit(1, first, known(1, true), known(2, false)), Admission::repeat);
}

TEST(AdmissionTest, TheNextAttemptWaitsForADurableRollback) {
    EXPECT_EQ(admit(2, first, {}, known(1, false)), Admission::attempt_not_over);
    EXPECT_EQ(admit(2, first, {}, known(1, true)), Admission::is_new);
    EXPECT_EQ(admit(2, other, {}, known(1, true)), Admission::is_new);
    EXPECT_EQ(admit(3, first, {}, known(1, true)), Admission::attempt_unknown);
}

TEST(AdmissionTest, TheNextAttemptWaitsUntilAllOfItIsUndone) {
    KnownAttempt rolled_back = known(1, true);
    rolled_back.is_undone = false;
    EXPECT_EQ(admit(2, first, {}, rolled_back), Admission::attempt_not_over);
    EXPECT_EQ(admit(1, first, rolled_back, rolled_back), Admission::repeat);
}

TEST(AdmissionTest, FingerprintsOfTwoRulesProveNoChange) {
    constexpr Fingerprint by_another_rule{2, 9};
    EXPECT_EQ(admit(1, by_another_rule, known(1, false), known(1, false)), Admission::repeat);
    KnownAttempt settled_for_a_lost_log = known(1, true);
    settled_for_a_lost_log.fingerprint = {};
    EXPECT_EQ(admit(1, first, settled_for_a_lost_log, settled_for_a_lost_log), Admission::repeat);
}

TEST(AdmissionTest, ALateCopyOfALowerAttemptIsRefused) {
    EXPECT_EQ(admit(1, first, {}, known(2, true)), Admission::superseded);
}

TEST(AdmissionTest, WhatCannotBeReadIsTaken) {
    KnownAttempt damaged{.attempt = 1, .is_damaged = true};
    EXPECT_EQ(admit(1, first, damaged, damaged), Admission::damaged);
    EXPECT_EQ(admit(2, first, {}, damaged), Admission::damaged);
}

}  // namespace
}  // namespace twophase::coordinator
