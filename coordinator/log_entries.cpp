#include "coordinator/log_entries.hpp"

#include "coordinator/record_codec.hpp"

namespace twophase::coordinator {

wal::BusinessKey to_wal(const BusinessKey& key) { return {key.code, key.id, key.attempt}; }

wal::Entry to_entry(const Append& append, std::int64_t at) {
    wal::Entry entry{.gid = gid_of(append.record),
                     .n = append.n,
                     .payload = encode(append.record, at),
                     .starts = std::nullopt,
                     .finishes = std::holds_alternative<Finished>(append.record),
                     .label = name_of(append.record)};
    if (const auto* started = std::get_if<Started>(&append.record))
        entry.starts = {to_wal(started->key), started->gid, started->fingerprint};
    if (const auto* finished = std::get_if<Finished>(&append.record))
        entry.is_kept = finished->is_heuristic;
    return entry;
}

}  // namespace twophase::coordinator
