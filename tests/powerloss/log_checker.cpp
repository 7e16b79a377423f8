#include "tests/powerloss/log_checker.hpp"

#include "tests/powerloss/appended.hpp"
#include "tests/powerloss/capture.hpp"
#include "wal/log.hpp"

#include <algorithm>
#include <vector>

namespace twophase::powerloss {
namespace {

using namespace wal;

constexpr std::size_t checker_map_bytes = std::size_t{16} << 20;
// More than any recording has: a damaged tree may have no end.
constexpr std::size_t most_transactions = 5'000;

std::string text(std::uint64_t number) { return std::to_string(number); }

/// What is wrong with one transaction, given how many jobs are there.
std::string fault_of(const StoredTransaction& transaction, std::uint64_t jobs) {
    const std::uint64_t number = number_of(transaction.gid);
    const std::string name = "transaction " + text(number) + ": ";
    const bool is_finished = number + unfinished_jobs < jobs;
    if (!transaction.damage.empty()) return name + transaction.damage;
    if (transaction.is_finished != is_finished) return name + "its end is not there with its job";
    if (transaction.records.size() != (is_finished ? 3 : 2))
        return name + "a record too many or few";
    for (const StoredRecord& record : transaction.records)
        if (record.payload != payload_of(number, record.n)) return name + "another payload";
    return {};
}

std::string fault_of_unfinished(const Log& log, std::uint64_t jobs) {
    std::vector<StoredTransaction> all;
    if (log.each_unfinished([&](const StoredTransaction& each) { all.push_back(each); }) != 0)
        return "unfinished entries without a gid";
    if (all.size() != std::min(jobs, unfinished_jobs))
        return text(all.size()) + " unfinished transactions of " + text(jobs) + " jobs";
    for (const StoredTransaction& transaction : all)
        if (!transaction.damage.empty()) return "needs attention: " + transaction.damage;
    return {};
}

}  // namespace

void LogChecker::note(const std::string& note) {
    const std::size_t space = note.find(' ');
    const std::string word = note.substr(0, space);
    const std::uint64_t number = std::stoull(note.substr(space + 1));
    if (word == opened_note) epoch_ = std::max(epoch_, number);
    if (word == durable_note) jobs_ = std::max(jobs_, number + 1);
    if (word == forgotten_note) forgotten_ += number;
}

Verdict LogChecker::check(const std::filesystem::path& root) const try {
    const Log log(appender_options(root / "log", checker_map_bytes), at_once());
    const std::uint64_t epoch = log.store().epoch();
    Capture::instance().note(note_of(opened_note, epoch));
    if (epoch <= epoch_) return {"epoch " + text(epoch) + " after " + text(epoch_)};

    const auto there = log.walk(std::nullopt, most_transactions);
    const std::uint64_t first = there.empty() ? 0 : number_of(there.front().gid);
    const std::uint64_t jobs = first + there.size();
    if (jobs < jobs_) return {"lost: " + text(jobs) + " jobs are there, promised " + text(jobs_)};
    if (first < forgotten_) return {"back again: " + text(first) + " after " + text(forgotten_)};
    for (std::uint64_t i = 0; i < there.size(); ++i) {
        if (there[i].gid != gid_of(first + i)) return {"a gap before " + text(first + i)};
        if (const auto fault = fault_of(there[i], jobs); !fault.empty()) return {fault};
    }
    if (const auto fault = fault_of_unfinished(log, jobs); !fault.empty()) return {fault};
    std::string fault;
    log.verify([&](const std::string& finding) { fault += "verify: " + finding + "; "; }, {});
    return {fault};
} catch (const StoreError& error) {
    if (epoch_ > 0) return {"does not open: " + std::string(error.what())};
    return {.fault = "", .is_refused = true};
}

}  // namespace twophase::powerloss
