// The table in which a store keeps what it knows about itself: identity, epoch, clock, numbers.
#pragma once

#include "wal/environment.hpp"
#include "wal/store.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::wal {

inline constexpr const char* store_table_name = "store";
inline constexpr std::uint32_t store_format_version = 3;

/// A file of LMDB without the identity that every store has. Most of them were copied while the
/// store was written.
StoreError no_identity(const std::filesystem::path& directory);

/// Nothing in a store that is new. StoreError when the format is another program version's, or the
/// row is damaged.
std::optional<StoreIdentity> read_identity(const Reader& reader, Table table);
std::optional<StoreIdentity> read_identity(const Unit& unit, Table table);
void write_identity(Batch& batch, Table table, const StoreIdentity& identity);
void write_identity(Unit& unit, Table table, const StoreIdentity& identity);

/// 0 when it was never written; StoreError when it is damaged.
std::uint64_t read_named_number(const Reader& reader, Table table, std::string_view name);
std::uint64_t read_named_number(const Unit& unit, Table table, std::string_view name);
void write_named_number(Batch& batch, Table table, std::string_view name, std::uint64_t value);
void write_named_number(Unit& unit, Table table, std::string_view name, std::uint64_t value);

/// Of the store itself; other names are its users'.
inline constexpr std::string_view running_seconds_name = "running seconds";
inline constexpr std::string_view position_name = "position";

}  // namespace twophase::wal
