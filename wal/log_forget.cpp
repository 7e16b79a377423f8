// Forgetting: what is finished and older than the retention goes, with its business key.
#include "wal/log.hpp"
#include "wal/log_keys.hpp"
#include "wal/log_records.hpp"
#include "wal/sealed.hpp"

#include <memory>
#include <utility>

namespace twophase::wal {
namespace {

// Damaged transactions stay at the head of the index; a call steps over so many.
constexpr std::size_t most_damaged_visited = 1000;

}  // namespace

void Log::forget(std::size_t limit, std::function<void(std::size_t)> then) {
    auto forgotten = std::make_shared<std::size_t>(0);
    Job job{.work = [this, limit, forgotten](Unit& unit) { *forgotten = forget_old(unit, limit); },
            .then =
                [forgotten, then = std::move(then)](Written) {
                    if (then) then(*forgotten);
                },
            .urgency = Urgency::lazy,
            .label = "forgotten"};
    store_->submit(std::move(job));
}

std::size_t Log::forget_old(Unit& unit, std::size_t limit) const {
    const std::uint64_t now = store_->running_seconds();
    const auto retention = static_cast<std::uint64_t>(options_.retention.count());
    if (now < retention) return 0;
    // Keys are (seconds, gid): all those below this one finished `retention` ago or earlier.
    const std::string bound = finished_key(now - retention + 1, Gid{});
    std::vector<std::pair<std::string, std::string>> old;
    unit.scan(tables_.finished, "", bound, [&](std::string_view key, std::string_view value) {
        old.emplace_back(key, value);
        return old.size() < limit + most_damaged_visited;
    });
    std::size_t forgotten = 0;
    for (const auto& [key, value] : old) {
        if (forgotten == limit) break;
        if (forget_one(unit, key, value)) ++forgotten;
    }
    return forgotten;
}

// False for what is damaged: it stays until a person has looked at it.
bool Log::forget_one(Unit& unit, std::string_view key, std::string_view value) const {
    const auto finished = to_finished_key(key);
    const auto business = unseal(key, value);
    if (!finished || !business) return false;
    const Gid& gid = finished->gid;
    RecordCheck check(gid);
    std::vector<std::string> records;
    unit.scan(tables_.records,
              bytes_of(gid),
              above_records(gid),
              [&](std::string_view record, std::string_view frame) {
                  check.add(record, frame);
                  records.emplace_back(record);
                  return true;
              });
    const auto entry = unit.get(tables_.business_keys, *business);
    if (!std::move(check).take().damage.empty() || !entry) return false;
    const BusinessEntry owner = to_business_entry(*business, *entry);
    if (owner.damaged || owner.gid != gid) return false;
    for (const std::string& record : records) unit.erase(tables_.records, record);
    unit.erase(tables_.business_keys, *business);
    unit.erase(tables_.finished, key);
    // Nothing was minted at the ceiling or above: an id from there is one that a person settled, of
    // a log that was lost, and says nothing of ours.
    const std::uint64_t below = order_at(gid_ceiling());
    if (order_of(gid) < below) Store::raise(unit, *store_, highest_forgotten, order_of(gid));
    return true;
}

}  // namespace twophase::wal
