// Whether a submission is new, a repeat, or must be refused: the rule of business keys and
// attempts.
#pragma once

#include "coordinator/protocol/records.hpp"

#include <cstdint>
#include <optional>

namespace twophase::coordinator {

/// Whether both may be of one request. Those of two rules can't be compared, so nothing proves that
/// the request is another one: the key decides, and nothing is carried out a second time.
inline bool may_be_same(const Fingerprint& one, const Fingerprint& other) {
    return one == other || one.front() != other.front();
}

/// The highest number that an attempt can have.
constexpr std::uint32_t most_attempts = 1'000'000;

/// What is known of an attempt, live or in the log.
struct KnownAttempt {
    std::uint32_t attempt = 1;
    Gid gid{};
    Fingerprint fingerprint{};
    /// Its entry or records can't be read: the key is taken, the rest means nothing.
    bool is_damaged = false;
    bool is_durably_rolled_back = false;
    /// That, and no branch holds anything of it any more: each has acknowledged that it was undone,
    /// or a person has ended it. Only then may the next attempt begin.
    bool is_undone = false;
};

enum class Admission {
    is_new,
    repeat,            // the same request: answer with the first one's outcome
    changed,           // the same key with another request
    attempt_not_over,  // the attempt before it is not rolled back, or not undone everywhere
    attempt_unknown,   // a lower attempt is not known here; the first one is number 1
    damaged,           // what is known of it can't be read
    superseded,        // a higher attempt exists, this one was never seen: a late copy
};

/// Decides on a submission. `same`: what is known under exactly its key. `highest`: the highest
/// attempt known under its code and id. An attempt was admitted only when its predecessor was
/// rolled back, so looking at the highest one is enough.
inline Admission admit(std::uint32_t attempt,
                       const Fingerprint& fingerprint,
                       const std::optional<KnownAttempt>& same,
                       const std::optional<KnownAttempt>& highest) {
    if ((same && same->is_damaged) || (!same && highest && highest->is_damaged))
        return Admission::damaged;
    if (same)
        return may_be_same(same->fingerprint, fingerprint) ? Admission::repeat : Admission::changed;
    if (!highest) return attempt == 1 ? Admission::is_new : Admission::attempt_unknown;
    if (attempt < highest->attempt) return Admission::superseded;
    if (attempt > highest->attempt + 1) return Admission::attempt_unknown;
    return highest->is_undone ? Admission::is_new : Admission::attempt_not_over;
}

}  // namespace twophase::coordinator
