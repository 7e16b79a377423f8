// What the core wants written, as the log takes it.
#pragma once

#include "coordinator/protocol/protocol.hpp"
#include "wal/log.hpp"

#include <cstdint>

namespace twophase::coordinator {

wal::BusinessKey to_wal(const BusinessKey& key);

/// `at`: microseconds since 1970 by the wall clock, for display.
wal::Entry to_entry(const Append& append, std::int64_t at);

}  // namespace twophase::coordinator
