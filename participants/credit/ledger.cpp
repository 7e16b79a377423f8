#include "participants/credit/ledger.hpp"

#include "participants/record.hpp"

#include <utility>

namespace twophase::participants::credit {
namespace {

constexpr std::size_t most_passed_over = 5'000;  // by one page, on the loop

std::string prefix_of(std::string_view account) { return std::string(account) + "/"; }

std::string earlier_key(std::string_view account, std::uint64_t id) {
    return prefix_of(account) + key_of(id);
}

void add(std::int64_t& sum, std::int64_t amount) {
    sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) +
                                    static_cast<std::uint64_t>(amount));
}

}  // namespace

const char* to_string(EntryKind kind) {
    switch (kind) {
        case EntryKind::grant: return "grant";
        case EntryKind::deduct: return "deduct";
        case EntryKind::add: return "add";
        case EntryKind::compensation: return "compensation";
        case EntryKind::adjustment: return "adjustment";
    }
    return "";
}

Ledger::Ledger(const TableOf& table_of)
    : ledger_(table_of("ledger")), earlier_(table_of("entries")) {}

void Ledger::append(wal::Unit& unit, const Entry& entry) const {
    write(unit, ledger_, key_of(entry.entry_id), entry);
}

/// The entry `id`, which another one or the account names as `account`'s.
Entry Ledger::linked(const Rows& rows, std::string_view account, std::uint64_t id) const {
    auto entry = read<Entry>(rows, ledger_, key_of(id));
    // A link goes back in time, so that no damage makes a ring of them.
    if (!entry || entry->account != account || entry->previous >= id)
        throw DamagedRecord(key_of(id));
    return *std::move(entry);
}

/// Where to begin a page below `before`. That is a page's `next` as a rule: an entry of this
/// account, which knows the one before it.
std::uint64_t Ledger::start_below(const wal::Reader& reader,
                                  std::string_view account,
                                  std::uint64_t last,
                                  std::uint64_t before) const {
    wal::Cursor first = reader.cursor(ledger_);
    if (!first.first() || before <= number_in(first.key())) return 0;
    const auto known = read<Entry>(reader, ledger_, key_of(before));
    return known && known->account == account ? known->previous : last;
}

Ledger::Page Ledger::list(const wal::Reader& reader,
                          std::string_view account,
                          std::uint64_t last,
                          std::optional<std::uint64_t> before,
                          std::size_t limit) const {
    Page page;
    const Rows rows(reader);
    std::size_t passed_over = 0;
    std::uint64_t lowest = 0;  // that this page is past
    const auto is_full = [&] {
        const bool ends = page.items.size() == limit || passed_over == most_passed_over;
        if (ends) page.next = lowest;
        return ends;
    };
    std::uint64_t id = before ? start_below(reader, account, last, *before) : last;
    while (id != 0) {
        if (is_full()) return page;
        Entry entry = linked(rows, account, id);
        lowest = id;
        id = entry.previous;
        if (before && entry.entry_id >= *before)
            ++passed_over;
        else
            page.items.push_back(std::move(entry));
    }
    const std::string prefix = prefix_of(account);
    wal::Cursor cursor = reader.cursor(earlier_);
    bool is_there = cursor.seek_before(before ? earlier_key(account, *before) : end_of(prefix));
    for (; is_there && cursor.key().starts_with(prefix); is_there = cursor.previous()) {
        if (is_full()) return page;
        page.items.push_back(decode<Entry>(cursor.key(), cursor.value()));
        lowest = page.items.back().entry_id;
    }
    return page;
}

Ledger::Sum Ledger::sum(const Rows& rows, std::string_view account, std::uint64_t last) const {
    Sum sum;
    const auto count = [&](const Entry& entry) {
        add(sum.amount, entry.amount);
        ++sum.entries;
        return true;
    };
    for (std::uint64_t id = last; id != 0;) {
        const Entry entry = linked(rows, account, id);
        count(entry);
        id = entry.previous;
    }
    const std::string prefix = prefix_of(account);
    rows.scan(earlier_, prefix, end_of(prefix), [&](std::string_view key, std::string_view value) {
        return count(decode<Entry>(key, value));
    });
    return sum;
}

}  // namespace twophase::participants::credit
