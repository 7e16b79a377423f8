// reconcile: a running participant holds its books against each other and the coordinators' logs.
#pragma once

#include "recovery/recoveryctl/commands.hpp"

#include <string>

namespace twophase::recoveryctl {

struct ReconcileOrder {
    std::string url;  // of the participant: http://host:port, or file:/path
    /// A restored participant takes its books as they are, in place of reconciling.
    bool is_acceptance = false;
    std::string reason;
    std::string who;
};

/// Runs a reconciliation and shows what it found. Exit::findings with findings, those that were put
/// right too, and when not everything could be looked at.
Exit reconcile(const ReconcileOrder& order, const Output& output);

}  // namespace twophase::recoveryctl
