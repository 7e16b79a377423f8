// The checks that all participants share: branches, the index of those in doubt, and what the kind
// knows of each branch.
#pragma once

#include "participants/books.hpp"

namespace twophase::participants {

class BranchBooks {
public:
    /// `kind` (none: nothing of its own) must outlive this.
    BranchBooks(const TableOf& table_of, const Books* kind);
    /// Those of the kind first.
    std::vector<BooksWalk> walks() const;

private:
    BooksPage check_branches(const wal::Reader& reader, const std::string& after) const;
    BooksPage check_in_doubt(const wal::Reader& reader, const std::string& after) const;

    wal::Table branches_;
    wal::Table in_doubt_;
    const Books* kind_;
};

/// Calls `visit` with the rows above `after` of one table, at most `most` of them; gives the cursor
/// for the next page, empty at the end. A damaged record that `visit` meets becomes a finding.
BooksPage walk_rows(
    const wal::Reader& reader,
    wal::Table table,
    std::string_view table_name,
    const std::string& after,
    std::size_t most,
    const std::function<
        void(std::string_view key, std::string_view value, std::vector<Finding>& findings)>& visit);

}  // namespace twophase::participants
