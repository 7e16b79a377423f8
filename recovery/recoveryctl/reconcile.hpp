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

struct AcknowledgeOrder {
    std::string url;
    std::string kind;
    std::string subject;
    std::string reason;
    std::string who;
};
/// Makes a finding of the last reconciliation quiet until its numbers change.
Exit acknowledge(const AcknowledgeOrder& order, const Output& output);

struct SettleDamagedOrder {
    std::string url;
    std::string gid;
    std::string branch_id;
    std::string coordinator;  // empty: the only one that is configured there
    std::string reason;
    std::string who;
};
/// Has a participant write a damaged branch anew, by its coordinator's log.
Exit settle_damaged(const SettleDamagedOrder& order, const Output& output);

}  // namespace twophase::recoveryctl
