// A transaction's id: a UUIDv7 whose last 48 bits tell who minted it: 32 are a tag of the log's
// start, 16 the coordinator's node number.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::coordinator {

/// 16 bytes, in time order. Text form: RFC 9562, lower case.
using Gid = std::array<std::uint8_t, 16>;

std::string to_text(const Gid& gid);
/// Canonical text only: 36 characters, lower case, version 7.
std::optional<Gid> parse_gid(std::string_view text);

/// The node that minted it, and the time part in milliseconds since 1970.
std::uint16_t node_of(const Gid& gid);
/// The tag of the start that minted it; no start has the tag 0.
std::uint32_t tag_of(const Gid& gid);
std::uint64_t milliseconds_of(const Gid& gid);

/// Mints ids that grow, also over restarts and clock jumps: it starts above `floor` (what earlier
/// starts may have used) and stays below the durable ceiling. RFC 9562, section 6.2, method 1:
/// rand_a is a counter within the millisecond.
class GidMint {
public:
    /// `floor`: milliseconds; every id minted here has a time part >= floor.
    /// `random`: 64 fresh random bits a call. `tag`: another one for each start of the log, and of
    /// any copy of it: so none is minted twice.
    GidMint(std::uint16_t node,
            std::uint64_t floor,
            std::function<std::uint64_t()> random,
            std::uint32_t tag);

    /// The next id. Its time part is the wall clock's, held between the last one and the ceiling.
    /// Nothing when the room below the ceiling is used up: the ceiling must be pushed first.
    std::optional<Gid> mint(std::uint64_t wall_milliseconds, std::uint64_t ceiling);

    /// Every id minted from now on is greater than or equal to this one.
    Gid next_at_least() const;

private:
    std::uint16_t node_;
    std::uint32_t tag_;
    std::uint64_t milliseconds_;
    std::uint32_t counter_ = 0;  // the next to use; up to 4096 in a millisecond
    std::function<std::uint64_t()> random_;
};

struct GidHash {
    std::size_t operator()(const Gid& gid) const noexcept;
};

}  // namespace twophase::coordinator
