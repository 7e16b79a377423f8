#include "coordinator/log_entries.hpp"

#include "coordinator/record_codec.hpp"

#include <utility>

namespace twophase::coordinator {

wal::BusinessKey to_wal(const BusinessKey& key) {
    return {std::string(key.code), std::string(key.id), key.attempt};
}

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

std::vector<std::vector<Append>> by_transaction(std::vector<Append> appends) {
    std::vector<std::vector<Append>> grouped;
    for (Append& append : appends) {
        const bool is_next =
            !grouped.empty() && gid_of(grouped.back().front().record) == gid_of(append.record);
        if (!is_next) grouped.emplace_back();
        grouped.back().push_back(std::move(append));
    }
    return grouped;
}

}  // namespace twophase::coordinator
