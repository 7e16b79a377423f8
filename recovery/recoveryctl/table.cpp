#include "recovery/recoveryctl/table.hpp"

#include "recovery/recoveryctl/terminal.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace twophase::recoveryctl {

Table::Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void Table::add(std::vector<std::string> cells) {
    assert(cells.size() == rows_.front().size());
    for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell);
    rows_.push_back(std::move(cells));
}

std::string Table::text() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    std::string text;
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i + 1 < row.size(); ++i)
            text += row[i] + std::string(widths[i] - width(row[i]) + 2, ' ');
        text += row.back() + "\n";
    }
    return text;
}

}  // namespace twophase::recoveryctl
