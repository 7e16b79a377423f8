// What the core wants written, as the log takes it.
#pragma once

#include "coordinator/protocol/protocol.hpp"
#include "wal/log.hpp"

#include <cstdint>
#include <vector>

namespace twophase::coordinator {

wal::BusinessKey to_wal(const BusinessKey& key);

/// `at`: microseconds since 1970 by the wall clock, for display.
wal::Entry to_entry(const Append& append, std::int64_t at);

/// What one step wants written, as the atomic appends that it takes: one for each transaction. None
/// shares another's fate: the log may refuse what builds on a start that found no room.
std::vector<std::vector<Append>> by_transaction(std::vector<Append> appends);

}  // namespace twophase::coordinator
