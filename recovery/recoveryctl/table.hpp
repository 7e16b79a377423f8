// Columns of text for people.
#pragma once

#include <string>
#include <vector>

namespace twophase::recoveryctl {

/// Rows under a header; columns as wide as their widest cell. Cells are made printable.
class Table {
public:
    explicit Table(std::vector<std::string> header);
    /// As many cells as the header has.
    void add(std::vector<std::string> cells);
    bool is_empty() const { return rows_.size() == 1; }
    /// Every line ends with a newline and has no blanks at its end.
    std::string text() const;

private:
    std::vector<std::vector<std::string>> rows_;  // the header first
};

}  // namespace twophase::recoveryctl
