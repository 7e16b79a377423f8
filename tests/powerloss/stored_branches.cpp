#include "tests/powerloss/stored_branches.hpp"

#include "participants/branches.hpp"
#include "participants/record.hpp"
#include "tests/powerloss/appended.hpp"
#include "wal/store.hpp"

#include <set>
#include <unordered_map>

namespace twophase::powerloss {
namespace {

using namespace participants;

std::vector<std::string> all_tables(const std::vector<std::string>& kind_tables) {
    std::vector<std::string> tables = branch_tables();
    tables.insert(tables.end(), kind_tables.begin(), kind_tables.end());
    return tables;
}

/// A number that is the same for the same contents.
std::size_t print_of(const wal::Reader& reader,
                     const TableOf& table_of,
                     const std::vector<std::string>& tables) {
    std::string all;
    for (const std::string& table : tables)
        for_each_row(reader, table_of(table), [&](std::string_view key, std::string_view value) {
            all.append(table).append(key).append("=").append(value);
        });
    return std::hash<std::string>{}(all);
}

/// A prepared branch is in doubt, and no other is; one that ended is in the index of those.
std::string fault_of_indexes(const Contents& contents) {
    std::set<std::string> in_doubt;
    std::size_t ended = 0;
    for_each_row(contents.reader,
                 contents.table_of("in_doubt"),
                 [&](std::string_view key, std::string_view) { in_doubt.emplace(key); });
    for (const auto& [key, branch] : contents.branches) {
        if (branch.state == BranchState::prepared) {
            if (in_doubt.erase(key) == 0) return key + " is prepared and not in doubt";
        } else {
            ++ended;
            if (!contents.reader.get(contents.table_of("ended"), ended_key(branch, key)))
                return key + " ended and is not among those that did";
        }
    }
    if (!in_doubt.empty()) return *in_doubt.begin() + " is in doubt and not prepared";
    if (contents.reader.count(contents.table_of("ended")) != ended) return "too many ended";
    return {};
}

BranchBooks read_contents(const wal::Reader& reader,
                          const TableOf& table_of,
                          const std::function<std::string(const Contents&)>& fault_of) {
    BranchBooks books;
    Contents contents{.reader = reader, .table_of = table_of, .branches = {}};
    for_each_row(reader, table_of("branches"), [&](std::string_view key, std::string_view value) {
        const Branch branch = decode<Branch>(key, value);
        const std::string gid = split_branch_key(key).first;
        if (!books.branches.emplace(gid, branch.state).second) books.fault = "two branches: " + gid;
        contents.branches.emplace(key, branch);
    });
    if (const auto main = read<Coordinator>(reader, table_of("coordinators"), "main"))
        books.coordinator_epoch = main->epoch;
    for (const std::string& fault : {fault_of_indexes(contents), fault_of(contents)})
        if (!fault.empty()) books.fault += fault + "; ";
    if (const auto broken = Audit(table_of).verify(reader)) books.fault += *broken;
    return books;
}

}  // namespace

void for_each_row(const wal::Reader& reader,
                  wal::Table table,
                  const std::function<void(std::string_view, std::string_view)>& visit) {
    wal::Cursor row = reader.cursor(table);
    for (bool found = row.first(); found; found = row.next()) visit(row.key(), row.value());
}

BranchBooks read_branches(const std::filesystem::path& directory,
                          const std::string& kind,
                          const std::vector<std::string>& kind_tables,
                          const std::function<std::string(const Contents&)>& fault_of) {
    const std::vector<std::string> tables = all_tables(kind_tables);
    const wal::Store store({.directory = directory,
                            .kind = kind,
                            .id = kind,
                            .tables = tables,
                            .map_bytes = std::size_t{64} << 20,
                            .any_filesystem = true},
                           at_once());
    const TableOf table_of = [&](std::string_view name) { return store.table(name); };
    const wal::Snapshot now = store.snapshot();
    static std::unordered_map<std::size_t, BranchBooks> known;
    const std::size_t print = print_of(now, table_of, tables) ^ std::hash<std::string>{}(kind);
    if (const auto found = known.find(print); found != known.end()) return found->second;
    BranchBooks books;
    try {
        books = read_contents(now, table_of, fault_of);
        for (const std::string& table : kind_tables) books.rows[table] = now.count(table_of(table));
    } catch (const DamagedRecord& damage) {
        books.fault = damage.what();
    }
    return known.emplace(print, std::move(books)).first->second;
}

}  // namespace twophase::powerloss
