#include "participants/audit.hpp"

#include "http/json.hpp"
#include "participants/audit_index.hpp"
#include "participants/record.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace twophase::participants {
namespace {

using http::Json;

// What one page may look at, on the loop: a few milliseconds.
constexpr std::size_t most_passed_over = 2'000;
constexpr std::size_t most_blocks = 2'000;
constexpr std::int64_t clock_slack = 2'000'000;  // microseconds that a clock may be set back by

struct Head {
    std::uint64_t seq = 0;
    std::string hash;
    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.seq);
        visit(self.hash);
    }
};
constexpr std::string_view head_key = "audit head";

/// Writes the members of one object by hand, in the order of their names, as Json's dump would:
/// this runs for every message on the writer's thread, where a tree of nodes is felt.
class ObjectText {
public:
    void text(std::string_view name, std::string_view value) {
        open(name);
        const bool is_plain = std::all_of(value.begin(), value.end(), [](unsigned char c) {
            return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        });
        if (is_plain)
            text_.append("\"").append(value).append("\"");
        else
            text_ += http::dump_replacing(Json(value));  // a header may hold any bytes
    }
    void number(std::string_view name, std::int64_t value) { raw(name, std::to_string(value)); }
    void raw(std::string_view name, std::string_view json) {
        open(name);
        text_ += json.empty() ? "null" : json;
    }
    std::string close() && { return std::move(text_) + "}"; }

private:
    void open(std::string_view name) {
        text_.append(text_.size() > 1 ? ",\"" : "\"").append(name).append("\":");
    }
    std::string text_ = "{";
};

/// Everything but the two hashes, sorted by name.
std::string canonical(const AuditEntry& entry, std::uint64_t seq) {
    ObjectText object;
    object.text("actor", entry.origin.actor);
    object.raw("after_state", entry.change.after_state);
    object.number("amount", entry.change.amount);
    object.raw("before_state", entry.change.before_state);
    object.text("branch_id", entry.branch_id);
    object.text("business_code", entry.business_code);
    object.text("business_id", entry.business_id);
    object.text("code", entry.code);
    if (!entry.detail.empty()) object.raw("detail", entry.detail);
    object.text("gid", entry.gid);
    object.text("ip", entry.origin.ip);
    object.text("operation", entry.operation);
    object.text("request_id", entry.origin.request_id);
    object.number("seq", static_cast<std::int64_t>(seq));
    object.text("service", entry.service);
    object.raw("success", entry.success ? "true" : "false");
    object.number("timestamp", entry.timestamp);
    object.text("transaction_id", entry.change.transaction_id);
    object.text("user_id", entry.change.user_id);
    object.text("verb", entry.verb);
    return std::move(object).close();
}

/// Finds a member in the text of an entry, without making a tree of it: entries are written by
/// canonical() alone, and what it writes of a text nobody can make look like a member.
class MemberText {
public:
    MemberText(std::string_view name, const std::string& value)
        : text_(value.empty()
                    ? ""
                    : "\"" + std::string(name) + "\":" + http::dump_replacing(Json(value))) {}
    bool is_in(std::string_view entry) const {
        return text_.empty() || entry.find(text_) != std::string_view::npos;
    }

private:
    std::string text_;  // empty: any
};

/// Of an entry's text; nothing where there is none.
std::optional<std::int64_t> timestamp_in(std::string_view entry) {
    constexpr std::string_view name = R"("timestamp":)";
    const std::size_t at = entry.find(name);
    if (at == std::string_view::npos) return std::nullopt;
    const char* const begin = entry.data() + at + name.size();
    std::int64_t time = 0;
    const auto [end, error] = std::from_chars(begin, entry.data() + entry.size(), time);
    if (error != std::errc()) return std::nullopt;
    return time;
}

/// All that a filter asks of an entry.
class Wanted {
public:
    explicit Wanted(const Audit::Filter& filter)
        : members_{MemberText("gid", filter.gid),
                   MemberText("user_id", filter.user_id),
                   MemberText("business_code", filter.business_code),
                   MemberText("business_id", filter.business_id)},
          from_(filter.from),
          to_(filter.to) {}

    bool fits(std::string_view entry) const {
        for (const MemberText& member : members_)
            if (!member.is_in(entry)) return false;
        if (!from_ && !to_) return true;
        const auto time = timestamp_in(entry);
        return time && (!from_ || *time >= *from_) && (!to_ || *time < *to_);
    }

private:
    MemberText members_[4];
    std::optional<std::int64_t> from_;
    std::optional<std::int64_t> to_;
};

std::string line_of(std::string_view entry, std::uint64_t number) {
    const bool is_one_line = entry.find('\n') == std::string_view::npos;
    if (is_one_line && Json::accept(entry)) return std::string(entry);
    const Json json = Json::parse(entry, nullptr, false);
    return http::dump_replacing(
        json.is_discarded() ? Json{{"seq", number}, {"unreadable", in_hex(entry)}} : json);
}

/// By halving: a number below which no entry is as young as `time`, as far as entries are in the
/// order of their times.
std::uint64_t first_since(const wal::Reader& reader, wal::Table audit, std::int64_t time) {
    wal::Cursor cursor = reader.cursor(audit);
    if (!cursor.last()) return 1;
    std::uint64_t low = 1;
    std::uint64_t high = number_in(cursor.key()) + 1;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const bool is_there = cursor.seek(key_of(middle));
        if (!is_there || timestamp_in(cursor.value()).value_or(time) >= time)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/// Walks down the numbers of entries that may fit a filter: through the index where something is
/// looked for, else one by one.
class Walk {
public:
    struct Tables {
        wal::Table audit;
        wal::Table index;
    };
    Walk(const wal::Reader& reader, Tables tables, const Audit::Filter& filter)
        : reader_(reader),
          tables_(tables),
          cursor_(reader.cursor(tables.audit)),
          below_(filter.before.value_or(std::numeric_limits<std::uint64_t>::max())) {
        if (filter.from) first_ = first_since(reader, tables.audit, *filter.from - clock_slack);
        if (filter.to)
            below_ = std::min(below_, first_since(reader, tables.audit, *filter.to + clock_slack));
        if (!filter.gid.empty())
            what_ = audit_index::of_gid(filter.gid);
        else if (!filter.business_code.empty() && !filter.business_id.empty())
            what_ = audit_index::of_business_key(filter.business_code, filter.business_id);
        else if (!filter.user_id.empty())
            what_ = audit_index::of_user(filter.user_id);
    }

    /// Nothing at the end, or where it has looked at enough: then is_tired().
    std::optional<std::uint64_t> next() {
        while (below_ > first_) {
            const std::uint64_t block = audit_index::block_of(below_ - 1);
            if (!what_ || !find_in(block)) return step();
            std::erase_if(found_, [&](auto number) { return number >= below_ || number < first_; });
            if (!found_.empty()) return below_ = found_.back();
            below_ = std::max(audit_index::first_in(block), first_);
            if (++blocks_ == most_blocks) return std::nullopt;
        }
        return std::nullopt;
    }
    bool is_tired() const { return blocks_ == most_blocks && below_ > first_; }
    /// Everything from here on was walked over.
    std::uint64_t below() const { return below_; }

private:
    /// False when the index has no such block.
    bool find_in(std::uint64_t block) {
        if (found_in_ == block) return true;
        auto found = audit_index::find(reader_, tables_.index, block, *what_);
        if (!found) return false;
        found_ = std::move(*found);
        found_in_ = block;
        return true;
    }

    std::optional<std::uint64_t> step() {
        const bool is_there = cursor_.seek_before(key_of(below_));
        below_ = is_there ? std::max(number_in(cursor_.key()), first_ - 1) : 0;
        if (below_ < first_) return std::nullopt;
        return below_;
    }

    const wal::Reader& reader_;
    Tables tables_;
    wal::Cursor cursor_;
    std::optional<std::uint64_t> what_;
    std::uint64_t first_ = 1;
    std::uint64_t below_;
    std::vector<std::uint64_t> found_;  // in the block found_in_, the oldest first
    std::optional<std::uint64_t> found_in_;
    std::size_t blocks_ = 0;
};

/// Compares the index's blocks with the entries, while these pass by in their order.
class IndexCheck {
public:
    IndexCheck(const wal::Reader& reader, wal::Table index) : reader_(reader), index_(index) {}

    void add(std::uint64_t number, std::string_view entry) {
        block_.add(number, entry);
        if (number % audit_index::block_entries != 0) return;
        const std::uint64_t block = audit_index::block_of(number);
        const auto stored = reader_.get(index_, key_of(block));
        const bool is_right = block_.take() == stored.value_or("");
        if (stored && !is_right && finding_.empty())
            finding_ = "the index of audit entries " +
                       std::to_string(audit_index::first_in(block)) + " to " +
                       std::to_string(number) + " was altered";
    }
    const std::string& finding() const { return finding_; }

private:
    const wal::Reader& reader_;
    wal::Table index_;
    audit_index::Block block_;
    std::string finding_;
};

}  // namespace

Audit::Audit(const TableOf& table_of)
    : audit_(table_of("audit")), numbers_(table_of("numbers")), index_(table_of("audit_index")) {}

std::vector<std::string> Audit::tables() { return {"audit", "audit_index", "numbers"}; }

void Audit::append(wal::Unit& unit, const AuditEntry& entry) const {
    Head head = read<Head>(unit, numbers_, head_key).value_or(Head{});
    ++head.seq;
    std::string text = canonical(entry, head.seq);
    const std::string previous = std::exchange(head.hash, sha256(head.hash + text));
    text.pop_back();
    text += R"(,"previous_hash":")" + previous + R"(","hash":")" + head.hash + "\"}";
    unit.put(audit_, key_of(head.seq), std::move(text));
    write(unit, numbers_, head_key, head);
    audit_index::write_block(unit, audit_, index_, head.seq);
}

AuditHead Audit::head(const wal::Reader& reader) const {
    Head head = read<Head>(reader, numbers_, head_key).value_or(Head{});
    return {.count = head.seq, .hash = std::move(head.hash)};
}

Audit::Page Audit::list(const wal::Reader& reader, const Filter& filter) const {
    Page page;
    const Wanted wanted(filter);
    Walk walk(reader, {.audit = audit_, .index = index_}, filter);
    std::size_t passed_over = 0;
    while (const auto number = walk.next()) {
        if (page.items.size() == filter.limit || passed_over == most_passed_over) {
            page.next = *number + 1;
            return page;
        }
        const auto entry = reader.get(audit_, key_of(*number));
        if (entry && wanted.fits(*entry) && Json::accept(*entry))
            page.items.emplace_back(*entry);
        else
            ++passed_over;
    }
    if (walk.is_tired()) page.next = walk.below();
    return page;
}

Audit::Lines Audit::export_lines(const wal::Reader& reader,
                                 std::uint64_t after,
                                 std::size_t most,
                                 std::size_t most_bytes) const {
    Lines lines{.text = {}, .last = after};
    wal::Cursor cursor = reader.cursor(audit_);
    std::size_t count = 0;
    for (bool is_there = cursor.seek(key_of(after + 1)); is_there; is_there = cursor.next()) {
        if (count == most || lines.text.size() >= most_bytes) {
            lines.is_end = false;
            break;
        }
        lines.last = number_in(cursor.key());
        lines.text += line_of(cursor.value(), lines.last) + "\n";
        ++count;
    }
    return lines;
}

std::optional<std::string> Audit::verify(const wal::Reader& reader,
                                         const std::function<void(std::uint64_t)>& progress) const {
    try {
        const AuditHead counted = head(reader);
        AuditChain chain(counted);
        IndexCheck index(reader, index_);
        wal::Cursor cursor = reader.cursor(audit_);
        for (bool is_there = cursor.first(); is_there; is_there = cursor.next()) {
            chain.add(cursor.value());
            index.add(number_in(cursor.key()), cursor.value());
            if (progress && chain.count() % 10'000 == 0) progress(chain.count());
        }
        if (auto broken = chain.finish()) return broken;
        if (chain.count() > counted.count)
            return "audit entry " + std::to_string(counted.count + 1) +
                   " was added by another hand: the store counts " + std::to_string(counted.count);
        if (!index.finding().empty()) return index.finding();
    } catch (const DamagedRecord& damage) {
        return std::string("the audit's count: ") + damage.what();
    }
    return std::nullopt;
}

}  // namespace twophase::participants
