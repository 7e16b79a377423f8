// The coordinator's log: every record decoded and folded.
#include "coordinator/log_entries.hpp"
#include "coordinator/record_codec.hpp"
#include "tests/powerloss/appended.hpp"
#include "tests/powerloss/stored_books.hpp"
#include "wal/log.hpp"

#include <unordered_map>

namespace twophase::powerloss {
namespace {

using coordinator::Folded;

// More than any recording has: a damaged tree may have no end.
constexpr std::size_t most_transactions = 5'000;

struct FoldedOrFault {
    Folded folded;
    std::string fault;
};

FoldedOrFault fold(const wal::StoredTransaction& stored) {
    FoldedOrFault result;
    for (const wal::StoredRecord& record : stored.records) {
        const auto stamped = coordinator::decode(stored.gid, record.payload);
        result.fault = stamped ? result.folded.fold(stamped->record) : stamped.error();
        if (!result.fault.empty()) return result;
    }
    if (result.folded.is_finished != stored.is_finished) result.fault = "its end is half there";
    return result;
}

/// Images have most transactions in common, and decoding is what costs.
const FoldedOrFault& fold_once(const wal::StoredTransaction& stored) {
    static std::unordered_map<std::string, FoldedOrFault> folds;
    std::string key(stored.gid.begin(), stored.gid.end());
    key += stored.is_finished ? 'f' : 'u';
    for (const wal::StoredRecord& record : stored.records) key.append(record.payload) += '\n';
    const auto found = folds.find(key);
    if (found != folds.end()) return found->second;
    return folds.emplace(std::move(key), fold(stored)).first->second;
}

std::string fault_of_business_key(const wal::Log& log,
                                  const std::string& gid,
                                  const Folded& folded) {
    const auto entry = log.find(coordinator::to_wal(folded.started.key));
    if (!entry || entry->damaged) return "the business key is not taken";
    if (coordinator::to_text(entry->gid) != gid) return "the business key is another's";
    return {};
}

std::string fault_of_indexes(const wal::Log& log) {
    if (log.each_unfinished([](const wal::StoredTransaction&) {}) != 0)
        return "unfinished entries without a gid";
    std::string fault;
    log.verify([&](const std::string& finding) { fault += finding + "; "; }, {});
    return fault;
}

}  // namespace

LogBooks read_log(const std::filesystem::path& store) {
    const wal::Log log({.store = {.directory = store,
                                  .id = "main",
                                  .node = 1,
                                  .map_bytes = std::size_t{64} << 20,
                                  .any_filesystem = true}},
                       at_once());
    LogBooks books{.epoch = log.store().epoch(), .gid_ceiling = log.gid_ceiling()};
    books.fault = fault_of_indexes(log);
    for (const auto& stored : log.walk(std::nullopt, most_transactions)) {
        const std::string gid = coordinator::to_text(stored.gid);
        const FoldedOrFault& result = fold_once(stored);
        std::string fault = stored.damage.empty() ? result.fault : stored.damage;
        if (fault.empty()) fault = fault_of_business_key(log, gid, result.folded);
        if (!fault.empty()) books.fault += gid + ": " + fault + "; ";
        books.gids.emplace(result.folded.started.key.id, gid);
        books.transactions.emplace(gid, result.folded);
    }
    return books;
}

}  // namespace twophase::powerloss
