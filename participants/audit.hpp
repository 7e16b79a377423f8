// The audit log: who asked for what, what came of it, each entry bound to the one before by a hash.
#pragma once

#include "participants/audit_chain.hpp"
#include "participants/messages.hpp"
#include "participants/resource.hpp"
#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
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
    static std::vector<std::string> tables();

    void append(wal::Unit& unit, const AuditEntry& entry) const;

    /// Empty texts and absent numbers: any. A business key needs both of its halves.
    struct Filter {
        std::string gid;
        std::string user_id;
        std::string business_code;
        std::string business_id;
        std::optional<std::int64_t> from;  // timestamps, this one included
        std::optional<std::int64_t> to;    // this one excluded
        std::optional<std::uint64_t> before;
        std::size_t limit = 100;
    };
    struct Page {
        std::vector<std::string> items;  // JSON, newest first
        std::optional<std::uint64_t> next;
    };
    /// A transaction, user or business key is looked for in the index (audit_index.hpp), a time by
    /// halving. What a page costs is bounded, so that it may hold fewer than `limit` although there
    /// are more from `next` on. Times miss nothing as long as the wall clock was never set back by
    /// more than two seconds, and may else leave out entries from around such a step.
    Page list(const wal::Reader& reader, const Filter& filter) const;

    struct Lines {
        std::string text;        // NDJSON, oldest first
        std::uint64_t last = 0;  // the last one's number, or `after`
        bool is_end = true;
    };
    /// At most `most` entries behind number `after`, as they are stored, and about `most_bytes`.
    /// One that is no JSON becomes {"seq", "unreadable"} in hex.
    Lines export_lines(const wal::Reader& reader,
                       std::uint64_t after,
                       std::size_t most,
                       std::size_t most_bytes) const;

    /// Throws DamagedRecord.
    AuditHead head(const wal::Reader& reader) const;

    /// The first thing wrong with chain, count or index as text, walking `reader` from the first
    /// entry; nothing when all is whole. `progress` gets the number of entries now and then.
    std::optional<std::string> verify(
        const wal::Reader& reader,
        const std::function<void(std::uint64_t entries)>& progress = {}) const;

private:
    wal::Table audit_;
    wal::Table numbers_;
    wal::Table index_;
};

}  // namespace twophase::participants
