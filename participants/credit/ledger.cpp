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

/// Whether the row under the cursor is an entry of `account`; a damaged one is nobody's here.
bool is_of(std::string_view account, const wal::Cursor& cursor) {
    try {
        return decode<Entry>(cursor.key(), cursor.value()).account == account;
    } catch (const DamagedRecord&) {
        return false;
    }
}

/// Where another entry would follow: then the page ends, and says where.
bool is_full(Ledger::Page& page, std::size_t limit) {
    if (page.items.size() < limit) return false;
    page.next = page.items.back().entry_id;
    return true;
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
Ledger::Start Ledger::start_below(const wal::Reader& reader,
                                  std::string_view account,
                                  std::uint64_t last,
                                  std::uint64_t before) const {
    if (before > last) return {.id = last, .next = {}};
    wal::Cursor cursor = reader.cursor(ledger_);
    bool is_there = cursor.seek(key_of(before)) && number_in(cursor.key()) == before;
    if (is_there && is_of(account, cursor))
        return {.id = decode<Entry>(cursor.key(), cursor.value()).previous, .next = {}};
    is_there = cursor.seek_before(key_of(before));
    for (std::size_t passed_over = 0; is_there; ++passed_over, is_there = cursor.previous()) {
        const std::uint64_t id = number_in(cursor.key());
        if (passed_over == most_passed_over) return {.id = 0, .next = id + 1};
        if (is_of(account, cursor)) return {.id = id, .next = {}};
    }
    return {};
}

Ledger::Page Ledger::list(const wal::Reader& reader,
                          std::string_view account,
                          std::uint64_t last,
                          std::optional<std::uint64_t> before,
                          std::size_t limit) const {
    Page page;
    const Rows rows(reader);
    const Start start = before ? start_below(reader, account, last, *before) : Start{last, {}};
    if (start.next) return {.items = {}, .next = start.next};
    for (std::uint64_t id = start.id; id != 0; id = page.items.back().previous) {
        if (is_full(page, limit)) return page;
        page.items.push_back(linked(rows, account, id));
    }
    const std::string prefix = prefix_of(account);
    wal::Cursor cursor = reader.cursor(earlier_);
    bool is_there = cursor.seek_before(before ? earlier_key(account, *before) : end_of(prefix));
    for (; is_there && cursor.key().starts_with(prefix); is_there = cursor.previous()) {
        if (is_full(page, limit)) return page;
        page.items.push_back(decode<Entry>(cursor.key(), cursor.value()));
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
