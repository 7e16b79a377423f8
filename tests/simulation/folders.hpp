// What a person does to a stopped program's folder with recoveryctl, on a simulated disk.
#pragma once

#include "participants/messages.hpp"
#include "wal/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace twophase::simulation::folders {

wal::StoreIdentity identity_of(const std::string& directory);
/// The position of its last durable batch.
std::uint64_t position_of(const std::string& directory);
bool has_transactions(const std::string& directory);
void change_identity(const std::string& directory,
                     const std::function<void(wal::StoreIdentity&)>& change);

/// The coordinator's log that the participant with this folder listens to, up or down.
std::optional<participants::LogClaim> known_log(const std::string& directory,
                                                const std::string& coordinator);

}  // namespace twophase::simulation::folders
