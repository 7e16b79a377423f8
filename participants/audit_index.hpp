// Finds the audit's entries of one transaction, user or business key without reading all of them.
#pragma once

#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants {

/// Whatever writes a row for each entry touches pages all over a large table with each: it more
/// than doubled the cost of an entry. So an index block is written with every 1,024th entry, for
/// the 1,024 that end there: a sorted list of what they are about, eight bytes for each thing. A
/// search looks at a few bytes of each block, and at the entries behind the last block themselves.
/// A block that isn't there (an earlier build wrote none) costs a look at its entries.
namespace audit_index {

constexpr std::uint64_t block_entries = 1'024;

/// The block of entry `number`; entries count from 1.
constexpr std::uint64_t block_of(std::uint64_t number) { return (number - 1) / block_entries; }
constexpr std::uint64_t first_in(std::uint64_t block) { return block * block_entries + 1; }

/// What is looked for: 48 bits of hash, which another thing may share, so that entries that were
/// found have to be looked at.
std::uint64_t of_gid(std::string_view gid);
std::uint64_t of_user(std::string_view user_id);
std::uint64_t of_business_key(std::string_view code, std::string_view id);

/// Gathers the rows of a block out of its entries' texts.
class Block {
public:
    void add(std::uint64_t number, std::string_view entry);
    /// As it is stored; empty afterwards.
    std::string take();

private:
    std::vector<std::uint64_t> rows_;
};

/// Writes the block that ends with entry `last`, if one does.
void write_block(wal::Unit& unit, wal::Table audit, wal::Table index, std::uint64_t last);

/// The entries of `block` that may be about `what`, the oldest first; nothing without the block.
std::optional<std::vector<std::uint64_t>> find(const wal::Reader& reader,
                                               wal::Table index,
                                               std::uint64_t block,
                                               std::uint64_t what);

}  // namespace audit_index
}  // namespace twophase::participants
