#include "participants/verify.hpp"

#include "participants/audit.hpp"
#include "participants/branch_books.hpp"
#include "participants/branches.hpp"
#include "participants/record.hpp"
#include "wal/sealed.hpp"

#include <algorithm>
#include <iterator>
#include <stop_token>
#include <string_view>
#include <utility>

namespace twophase::participants {
namespace {

constexpr std::size_t rows_in_page = 1'000;

std::string text_of(const Finding& finding) {
    std::string text = finding.kind + " " + finding.subject;
    if (finding.recorded != finding.calculated)
        text += ": recorded " + std::to_string(finding.recorded) + ", calculated " +
                std::to_string(finding.calculated);
    return finding.text.empty() ? text : text + ": " + finding.text;
}

class Verification {
public:
    Verification(const wal::Store& store,
                 const std::function<void(const std::string&)>& report,
                 const std::function<void(std::size_t)>& progress)
        : store_(store), report_(report), progress_(progress) {}

    /// Every value carries a checksum over itself and its key; the audit has its chain instead.
    void check_records(const std::string& name) {
        walk(
            name,
            [&](const wal::Reader&, std::string_view key, std::string_view value, Findings& found) {
                if (!wal::unseal(key, value)) found.push_back(damaged_record(name, key));
            });
    }

    /// An entry there has no value: its key names a branch, and when that ended.
    void check_ended() {
        const wal::Table branches = store_.table("branches");
        walk("ended",
             [&](const wal::Reader& reader,
                 std::string_view key,
                 std::string_view,
                 Findings& found) {
                 const std::size_t begin = key.find('/') + 1 + 8;
                 if (begin >= key.size()) throw DamagedRecord(key);
                 const std::string_view name = key.substr(begin);
                 const auto branch = read<Branch>(reader, branches, name);
                 if (!branch || ended_key(*branch, name) != key)
                     found.push_back(damaged_record("ended", key));
             });
    }

    void check_books(const BranchBooks& books) {
        for (const BooksWalk& books_walk : books.walks()) {
            std::string after;
            do {
                BooksPage page = books_walk.step(store_.snapshot(), after, std::stop_token());
                for (const Finding& finding : page.findings)
                    if (finding.kind != "damaged") report_(text_of(finding));  // told already
                count(page.checked);
                after = std::move(page.next);
            } while (!after.empty());
        }
    }

private:
    using Findings = std::vector<Finding>;
    using Visit = std::function<void(
        const wal::Reader& reader, std::string_view key, std::string_view value, Findings& found)>;

    void walk(const std::string& name, const Visit& visit) {
        std::string after;
        do {
            const wal::Snapshot snapshot = store_.snapshot();
            BooksPage page =
                walk_rows(snapshot,
                          store_.table(name),
                          name,
                          after,
                          rows_in_page,
                          [&](std::string_view key, std::string_view value, Findings& found) {
                              visit(snapshot, key, value, found);
                          });
            for (const Finding& finding : page.findings) report_(finding.text);
            count(page.checked);
            after = std::move(page.next);
        } while (!after.empty());
    }

    void count(std::size_t records) { progress_(records_ += records); }

    const wal::Store& store_;
    const std::function<void(const std::string&)>& report_;
    const std::function<void(std::size_t)>& progress_;
    std::size_t records_ = 0;
};

}  // namespace

std::vector<std::string> tables_of(const Kind& kind) {
    std::vector<std::string> tables = branch_tables();
    std::ranges::copy(kind.tables(), std::back_inserter(tables));
    return tables;
}

void verify(const wal::Store& store,
            const Kind& kind,
            const std::function<void(const std::string& finding)>& report,
            const std::function<void(std::size_t records)>& progress) {
    const TableOf table_of = [&store](std::string_view name) { return store.table(name); };
    Verification verification(store, report, progress);
    for (const std::string& name : tables_of(kind))
        if (!name.starts_with("audit") && name != "ended") verification.check_records(name);
    verification.check_ended();
    if (const auto broken = Audit(table_of).verify(store.snapshot())) report(*broken);
    const auto books = kind.books(table_of);
    verification.check_books(BranchBooks(table_of, books.get()));
}

}  // namespace twophase::participants
