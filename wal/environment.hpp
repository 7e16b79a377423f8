// LMDB behind RAII: environment, tables, snapshots, batches, cursors. The only header that knows
// LMDB.
#pragma once

#include <cerrno>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace twophase::wal {

/// A failure of LMDB or of the disk under it. `code` is LMDB's or errno's.
class StoreError : public std::runtime_error {
public:
    StoreError(int code, const std::string& doing);
    /// Something that a person has to put right first; `why` says what, code() is EINVAL.
    static StoreError refused(const std::string& why) { return {why, EINVAL}; }
    int code() const { return code_; }
    bool is_full() const;  // MDB_MAP_FULL

private:
    StoreError(const std::string& text, int code) : std::runtime_error(text), code_(code) {}
    int code_;
};

/// A named table inside an environment. Keys are bytes, ordered by memcmp, at most 511 bytes.
struct Table {
    unsigned handle = 0;
};

/// A walk over one table in key order. Views are valid until its snapshot or batch ends or writes.
/// A batch's cursor must be gone before its batch commits.
class Cursor {
public:
    ~Cursor();
    Cursor(Cursor&&) noexcept;
    Cursor& operator=(Cursor&&) = delete;

    /// Moves to the first key >= `from`; false when there is none.
    bool seek(std::string_view from);
    /// Moves to the last key < `before`; false when there is none.
    bool seek_before(std::string_view before);
    bool first();
    bool last();
    bool next();
    bool previous();

    std::string_view key() const { return key_; }
    std::string_view value() const { return value_; }

private:
    friend class Reader;
    explicit Cursor(MDB_cursor* cursor) : cursor_(cursor) {}
    bool move(int operation);
    MDB_cursor* cursor_;
    std::string_view key_;
    std::string_view value_;
};

/// What a snapshot and a batch can both do: read.
class Reader {
public:
    std::optional<std::string_view> get(Table table, std::string_view key) const;
    Cursor cursor(Table table) const;
    std::size_t count(Table table) const;

protected:
    friend class Environment;
    explicit Reader(MDB_txn* transaction) : transaction_(transaction) {}
    MDB_txn* transaction_;
};

/// A consistent view of the last commit. Keep it short: it pins pages. Any thread, one at a time.
class Snapshot : public Reader {
public:
    ~Snapshot();
    Snapshot(Snapshot&&) noexcept;
    Snapshot& operator=(Snapshot&&) = delete;

private:
    friend class Environment;
    explicit Snapshot(MDB_txn* transaction) : Reader(transaction) {}
};

/// LMDB's one write transaction. Lost unless commit() returned.
class Batch : public Reader {
public:
    ~Batch();
    Batch(Batch&&) noexcept;
    Batch& operator=(Batch&&) = delete;

    void put(Table table, std::string_view key, std::string_view value);
    /// False, and nothing written, when the key is there already.
    bool put_new(Table table, std::string_view key, std::string_view value);
    /// False when the key was not there.
    bool erase(Table table, std::string_view key);
    /// Something was put or erased.
    bool has_written() const { return has_written_; }

    /// Makes it durable. Any StoreError but is_full() means that nobody knows what is on disk.
    void commit();

private:
    friend class Environment;
    explicit Batch(MDB_txn* transaction) : Reader(transaction) {}
    bool has_written_ = false;
};

/// Somebody who reads a store now. Pages that were freed since then can't be used again.
struct StoreReader {
    int process = 0;         // its id, in its own process namespace
    std::size_t thread = 0;  // or the place of its snapshot in memory
    std::size_t batch = 0;   // that it sees: a number that grows with every batch
    friend auto operator<=>(const StoreReader&, const StoreReader&) = default;
};

/// One LMDB environment, opened once in a process.
class Environment {
public:
    struct Options {
        std::filesystem::path directory;
        std::size_t map_bytes = std::size_t{16} << 30;
        unsigned max_tables = 16;
        bool read_only = false;
    };
    explicit Environment(const Options& options);
    ~Environment();
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    /// Opens the table, creating it inside `batch` when it is absent.
    Table open_table(Batch& batch, const std::string& name);
    /// Opens a table that must exist; nothing when it does not.
    std::optional<Table> find_table(const std::string& name);

    Snapshot snapshot() const;
    Batch batch();

    /// Bytes in use: up to the last page, less the free pages. Walks the free list.
    std::size_t used_bytes() const;
    std::size_t map_bytes() const;
    /// Bytes up to the last page that was ever used: the size that the data file needs. Cheap.
    std::size_t extent_bytes() const;
    /// The data file's size, with what is reserved.
    std::size_t file_bytes() const;
    /// True until the first table was created: a file that nobody has used.
    bool is_empty() const;
    /// Keeps the data file `ahead` bytes longer than its extent, by real blocks where the disk has
    /// them. Between a half and the whole of `ahead` is left alone. Only the writer's thread.
    void reserve(std::size_t ahead);
    /// Only while no snapshot and no batch is open.
    void enlarge(std::size_t map_bytes);
    /// Clears reader slots of dead processes; the number cleared, 0 where nobody can tell. Until
    /// then no page that was freed since such a reader began is used again.
    int clear_dead_readers();
    /// Whoever reads now, in this process or another, dead ones that were not cleared included.
    std::vector<StoreReader> readers() const;
    /// Writes a consistent, compacted copy into the empty directory `to` while others write.
    void copy_to(const std::filesystem::path& to) const;

private:
    MDB_env* env_ = nullptr;
};

}  // namespace twophase::wal
