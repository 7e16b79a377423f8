// Values with a checksum over themselves and their key: LMDB has none of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace twophase::wal {

/// `value` followed by the CRC-32C of key and value.
std::string seal(std::string_view key, std::string value);

/// The value again; nothing when it isn't what was sealed under this key.
std::optional<std::string_view> unseal(std::string_view key, std::string_view sealed);

}  // namespace twophase::wal
