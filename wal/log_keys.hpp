// How the log's keys are written as bytes, so that their order is the order wanted.
#pragma once

#include "wal/log.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::wal {

/// A view of the gid itself.
std::string_view bytes_of(const Gid& gid);
/// Nothing unless these are 16 bytes.
std::optional<Gid> to_gid(std::string_view bytes);
/// "018f…" in hexadecimal without hyphens, for messages.
std::string to_text(const Gid& gid);

/// The store's number of this name is the highest order_of() that was ever forgotten: what is above
/// it and not in the log never was there.
inline constexpr std::string_view highest_forgotten = "highest forgotten";
/// The store's number of this name: every id that was minted has a lower time part.
inline constexpr std::string_view gid_ceiling_name = "gid ceiling";
/// The first half of a gid, as a number of the same order.
std::uint64_t order_of(const Gid& gid);
/// Of a UUIDv7 minted at that time (milliseconds since 1970) or later: no less.
std::uint64_t order_at(std::uint64_t milliseconds);
/// The greatest UUIDv7 of this order.
Gid last_of_order(std::uint64_t order);

/// (gid, n): a transaction's records lie together, in order.
std::string record_key(const Gid& gid, std::uint32_t n);
/// The first key above all records of `gid`; empty, which is no bound, above the last gid.
std::string above_records(const Gid& gid);

/// (seconds, gid): the oldest finished first.
std::string finished_key(std::uint64_t finished_at, const Gid& gid);
struct FinishedKey {
    std::uint64_t finished_at = 0;
    Gid gid{};
};
std::optional<FinishedKey> to_finished_key(std::string_view bytes);

/// code and id are 1 to 128 bytes each.
bool is_valid(const BusinessKey& key);
/// Injective: length and bytes of code, length and bytes of id, attempt. Attempts lie in order.
std::string business_key(const BusinessKey& key);
/// What all attempts under this code and id begin with.
std::string business_prefix(std::string_view code, std::string_view id);
std::optional<BusinessKey> to_business_key(std::string_view bytes);

/// The value under a business key, sealed.
std::string business_value(std::string_view key_bytes, const BusinessEntry& entry);
/// `damaged` when key or value don't hold together.
BusinessEntry to_business_entry(std::string_view key_bytes, std::string_view value);

}  // namespace twophase::wal
