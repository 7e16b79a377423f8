// Ids of transactions, as a coordinator mints them.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace twophase::conformance {

/// Gives UUIDv7 in canonical text: time, then a counter, then random bits and a node's number. Each
/// is greater than the one before, and than those of an earlier run.
class Gids {
public:
    std::string next();

private:
    // The last 16 bits, by which a coordinator knows its own: "conformance" to the eye.
    static constexpr std::uint64_t node = 0xC04F;

    std::uint64_t milliseconds_ = 0;
    std::uint64_t counter_ = 0;
    std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace twophase::conformance
