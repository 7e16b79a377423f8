// The frame around each record of the log: what it is, whose, and whether it is whole.
#pragma once

#include "wal/log.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace twophase::wal {

inline constexpr std::uint8_t frame_version = 1;

/// version u8, gid 16 bytes, n u32, length u32, payload, CRC-32C u32 over all before it; numbers
/// big-endian.
std::string encode_frame(const Gid& gid, std::uint32_t n, std::string_view payload);

/// A view into the frame, or what is wrong with it.
struct CheckedFrame {
    std::string_view payload;
    const char* damage = nullptr;  // null: whole
};

/// Checks the frame by itself and against the key (gid, n) under which it was found.
CheckedFrame check_frame(const Gid& gid, std::uint32_t n, std::string_view frame);

}  // namespace twophase::wal
