// The audit log: who asked for what, what came of it, each entry bound to the one before by a hash.
#pragma once

#include "participants/messages.hpp"
#include "participants/resource.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants {

struct AuditEntry {
    std::string service;    // the participant's name
    std::string operation;  // "deduct_credits", "grant", ...; empty where none is known
    std::string verb;       // of a branch's message; empty for a direct call
    std::string business_code;
    std::string business_id;
    Origin origin;
    std::int64_t timestamp = 0;  // microseconds since 1970
    std::string gid;
    std::string branch_id;
    bool success = false;
    std::string code;  // of a refusal, the business code where there is one
    Change change;
    std::string detail;  // a JSON object with what only this operation tells; empty: nothing
};

/// Appends entries in the unit of the change that they tell of.
class Audit {
public:
    explicit Audit(const TableOf& table_of);

    void append(wal::Unit& unit, const AuditEntry& entry) const;

    struct Filter {
        std::string gid;      // empty: any
        std::string user_id;  // likewise
        std::optional<std::uint64_t> before;
        std::size_t limit = 100;
    };
    struct Page {
        std::vector<std::string> items;  // JSON, newest first
        std::optional<std::uint64_t> next;
    };
    /// Looks at a bounded number of entries, so a page may hold fewer than exist below `next`.
    Page list(const wal::Reader& reader, const Filter& filter) const;

    /// The first broken link as text, walking `reader` from the first entry; nothing when whole.
    std::optional<std::string> verify(const wal::Reader& reader) const;

private:
    wal::Table audit_;
    wal::Table numbers_;
};

/// SHA-256 in lower-case hex.
std::string sha256(std::string_view bytes);

}  // namespace twophase::participants
