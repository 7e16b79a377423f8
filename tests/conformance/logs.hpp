// Which log of a coordinator speaks, as messages tell it, and what a participant tells of the log
// that it listens to.
#pragma once

#include "tests/conformance/answer.hpp"

#include <cstdint>
#include <string>

namespace twophase::conformance {

/// Why the checks of logs find nothing to check.
inline constexpr const char* does_not_fence_logs =
    "it does not fence logs: the list of branches in doubt has no `known`";

/// A log that nobody has seen, and the first start of it.
Log new_log();
/// 32 hexadecimal digits that nobody has seen: an identity, or another start of a log.
std::string new_token();

/// What the list of branches in doubt tells beside them, where its query names a coordinator.
struct Introduction {
    bool is_told = false;  // it has a member "known": the participant fences logs
    bool has_known = false;
    Log known;  // of our coordinator
    std::uint64_t known_epoch = 0;
    bool has_store = false;  // with log, epoch, start and position
    bool is_configured = false;
    std::string nonce;
};

Introduction read_introduction(const Answer& page);

/// The body's member of this name, where it is a text.
std::string text_in(const Answer& answer, const char* name);

}  // namespace twophase::conformance
