#include "wal/log_keys.hpp"

#include "wal/bytes.hpp"
#include "wal/sealed.hpp"

#include <algorithm>
#include <cassert>

namespace twophase::wal {
namespace {

constexpr std::size_t most_text_bytes = 128;
constexpr std::size_t attempt_bytes = sizeof(std::uint32_t);

bool is_valid_text(std::string_view text) {
    return !text.empty() && text.size() <= most_text_bytes;
}

void append_text(std::string& to, std::string_view text) {
    append_number(to, static_cast<std::uint8_t>(text.size()));
    to.append(text);
}

std::optional<std::string> take_text(std::string_view& from) {
    if (from.empty()) return {};
    const std::size_t size = read_number<std::uint8_t>(from);
    if (from.size() <= size) return {};
    std::string text(from.substr(1, size));
    from.remove_prefix(1 + size);
    return text;
}

}  // namespace

std::string_view bytes_of(const Gid& gid) {
    return {reinterpret_cast<const char*>(gid.data()), gid.size()};
}

std::uint64_t order_of(const Gid& gid) {
    return read_number<std::uint64_t>(bytes_of(gid).substr(0, sizeof(std::uint64_t)));
}

std::uint64_t order_at(std::uint64_t milliseconds) { return milliseconds << 16; }

Gid last_of_order(std::uint64_t order) {
    Gid gid{};
    gid.fill(0xff);
    for (int i = 7; i >= 0; --i, order >>= 8) gid.at(i) = static_cast<std::uint8_t>(order);
    gid[8] = 0xbf;  // the variant of RFC 9562
    return gid;
}

std::optional<Gid> to_gid(std::string_view bytes) {
    Gid gid{};
    if (bytes.size() != gid.size()) return {};
    std::ranges::copy(bytes, gid.begin());
    return gid;
}

std::string to_text(const Gid& gid) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : gid) {
        text.push_back(digits[byte >> 4]);
        text.push_back(digits[byte & 15]);
    }
    return text;
}

std::string record_key(const Gid& gid, std::uint32_t n) {
    std::string key(bytes_of(gid));
    append_number(key, n);
    return key;
}

std::string above_records(const Gid& gid) {
    Gid next = gid;
    for (auto byte = next.rbegin(); byte != next.rend(); ++byte)
        if (++*byte != 0) return std::string(bytes_of(next));
    return {};
}

std::string finished_key(std::uint64_t finished_at, const Gid& gid) {
    std::string key;
    append_number(key, finished_at);
    key.append(bytes_of(gid));
    return key;
}

std::optional<FinishedKey> to_finished_key(std::string_view bytes) {
    if (bytes.size() < sizeof(std::uint64_t)) return {};
    const auto gid = to_gid(bytes.substr(sizeof(std::uint64_t)));
    if (!gid) return {};
    return FinishedKey{.finished_at = read_number<std::uint64_t>(bytes), .gid = *gid};
}

bool is_valid(const BusinessKey& key) { return is_valid_text(key.code) && is_valid_text(key.id); }

std::string business_prefix(std::string_view code, std::string_view id) {
    std::string prefix;
    append_text(prefix, code);
    append_text(prefix, id);
    return prefix;
}

std::string business_key(const BusinessKey& key) {
    assert(is_valid(key));
    std::string bytes = business_prefix(key.code, key.id);
    append_number(bytes, key.attempt);
    return bytes;
}

std::optional<BusinessKey> to_business_key(std::string_view bytes) {
    const auto code = take_text(bytes);
    const auto id = code ? take_text(bytes) : std::nullopt;
    if (!id || bytes.size() != attempt_bytes) return {};
    BusinessKey key{.code = *code, .id = *id, .attempt = read_number<std::uint32_t>(bytes)};
    if (!is_valid(key)) return {};
    return key;
}

std::string business_value(std::string_view key_bytes, const BusinessEntry& entry) {
    std::string value(bytes_of(entry.gid));
    value.append(reinterpret_cast<const char*>(entry.fingerprint.data()), entry.fingerprint.size());
    return seal(key_bytes, std::move(value));
}

BusinessEntry to_business_entry(std::string_view key_bytes, std::string_view value) {
    BusinessEntry entry;
    const auto key = to_business_key(key_bytes);
    if (key) entry.key = *key;
    const auto whole = unseal(key_bytes, value);
    entry.damaged = !key || !whole || whole->size() != entry.gid.size() + entry.fingerprint.size();
    if (entry.damaged) return entry;
    std::ranges::copy(whole->substr(0, entry.gid.size()), entry.gid.begin());
    std::ranges::copy(whole->substr(entry.gid.size()), entry.fingerprint.begin());
    return entry;
}

}  // namespace twophase::wal
