// Marked copies of a running store. The other half, restore(), is in store.hpp.
#pragma once

#include "wal/environment.hpp"

#include <filesystem>

namespace twophase::wal {

/// See Store::backup().
void write_backup(const Environment& environment, const std::filesystem::path& to);

}  // namespace twophase::wal
