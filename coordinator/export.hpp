// A stored transaction as one line of JSON, for exports and for people.
#pragma once

#include "wal/log.hpp"

#include <string>

namespace twophase::coordinator {

/// {"gid", "finished", "damage"?, "records": [{"n", "type", "at", …}]}. A payload that can't be
/// read is given as hex.
std::string export_line(const wal::StoredTransaction& stored);

}  // namespace twophase::coordinator
