// CRC-32C (Castagnoli), the checksum of everything that this folder stores.
#pragma once

#include <cstdint>
#include <string_view>

namespace twophase::wal {

/// The checksum of `bytes`, going on from `so_far`, the checksum of what came before them.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t so_far = 0);

/// The same by table, for processors without the instruction; public for its test.
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t so_far = 0);

}  // namespace twophase::wal
