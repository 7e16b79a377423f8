// Another name for a participant's store.
#pragma once

#include "participants/messages.hpp"
#include "wal/store.hpp"

#include <string>

namespace twophase::participants {

/// Gives the store the name `to`; the one that it has becomes a former one, and what was begun
/// under that goes on. Durable when this returns, in the audit log (`rename_store`) in the same
/// batch. Ends the store's writer: nothing may be submitted after it. Throws StoreError EINVAL, and
/// nothing is written, where `to` is no name or the one that the store has.
void rename_store(wal::Store& store,
                  const std::string& to,
                  const std::string& reason,
                  const std::string& who,
                  const Moment& moment);

}  // namespace twophase::participants
