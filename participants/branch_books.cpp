#include "participants/branch_books.hpp"

#include "participants/record.hpp"

#include <utility>

namespace twophase::participants {
namespace {

constexpr std::size_t rows_in_page = 500;

Finding index_finding(std::string_view key, bool is_listed, std::string text) {
    Finding finding;
    finding.kind = "in_doubt_index";
    finding.subject = finding.account_id = key;
    std::tie(finding.gid, finding.branch_id) = split_branch_key(key);
    finding.recorded = is_listed ? 1 : 0;
    finding.calculated = 1 - finding.recorded;
    finding.text = std::move(text);
    return finding;
}

}  // namespace

Finding damaged_record(std::string_view table, std::string_view key) {
    Finding finding;
    finding.kind = "damaged";
    const std::string name = readable_key(key);
    finding.subject = finding.account_id = std::string(table) + " " + name;
    finding.text = "the record " + name + " of " + std::string(table) + " is not what was written";
    const bool is_branch = (table == "branches" || table == "in_doubt") && name == key;
    if (!is_branch) return finding;
    finding.subject = finding.account_id = name;
    std::tie(finding.gid, finding.branch_id) = split_branch_key(key);
    finding.text += " (recoveryctl settle-damaged takes its outcome from the coordinator's log)";
    return finding;
}

BooksPage walk_rows(
    const wal::Reader& reader,
    wal::Table table,
    std::string_view table_name,
    const std::string& after,
    std::size_t most,
    const std::function<void(
        std::string_view key, std::string_view value, std::vector<Finding>& findings)>& visit) {
    BooksPage page;
    std::string last;
    wal::Cursor cursor = reader.cursor(table);
    bool is_there = after.empty() ? cursor.first() : cursor.seek(after + '\0');
    for (; is_there; is_there = cursor.next()) {
        if (page.checked == most) {
            page.next = last;
            break;
        }
        ++page.checked;
        last = cursor.key();
        try {
            visit(cursor.key(), cursor.value(), page.findings);
        } catch (const DamagedRecord&) {
            page.findings.push_back(damaged_record(table_name, last));
        }
    }
    return page;
}

BranchBooks::BranchBooks(const TableOf& table_of, const Books* kind)
    : branches_(table_of("branches")), in_doubt_(table_of("in_doubt")), kind_(kind) {}

std::vector<BooksWalk> BranchBooks::walks() const {
    std::vector<BooksWalk> walks;
    if (kind_ != nullptr) walks = kind_->walks();
    walks.push_back(
        {"branches",
         [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
             return check_branches(reader, after);
         }});
    walks.push_back(
        {"in_doubt",
         [this](const wal::Reader& reader, const std::string& after, const std::stop_token&) {
             return check_in_doubt(reader, after);
         }});
    return walks;
}

BooksPage BranchBooks::check_branches(const wal::Reader& reader, const std::string& after) const {
    const Rows rows(reader);
    return walk_rows(
        reader,
        branches_,
        "branches",
        after,
        rows_in_page,
        [&](std::string_view key, std::string_view value, std::vector<Finding>& findings) {
            const Branch branch = decode<Branch>(key, value);
            if (branch.state == BranchState::prepared && !rows.get(in_doubt_, key))
                findings.push_back(index_finding(
                    key, false, "this branch is prepared and nobody will ask what became of it"));
            if (kind_ != nullptr) kind_->check_branch(rows, key, branch, findings);
        });
}

BooksPage BranchBooks::check_in_doubt(const wal::Reader& reader, const std::string& after) const {
    const Rows rows(reader);
    return walk_rows(
        reader,
        in_doubt_,
        "in_doubt",
        after,
        rows_in_page,
        [&](std::string_view key, std::string_view value, std::vector<Finding>& findings) {
            try {
                const auto branch = read<Branch>(rows, branches_, key);
                if (!branch || branch->state != BranchState::prepared)
                    return findings.push_back(index_finding(
                        key, true, "this branch counts as in doubt and is not prepared"));
            } catch (const DamagedRecord&) {
                return;  // check_branches tells of it
            }
            decode<InDoubt>(key, value);
        });
}

}  // namespace twophase::participants
