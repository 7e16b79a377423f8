// What a reconciliation does about a finding, inside the writer's unit: looks again, writes it into
// the audit log, and puts small differences right.
#pragma once

#include "participants/acknowledgements.hpp"
#include "participants/audit.hpp"
#include "participants/books.hpp"
#include "participants/finding.hpp"

#include <cstdint>
#include <string>

namespace twophase::participants {

/// The look around reads snapshots, and a coordinator's answer is older still. In the unit nothing
/// changes between the look and what follows from it.
class SecondLook {
public:
    struct Options {
        std::string participant;
        std::int64_t correct_below = 100;
    };
    /// `audit` and `kind` (none: nothing of its own) must outlive this.
    SecondLook(Options options, const TableOf& table_of, const Audit& audit, const Books* kind);

    /// False when the finding is none any more: then nothing was written. Otherwise `finding` says
    /// what was seen, and whether it was put right. One that was acknowledged is not audited again.
    bool settle(wal::Unit& unit, Finding& finding, const Moment& moment) const;

    /// What the audit tells of a person's acknowledgement.
    AuditEntry acknowledgement_entry(const Finding& finding,
                                     const std::string& reason,
                                     const Origin& who,
                                     const Moment& moment) const;

private:
    bool still_contradicts(const wal::Unit& unit, Finding& finding) const;
    AuditEntry entry_of(const Finding& finding, const Moment& moment) const;

    Options options_;
    const Audit& audit_;
    Acknowledgements acknowledgements_;
    const Books* kind_;
    wal::Table branches_;
    wal::Table coordinators_;
};

/// True of a finding against a coordinator's log.
bool is_of_comparison(const Finding& finding);

}  // namespace twophase::participants
