// What a store needs of its file system: a fit kind, room, durable names, a whole data file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace twophase::wal {

/// The directory that holds `path`'s own entry.
std::filesystem::path parent_of(const std::filesystem::path& path);

/// Creates `directory` for its owner alone, with its parents, durably; leaves an existing one be.
void make_directory(const std::filesystem::path& directory);

/// Makes the names in `directory` durable. StoreError when that fails.
void sync_directory(const std::filesystem::path& directory);
void sync_file(const std::filesystem::path& file);

/// StoreError when `directory` is on a file system that doesn't keep what it was told to sync, or
/// whose locks another machine may not see: network, FUSE and memory file systems.
void check_file_system(const std::filesystem::path& directory);

/// StoreError when an existing data.mdb isn't LMDB's or is shorter than its last page: reading on
/// would end in SIGBUS. Must be called before LMDB has it open. `had_store`: one that is empty or
/// gone is no new one, in which nothing was ever decided.
void check_data_file(const std::filesystem::path& directory, bool had_store = false);

std::size_t disk_free_bytes(const std::filesystem::path& directory);

/// Bytes that one of this process's threads has sent towards the disk, whole pages of files, as the
/// kernel counts them; nothing where it doesn't.
std::optional<std::uint64_t> bytes_written_by(int thread_id);

}  // namespace twophase::wal
