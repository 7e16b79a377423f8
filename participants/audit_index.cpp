#include "participants/audit_index.hpp"

#include "http/json.hpp"
#include "participants/record.hpp"
#include "wal/bytes.hpp"

#include <algorithm>
#include <utility>

namespace twophase::participants::audit_index {
namespace {

constexpr unsigned position_bits = 16;
constexpr std::size_t row_bytes = 8;

/// FNV-1a, then a mixing of its bits. Stored, so never to be changed.
std::uint64_t hash(char kind, std::string_view text) {
    std::uint64_t value = 14'695'981'039'346'656'037U;
    const auto add = [&](char c) {
        value = (value ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
    };
    add(kind);
    for (const char c : text) add(c);
    value ^= value >> 32;
    value *= 0x9E37'79B9'7F4A'7C15U;
    return value >> position_bits << position_bits;
}

std::uint64_t of_escaped_key(std::string_view code, std::string_view id) {
    return hash('b', std::string(code) + '\0' + std::string(id));
}

/// As it stands between the quotes in an entry.
std::string escaped(std::string_view text) {
    const std::string quoted = http::dump_replacing(http::Json(text));
    return quoted.substr(1, quoted.size() - 2);
}

/// The text member `name` as it stands between its quotes; empty when there is none. Entries are
/// compact, and what they tell of a text nobody can make look like a member.
std::string_view member(std::string_view entry, std::string_view name) {
    const std::size_t at = entry.find(name);
    if (at == std::string_view::npos) return {};
    const std::size_t begin = at + name.size();
    std::size_t end = begin;
    while (end < entry.size() && entry[end] != '"') end += entry[end] == '\\' ? 2 : 1;
    return entry.substr(begin, std::min(end, entry.size()) - begin);
}

std::uint64_t row_at(std::string_view block, std::size_t i) {
    return wal::read_number<std::uint64_t>(block.substr(i * row_bytes, row_bytes));
}

}  // namespace

std::uint64_t of_gid(std::string_view gid) { return hash('g', escaped(gid)); }

std::uint64_t of_user(std::string_view user_id) { return hash('u', escaped(user_id)); }

std::uint64_t of_business_key(std::string_view code, std::string_view id) {
    return of_escaped_key(escaped(code), escaped(id));
}

void Block::add(std::uint64_t number, std::string_view entry) {
    const std::uint64_t position = number - first_in(block_of(number));
    const std::string_view gid = member(entry, R"("gid":")");
    const std::string_view user_id = member(entry, R"("user_id":")");
    const std::string_view code = member(entry, R"("business_code":")");
    if (!gid.empty()) rows_.push_back(hash('g', gid) | position);
    if (!user_id.empty()) rows_.push_back(hash('u', user_id) | position);
    if (!code.empty())
        rows_.push_back(of_escaped_key(code, member(entry, R"("business_id":")")) | position);
}

std::string Block::take() {
    std::ranges::sort(rows_);
    std::string block;
    block.reserve(rows_.size() * row_bytes);
    for (const std::uint64_t row : rows_) wal::append_number(block, row);
    rows_.clear();
    return block;
}

void write_block(wal::Unit& unit, wal::Table audit, wal::Table index, std::uint64_t last) {
    if (last % block_entries != 0) return;
    Block block;
    unit.scan(audit,
              key_of(first_in(block_of(last))),
              key_of(last + 1),
              [&](std::string_view key, std::string_view entry) {
                  block.add(number_in(key), entry);
                  return true;
              });
    unit.put(index, key_of(block_of(last)), block.take());
}

std::optional<std::vector<std::uint64_t>> find(const wal::Reader& reader,
                                               wal::Table index,
                                               std::uint64_t block,
                                               std::uint64_t what) {
    const auto rows = reader.get(index, key_of(block));
    if (!rows) return std::nullopt;
    std::size_t low = 0;
    std::size_t high = rows->size() / row_bytes;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (row_at(*rows, middle) < what)
            low = middle + 1;
        else
            high = middle;
    }
    std::vector<std::uint64_t> numbers;
    for (; low < rows->size() / row_bytes; ++low) {
        const std::uint64_t row = row_at(*rows, low);
        if (row >> position_bits != what >> position_bits) break;
        numbers.push_back(first_in(block) + (row & ((1U << position_bits) - 1)));
    }
    return numbers;
}

}  // namespace twophase::participants::audit_index
