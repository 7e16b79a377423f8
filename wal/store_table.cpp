#include "wal/store_table.hpp"

#include "wal/bytes.hpp"
#include "wal/sealed.hpp"

#include <utility>

namespace twophase::wal {
namespace {

constexpr std::string_view identity_key = "identity";

std::string number_key(std::string_view name) { return "number/" + std::string(name); }

void append_text(std::string& to, std::string_view text) {
    append_number(to, static_cast<std::uint32_t>(text.size()));
    to.append(text);
}

std::string take_text(std::string_view& from) {
    const auto size = take_number<std::uint32_t>(from);
    std::string text(from.substr(0, size));
    from.remove_prefix(text.size());
    return text;
}

void check_version(std::string_view stored) {
    constexpr std::uint32_t highest_that_may_come = 1'000;
    const auto version =
        stored.size() < sizeof(std::uint32_t) ? 0 : read_number<std::uint32_t>(stored);
    if (version == 0 || version > highest_that_may_come)
        throw StoreError::refused("the store's identity is damaged; restore a backup");
    if (version != store_format_version)
        throw StoreError::refused(
            "the store has format version " + std::to_string(version) +
            ", this program reads and writes version " + std::to_string(store_format_version) +
            " only: start it with the program that wrote it, or give this one an empty directory");
}

void append_flag(std::string& to, bool flag) { append_number(to, static_cast<std::uint8_t>(flag)); }

bool take_flag(std::string_view& from) { return take_number<std::uint8_t>(from) != 0; }

StoreIdentity decode_identity(std::string_view stored) {
    // First and outside the checksum's reach: another version may have another checksum.
    check_version(stored);
    auto value = unseal(identity_key, stored);
    if (!value)
        throw StoreError::refused("the store's identity fails its checksum; restore a backup");
    StoreIdentity identity;
    take_number<std::uint32_t>(*value);
    identity.kind = take_text(*value);
    identity.id = take_text(*value);
    identity.node = take_number<std::uint16_t>(*value);
    identity.epoch = take_number<std::uint64_t>(*value);
    identity.is_backup = take_flag(*value);
    identity.was_restored = take_flag(*value);
    identity.log = take_token(*value);
    for (auto left = take_number<std::uint32_t>(*value); left > 0; --left)
        identity.replaces.push_back(take_token(*value));
    identity.start = take_token(*value);
    for (auto left = take_number<std::uint32_t>(*value); left > 0; --left) {
        StoreStart& start = identity.starts.emplace_back();
        start.epoch = take_number<std::uint64_t>(*value);
        start.start = take_token(*value);
        start.position = take_number<std::uint64_t>(*value);
    }
    identity.place.device = take_number<std::uint64_t>(*value);
    identity.place.file = take_number<std::uint64_t>(*value);
    identity.place.born_at = take_number<std::uint64_t>(*value);
    identity.place.note = take_token(*value);
    identity.is_moved = take_flag(*value);
    identity.is_handed_over = take_flag(*value);
    identity.awaits_acceptance = take_flag(*value);
    identity.why_it_replaces = take_text(*value);
    identity.moved_to = take_text(*value);
    if (value->empty()) return identity;  // of a store that never had another id
    for (auto left = take_number<std::uint32_t>(*value); left > 0; --left)
        identity.former_ids.push_back(take_text(*value));
    return identity;
}

std::string encode_identity(const StoreIdentity& identity) {
    std::string value;
    append_number(value, store_format_version);
    append_text(value, identity.kind);
    append_text(value, identity.id);
    append_number(value, identity.node);
    append_number(value, identity.epoch);
    append_flag(value, identity.is_backup);
    append_flag(value, identity.was_restored);
    append_token(value, identity.log);
    append_number(value, static_cast<std::uint32_t>(identity.replaces.size()));
    for (const Token& replaced : identity.replaces) append_token(value, replaced);
    append_token(value, identity.start);
    append_number(value, static_cast<std::uint32_t>(identity.starts.size()));
    for (const StoreStart& each : identity.starts) {
        append_number(value, each.epoch);
        append_token(value, each.start);
        append_number(value, each.position);
    }
    append_number(value, identity.place.device);
    append_number(value, identity.place.file);
    append_number(value, identity.place.born_at);
    append_token(value, identity.place.note);
    append_flag(value, identity.is_moved);
    append_flag(value, identity.is_handed_over);
    append_flag(value, identity.awaits_acceptance);
    append_text(value, identity.why_it_replaces);
    append_text(value, identity.moved_to);
    if (!identity.former_ids.empty()) {
        append_number(value, static_cast<std::uint32_t>(identity.former_ids.size()));
        for (const std::string& former : identity.former_ids) append_text(value, former);
    }
    return seal(identity_key, std::move(value));
}

std::uint64_t decode_number(std::string_view key, std::string_view stored) {
    const auto value = unseal(key, stored);
    if (!value || value->size() != sizeof(std::uint64_t))
        throw StoreError::refused("the store's " + std::string(key) +
                                  " fails its checksum; restore a backup");
    return read_number<std::uint64_t>(*value);
}

std::string encode_number(std::string_view key, std::uint64_t number) {
    std::string value;
    append_number(value, number);
    return seal(key, std::move(value));
}

}  // namespace

StoreError no_identity(const std::filesystem::path& directory) {
    return StoreError::refused(directory.string() +
                               ": no store's identity is in its data file. It is damaged, a copy "
                               "that was made while the store was written (`recoveryctl backup` "
                               "makes whole ones), or was never a store; restore a backup");
}

std::optional<StoreIdentity> read_identity(const Reader& reader, Table table) {
    const auto stored = reader.get(table, identity_key);
    return stored ? std::optional(decode_identity(*stored)) : std::nullopt;
}

std::optional<StoreIdentity> read_identity(const Unit& unit, Table table) {
    const auto stored = unit.get(table, identity_key);
    return stored ? std::optional(decode_identity(*stored)) : std::nullopt;
}

void write_identity(Batch& batch, Table table, const StoreIdentity& identity) {
    batch.put(table, identity_key, encode_identity(identity));
}

void write_identity(Unit& unit, Table table, const StoreIdentity& identity) {
    unit.put(table, identity_key, encode_identity(identity));
}

std::uint64_t read_named_number(const Reader& reader, Table table, std::string_view name) {
    const std::string key = number_key(name);
    const auto stored = reader.get(table, key);
    return stored ? decode_number(key, *stored) : 0;
}

std::uint64_t read_named_number(const Unit& unit, Table table, std::string_view name) {
    const std::string key = number_key(name);
    const auto stored = unit.get(table, key);
    return stored ? decode_number(key, *stored) : 0;
}

void write_named_number(Batch& batch, Table table, std::string_view name, std::uint64_t value) {
    const std::string key = number_key(name);
    batch.put(table, key, encode_number(key, value));
}

void write_named_number(Unit& unit, Table table, std::string_view name, std::uint64_t value) {
    const std::string key = number_key(name);
    unit.put(table, key, encode_number(key, value));
}

}  // namespace twophase::wal
