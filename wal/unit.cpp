#include "wal/unit.hpp"

#include <cassert>
#include <iterator>

namespace twophase::wal {
namespace {

bool is_below(std::string_view key, std::string_view bound) { return bound.empty() || key < bound; }

}  // namespace

const std::optional<std::string>* Unit::own(Table table, std::string_view key) const {
    const auto found = writes_.find(KeyView{table.handle, key});
    return found == writes_.end() ? nullptr : &found->second;
}

std::optional<std::string> Unit::get(Table table, std::string_view key) const {
    if (const auto* written = own(table, key)) return *written;
    const auto stored = batch_.get(table, key);
    return stored ? std::optional<std::string>(*stored) : std::nullopt;
}

bool Unit::contains(Table table, std::string_view key) const {
    if (const auto* written = own(table, key)) return written->has_value();
    return batch_.get(table, key).has_value();
}

void Unit::put(Table table, std::string_view key, std::string value) {
    writes_.insert_or_assign(Key{table.handle, key}, std::move(value));
}

void Unit::erase(Table table, std::string_view key) {
    writes_.insert_or_assign(Key{table.handle, key}, std::nullopt);
}

void Unit::scan(
    Table table,
    std::string_view from,
    std::string_view below,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
    Cursor stored = batch_.cursor(table);
    bool has_stored = stored.seek(from);
    auto written = writes_.lower_bound(KeyView{table.handle, from});
    for (;;) {
        const bool has_written = written != writes_.end() && written->first.first == table.handle &&
                                 is_below(written->first.second, below);
        if (has_stored && !is_below(stored.key(), below)) has_stored = false;
        if (!has_stored && !has_written) return;
        if (has_written && (!has_stored || written->first.second <= stored.key())) {
            // Of equal keys the unit's own counts.
            if (has_stored && written->first.second == stored.key()) has_stored = stored.next();
            const auto& [key, value] = *written++;
            if (value && !visit(key.second, *value)) return;
        } else {
            if (!visit(stored.key(), stored.value())) return;
            has_stored = stored.next();
        }
    }
}

std::optional<std::pair<std::string, std::string>> Unit::last(Table table,
                                                              std::string_view from,
                                                              std::string_view below) const {
    Cursor stored = batch_.cursor(table);
    bool has_stored = below.empty() ? stored.last() : stored.seek_before(below);
    auto written = below.empty() ? writes_.lower_bound(KeyView{table.handle + 1, ""})
                                 : writes_.lower_bound(KeyView{table.handle, below});
    for (;;) {
        const auto previous = written == writes_.begin() ? writes_.end() : std::prev(written);
        const bool has_written = previous != writes_.end() &&
                                 previous->first.first == table.handle &&
                                 previous->first.second >= from;
        if (has_stored && stored.key() < from) has_stored = false;
        if (!has_stored && !has_written) return {};
        if (!has_written || (has_stored && previous->first.second < stored.key()))
            return std::pair<std::string, std::string>(stored.key(), stored.value());
        if (previous->second) return std::pair(previous->first.second, *previous->second);
        // Erased here: step over it, and over what it hides.
        if (has_stored && stored.key() == previous->first.second) has_stored = stored.previous();
        written = previous;
    }
}

void Unit::apply() {
    for (const auto& [key, value] : writes_) {
        if (value)
            batch_.put(Table{key.first}, key.second, *value);
        else
            batch_.erase(Table{key.first}, key.second);
    }
    writes_.clear();
}

}  // namespace twophase::wal
