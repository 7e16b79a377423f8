// What a participant's store holds of branches, whatever its kind: opening, reading, judging.
#pragma once

#include "participants/audit.hpp"
#include "participants/branch.hpp"
#include "participants/resource.hpp"
#include "tests/powerloss/stored_books.hpp"
#include "wal/environment.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace twophase::powerloss {

/// A participant's store, of one moment.
struct Contents {
    const wal::Reader& reader;
    const participants::TableOf& table_of;
    std::map<std::string, participants::Branch> branches;  // by branch_key()
};

/// Calls `visit` with each row of a table.
void for_each_row(const wal::Reader& reader,
                  wal::Table table,
                  const std::function<void(std::string_view key, std::string_view value)>& visit);

/// Opens a store of this kind and reads it. `fault_of` looks at the kind's own tables. What was
/// read once is not judged again: images have most of their states in common.
BranchBooks read_branches(const std::filesystem::path& store,
                          const std::string& kind,
                          const std::vector<std::string>& kind_tables,
                          const std::function<std::string(const Contents&)>& fault_of);

}  // namespace twophase::powerloss
