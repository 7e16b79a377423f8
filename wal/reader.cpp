// Cursors, snapshots and batches.
#include "wal/environment.hpp"
#include "wal/lmdb_call.hpp"

#include <utility>

namespace twophase::wal {

Cursor::~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

Cursor::Cursor(Cursor&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)), key_(other.key_), value_(other.value_) {}

bool Cursor::move(int operation) {
    MDB_val key = to_value(key_);
    MDB_val value{};
    const int code = mdb_cursor_get(cursor_, &key, &value, static_cast<MDB_cursor_op>(operation));
    if (code == MDB_NOTFOUND) return false;
    check(code, "move a cursor");
    key_ = to_view(key);
    value_ = to_view(value);
    return true;
}

bool Cursor::seek(std::string_view from) {
    if (from.empty()) return first();  // LMDB knows no empty key
    key_ = from;
    return move(MDB_SET_RANGE);
}

bool Cursor::seek_before(std::string_view before) {
    if (before.empty()) return false;
    return seek(before) ? previous() : last();
}

bool Cursor::first() { return move(MDB_FIRST); }
bool Cursor::last() { return move(MDB_LAST); }
bool Cursor::next() { return move(MDB_NEXT); }
bool Cursor::previous() { return move(MDB_PREV); }

std::optional<std::string_view> Reader::get(Table table, std::string_view key) const {
    MDB_val wanted = to_value(key);
    MDB_val found{};
    const int code = mdb_get(transaction_, table.handle, &wanted, &found);
    if (code == MDB_NOTFOUND) return {};
    check(code, "read a value");
    return to_view(found);
}

Cursor Reader::cursor(Table table) const {
    MDB_cursor* cursor = nullptr;
    check(mdb_cursor_open(transaction_, table.handle, &cursor), "open a cursor");
    return Cursor(cursor);
}

std::size_t Reader::count(Table table) const {
    MDB_stat stat{};
    check(mdb_stat(transaction_, table.handle, &stat), "count a table");
    return stat.ms_entries;
}

Snapshot::~Snapshot() {
    if (transaction_ != nullptr) mdb_txn_abort(transaction_);
}

Snapshot::Snapshot(Snapshot&& other) noexcept
    : Reader(std::exchange(other.transaction_, nullptr)) {}

Batch::~Batch() {
    if (transaction_ != nullptr) mdb_txn_abort(transaction_);
}

Batch::Batch(Batch&& other) noexcept
    : Reader(std::exchange(other.transaction_, nullptr)), has_written_(other.has_written_) {}

void Batch::put(Table table, std::string_view key, std::string_view value) {
    MDB_val at = to_value(key);
    MDB_val with = to_value(value);
    check(mdb_put(transaction_, table.handle, &at, &with, 0), "put a value");
    has_written_ = true;
}

bool Batch::put_new(Table table, std::string_view key, std::string_view value) {
    MDB_val at = to_value(key);
    MDB_val with = to_value(value);
    const int code = mdb_put(transaction_, table.handle, &at, &with, MDB_NOOVERWRITE);
    if (code == MDB_KEYEXIST) return false;
    check(code, "put a new value");
    return has_written_ = true;
}

bool Batch::erase(Table table, std::string_view key) {
    MDB_val at = to_value(key);
    const int code = mdb_del(transaction_, table.handle, &at, nullptr);
    if (code == MDB_NOTFOUND) return false;
    check(code, "erase a value");
    return has_written_ = true;
}

void Batch::commit() {
    // LMDB frees the transaction whatever comes of the commit.
    check(mdb_txn_commit(std::exchange(transaction_, nullptr)), "commit a batch");
}

}  // namespace twophase::wal
