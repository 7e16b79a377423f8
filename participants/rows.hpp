// Reads a snapshot and a unit alike, so that one check serves the look around and the second look.
#pragma once

#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::participants {

/// What it was made of must outlive it.
class Rows {
public:
    explicit Rows(const wal::Reader& reader) : reader_(&reader) {}
    explicit Rows(const wal::Unit& unit) : unit_(&unit) {}

    std::optional<std::string> get(wal::Table table, std::string_view key) const;

    using Visit = std::function<bool(std::string_view key, std::string_view value)>;
    /// Visits keys in [from, below) in order until `visit` returns false. An empty `below` is no
    /// bound.
    void scan(wal::Table table,
              std::string_view from,
              std::string_view below,
              const Visit& visit) const;

private:
    const wal::Reader* reader_ = nullptr;
    const wal::Unit* unit_ = nullptr;
};

}  // namespace twophase::participants
