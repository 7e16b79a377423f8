// What can be done with a stopped participant's store: verify and backup.
#pragma once

#include "recovery/recoveryctl/commands.hpp"

#include <string>

namespace twophase::recoveryctl {

/// The directory holds a store, and not a coordinator's.
bool is_participant_store(const std::string& directory);

/// As verify and back_up of a coordinator's log. `any_filesystem`: for tests.
Exit verify_participant(const std::string& directory, bool any_filesystem, const Output& output);
Exit back_up_participant(const std::string& directory,
                         const std::string& to,
                         bool any_filesystem,
                         const Output& output);

struct RenameOrder {
    std::string data;
    std::string to;
    std::string reason;
    std::string who;
};
/// Gives a stopped participant's store another name, and says what has to be done at the
/// coordinator.
Exit rename_participant_store(const RenameOrder& order,
                              bool any_filesystem,
                              bool is_sure,
                              const Output& output);

}  // namespace twophase::recoveryctl
