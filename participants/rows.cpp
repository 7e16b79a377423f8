#include "participants/rows.hpp"

namespace twophase::participants {

std::optional<std::string> Rows::get(wal::Table table, std::string_view key) const {
    if (unit_ != nullptr) return unit_->get(table, key);
    const auto found = reader_->get(table, key);
    return found ? std::optional<std::string>(*found) : std::nullopt;
}

void Rows::scan(wal::Table table,
                std::string_view from,
                std::string_view below,
                const Visit& visit) const {
    if (unit_ != nullptr) return unit_->scan(table, from, below, visit);
    wal::Cursor cursor = reader_->cursor(table);
    for (bool is_there = cursor.seek(from);
         is_there && (below.empty() || cursor.key() < below) && visit(cursor.key(), cursor.value());
         is_there = cursor.next()) {
    }
}

}  // namespace twophase::participants
