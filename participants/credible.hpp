// What a message may claim about time: marks that it moves are kept for ever, so one wrong message
// must not move them out of reach.
#pragma once

#include "participants/messages.hpp"

#include <cstdint>
#include <string_view>

namespace twophase::participants {

/// A canonical UUIDv7 (RFC 9562, section 5.7: lower case): such gids order by time.
bool is_time_ordered(std::string_view gid);

/// Milliseconds since 1970, of one that is_time_ordered().
std::uint64_t milliseconds_of(std::string_view gid);

/// A time-ordered gid minted at most a day from now: one that may be taken as a point in time. What
/// lies ahead is a coordinator's whose clock was ahead, or made up: only the coordinator can tell.
bool is_credible(std::string_view gid, const Moment& moment);

/// The highest epoch believed of a coordinator whose highest so far is `seen`. A coordinator counts
/// its starts; a restored one goes on from the seconds since 1970 times 10^6.
std::uint64_t highest_epoch(std::uint64_t seen, const Moment& moment);

}  // namespace twophase::participants
