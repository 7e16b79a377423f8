// Checks a participant's store that no program uses: every record, every index, the audit's chain.
#pragma once

#include "participants/kind.hpp"
#include "wal/store.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace twophase::participants {

/// All tables of a participant of this kind.
std::vector<std::string> tables_of(const Kind& kind);

/// Tells `report` of each thing that isn't as it was written or as it must be, and `progress` how
/// many records were looked at, now and then. Reads page by page; nothing is changed.
void verify(const wal::Store& store,
            const Kind& kind,
            const std::function<void(const std::string& finding)>& report,
            const std::function<void(std::size_t records)>& progress);

}  // namespace twophase::participants
