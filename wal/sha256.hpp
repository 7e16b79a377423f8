// SHA-256 (FIPS 180-4), by the library's fast way.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace twophase::wal {

using Digest = std::array<std::uint8_t, 32>;

/// Any thread. Throws std::runtime_error when the library can't: then nothing else works either.
Digest sha256(std::string_view bytes);

}  // namespace twophase::wal
