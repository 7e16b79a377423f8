// recoveryctl audit: a participant's audit log, listed, exported and checked.
#pragma once

#include "recovery/recoveryctl/audit_source.hpp"
#include "recovery/recoveryctl/commands.hpp"
#include "recovery/recoveryctl/failure.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace twophase::recoveryctl {

/// Newest first; a limit of 0 is none.
Exit list_audit(AuditSource& source,
                const AuditFilter& filter,
                std::size_t limit,
                const Output& output);
/// NDJSON, oldest first, each with its hashes. `to`: a file, which appears when it is whole, or
/// "-".
Exit export_audit(AuditSource& source, const std::string& to, const Output& output);
/// Exit::findings when the chain is broken.
Exit verify_audit(AuditSource& source, const Output& output);

/// The API's text of a time in RFC 3339, or of the beginning of a day in UTC, as 2026-01-31;
/// nothing when it is neither.
std::optional<std::string> time_of(const std::string& text);

}  // namespace twophase::recoveryctl
