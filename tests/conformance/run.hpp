// Runs the checks, and what came of them.
#pragma once

#include "tests/conformance/checks.hpp"

#include <functional>
#include <string>
#include <vector>

namespace twophase::conformance {

enum class Verdict {
    held,
    did_not_hold,
    not_asked,    // it needs an option that was not given
    not_offered,  // the participant does without this part of the contract, as it may
    blocked,      // it could not get as far as its question: as bad as a breach
};

struct Outcome {
    const Check* check = nullptr;
    Verdict verdict = Verdict::held;
    std::string why;     // of not_asked, not_offered and blocked
    DidNotHold failure;  // of did_not_hold
};

struct Watcher {
    std::function<void(const Check&)> begins;
    std::function<void(const Outcome&)> ends;
};

/// All checks that Options::only names, in their order, and no others.
/// Throws boost::system::system_error when it can't listen at Options::listen.
std::vector<Outcome> run(const Options& options, const Watcher& watcher);

/// Why the participant can't be reached at all; empty when it answers.
std::string unreachable(const Options& options);

/// Of those in `only`, what names neither a group nor a check.
std::string unknown_name(const std::vector<std::string>& only);

}  // namespace twophase::conformance
