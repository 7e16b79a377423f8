// The start after a stop: every unfinished transaction's records into a core, as live ones go.
#pragma once

#include "wal/log.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace twophase::recovery {

/// What a fold found.
struct FoldReport {
    std::size_t transactions = 0;
    std::size_t records = 0;
    std::vector<std::string> set_aside;  // a sentence for each, naming the gid where it is known
    /// Entries whose gid can't be told: until a person looked, no unknown gid may be presumed.
    std::size_t unnamed = 0;
};

/// Folds the log's unfinished transactions into `core`, which has apply(record) -> why not, and
/// set_aside(gid, damage). `decode` turns a payload into a Result of a record. One damaged
/// transaction holds up itself alone: it is set aside, named, and the rest goes on.
template <class Core, class Decode, class Name>
FoldReport fold_at_start(const wal::Log& log, Core& core, const Decode& decode, const Name& name) {
    FoldReport report;
    report.unnamed = log.each_unfinished([&](const wal::StoredTransaction& stored) {
        ++report.transactions;
        std::string damage = stored.damage;
        for (const wal::StoredRecord& record : stored.records) {
            if (!damage.empty()) break;
            ++report.records;
            auto decoded = decode(stored.gid, record.payload);
            damage = decoded ? core.apply(*decoded) : decoded.error();
        }
        if (damage.empty()) return;
        core.set_aside(stored.gid, damage);
        report.set_aside.push_back(name(stored.gid) + ": " + damage);
    });
    return report;
}

}  // namespace twophase::recovery
