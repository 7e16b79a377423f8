// A participant's audit log, whether the participant runs (over HTTP) or is stopped (its store).
#pragma once

#include "http/json.hpp"
#include "recovery/recoveryctl/source.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace twophase::recoveryctl {

/// As of `GET /v1/audit`; empty: any.
struct AuditFilter {
    std::string user_id;
    std::string business_code;
    std::string business_id;
    std::string gid;
    std::string from;
    std::string to;
};

/// Answers are the JSON of the participant's API. All throw Failure.
class AuditSource {
public:
    AuditSource() = default;
    virtual ~AuditSource() = default;
    AuditSource(const AuditSource&) = delete;
    AuditSource& operator=(const AuditSource&) = delete;

    /// {items, next}, newest first, below `before` (empty: all).
    virtual Json list(const AuditFilter& filter, const std::string& before, std::size_t limit) = 0;
    virtual ExportPage export_page(const std::string& after) = 0;
    /// {entries, hash, findings}
    virtual Json verify(const Progress& progress) = 0;
};

/// Asks the participant at `url`: http://host:port, or file:/path of its address file.
std::unique_ptr<AuditSource> running_audit(const std::string& url);

/// Owns the store of a stopped participant of any kind: lock, barrier, then it reads.
/// `any_filesystem`: for tests.
std::unique_ptr<AuditSource> stopped_audit(const std::string& directory, bool any_filesystem);

}  // namespace twophase::recoveryctl
