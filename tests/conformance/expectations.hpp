// What an answer must be. Each throws DidNotHold, which ends the check that asked.
#pragma once

#include "tests/conformance/answer.hpp"

#include <string>

namespace twophase::conformance {

/// A check found a breach.
struct DidNotHold {
    std::string sent;
    std::string came;
    std::string expected;
};

/// A check could not get as far as its question.
struct CannotCheck {
    std::string why;
};

/// The participant does without this part of the contract, as it may.
struct NotOffered {
    std::string why;
};

void expect(bool holds, const Answer& answer, const std::string& expected);

/// 200 that names the branch and says "prepared".
void expect_yes(const Answer& answer);
/// 200 that names the branch and says "executed".
void expect_executed(const Answer& answer);
/// 200 that names the branch and says "committed", "rolled_back" or "compensated".
void expect_state(const Answer& answer, const std::string& state);
/// The status with the contract's body, which names the branch; with `code` unless that is empty.
void expect_problem(const Answer& answer, unsigned status, const std::string& code = "");
/// Any of the answers that count as a no.
void expect_no(const Answer& answer);
/// 400 or 422 with the contract's body; it names the branch where the request could be read so far.
void expect_fault(const Answer& answer, bool names_branch);
/// Status and body as in `first`.
void expect_same(const Answer& again, const Answer& first);

bool is_yes(const Answer& answer);

}  // namespace twophase::conformance
