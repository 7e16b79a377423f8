// One request's reads and writes inside a shared batch: all or nothing for the request.
#pragma once

#include "wal/environment.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace twophase::wal {

/// Buffers a request's writes over a batch; reads see them. apply() writes them to the batch; a
/// unit destroyed without it leaves no trace, so that a request may fail at any line.
class Unit {
public:
    explicit Unit(Batch& batch, std::uint64_t numbers_above = 0)
        : batch_(batch), numbers_above_(numbers_above) {}
    Unit(const Unit&) = delete;
    Unit& operator=(const Unit&) = delete;

    /// Numbers that may never be given twice are above this one: the store may have been made out
    /// of a backup, and the lost one have given more. 0 unless it was; else the restore's epoch,
    /// which is above any number that was counted up one by one.
    std::uint64_t numbers_above() const { return numbers_above_; }

    /// A copy: the value stays valid over later writes.
    std::optional<std::string> get(Table table, std::string_view key) const;
    bool contains(Table table, std::string_view key) const;
    void put(Table table, std::string_view key, std::string value);
    void erase(Table table, std::string_view key);

    /// Visits keys in [from, below) in order, this unit's own writes included, until `visit`
    /// returns false. An empty `below` is no bound. `visit` must not write.
    void scan(Table table,
              std::string_view from,
              std::string_view below,
              const std::function<bool(std::string_view key, std::string_view value)>& visit) const;
    /// The last key in [from, below), this unit's own writes included.
    std::optional<std::pair<std::string, std::string>> last(Table table,
                                                            std::string_view from,
                                                            std::string_view below) const;

    /// Writes everything to the batch; the unit is empty afterwards.
    void apply();

private:
    // Looks keys up by view, which std::pair can't do before C++26.
    struct Order {
        using is_transparent = void;
        template <typename Left, typename Right>
        bool operator()(const Left& left, const Right& right) const {
            if (left.first != right.first) return left.first < right.first;
            return std::string_view(left.second) < std::string_view(right.second);
        }
    };
    using Key = std::pair<unsigned, std::string>;
    using KeyView = std::pair<unsigned, std::string_view>;
    using Writes = std::map<Key, std::optional<std::string>, Order>;  // nothing: erased

    const std::optional<std::string>* own(Table table, std::string_view key) const;

    Batch& batch_;
    std::uint64_t numbers_above_;
    Writes writes_;
};

}  // namespace twophase::wal
