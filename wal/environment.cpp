#include "wal/environment.hpp"

#include "wal/disk.hpp"
#include "wal/lmdb_call.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace twophase::wal {
namespace {

constexpr mode_t owner_only = 0600;
constexpr MDB_dbi free_list = 0;  // LMDB's own tables come first: the free pages, then the names
constexpr MDB_dbi main_table = 1;

/// `call`, once more where it found no free slot for a reader and some were left by dead processes.
template <class Call>
int with_free_slots(MDB_env* env, Call call) {
    const int code = call();
    if (code != MDB_READERS_FULL) return code;
    int cleared = 0;
    mdb_reader_check(env, &cleared);
    return cleared > 0 ? call() : code;
}

MDB_txn* begin(MDB_env* env, unsigned flags) {
    MDB_txn* transaction = nullptr;
    check(with_free_slots(env, [&] { return mdb_txn_begin(env, nullptr, flags, &transaction); }),
          "begin a batch or snapshot");
    return transaction;
}

int file_of(MDB_env* env) {
    int file = -1;
    check(mdb_env_get_fd(env, &file), "find the data file");
    return file;
}

std::size_t page_bytes(MDB_txn* transaction) {
    MDB_stat stat{};
    check(mdb_stat(transaction, main_table, &stat), "read the page size");
    return stat.ms_psize;
}

// A free-list entry's key is the number of the batch that freed its pages.
std::size_t read_number_of(std::string_view key) {
    std::size_t number = 0;
    std::memcpy(&number, key.data(), std::min(sizeof number, key.size()));
    return number;
}

/// LMDB tells of each reader in a line of text.
std::vector<StoreReader> readers_of(MDB_env* env) {
    std::vector<StoreReader> readers;
    const auto take = [](const char* line, void* found) {
        StoreReader reader;
        if (std::sscanf(line, "%d %zx %zu", &reader.process, &reader.thread, &reader.batch) == 3)
            static_cast<std::vector<StoreReader>*>(found)->push_back(reader);
        return 0;
    };
    mdb_reader_list(env, take, &readers);
    return readers;
}

/// The batch that the oldest reader looks at.
std::size_t oldest_reader(MDB_env* env) {
    std::size_t oldest = SIZE_MAX;
    for (const StoreReader& reader : readers_of(env)) oldest = std::min(oldest, reader.batch);
    return oldest;
}

/// LMDB only sets its length and writes through a map: on a full disk that ends in SIGBUS.
void allocate_lock_file(const std::filesystem::path& directory) {
    constexpr off_t readers = 8192;  // LMDB's default of 126, and the head
    const auto path = directory / "lock.mdb";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, owner_only);
    if (file < 0) return;  // LMDB says what is wrong
    const int error = ::fallocate(file, 0, 0, readers) == 0 ? 0 : errno;
    ::close(file);
    if (error == ENOSPC || error == EDQUOT)
        throw StoreError(error, "make room for " + path.string());
}

/// What LMDB calls pages that contradict each other tells nobody what to do.
const char* advice_on(int code) {
    const bool is_damage = code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND ||
                           code == MDB_INCOMPATIBLE || code == MDB_INVALID || code == MDB_BAD_TXN;
    return is_damage ? "; the data file is damaged, or a copy that was made while the store was "
                       "written (`recoveryctl backup` makes whole ones): restore a backup"
                     : "";
}

}  // namespace

StoreError::StoreError(int code, const std::string& doing)
    : std::runtime_error(doing + ": " + mdb_strerror(code) + advice_on(code)), code_(code) {}

bool StoreError::is_full() const { return code_ == MDB_MAP_FULL; }

Environment::Environment(const Options& options) {
    const auto data = options.directory / "data.mdb";
    check(mdb_env_create(&env_), "create an environment");
    try {
        check(mdb_env_set_mapsize(env_, options.map_bytes), "set the map size");
        check(mdb_env_set_maxdbs(env_, options.max_tables), "set the number of tables");
        // NOTLS lets a snapshot move between threads. All else is LMDB's default: every commit is
        // written, synced and only then visible.
        const unsigned flags = MDB_NOTLS | (options.read_only ? MDB_RDONLY : 0U);
        allocate_lock_file(options.directory);
        const int code = mdb_env_open(env_, options.directory.c_str(), flags, owner_only);
        if (code != MDB_SUCCESS) throw StoreError(code, "open " + data.string());
        if (!options.read_only) {
            // LMDB syncs neither the file's name nor the directory's. An existing file is no proof
            // that its names were synced: whoever made it may have been killed in between.
            if (::fsync(file_of(env_)) != 0) throw StoreError(errno, "sync " + data.string());
            sync_directory(options.directory);
            sync_directory(parent_of(options.directory));
        }
    } catch (...) {
        mdb_env_close(env_);
        throw;
    }
}

Environment::~Environment() { mdb_env_close(env_); }

Table Environment::open_table(Batch& batch, const std::string& name) {
    Table table;
    check(mdb_dbi_open(batch.transaction_, name.c_str(), MDB_CREATE, &table.handle),
          "open a table");
    return table;
}

std::optional<Table> Environment::find_table(const std::string& name) {
    MDB_txn* transaction = begin(env_, MDB_RDONLY);
    Table table;
    const int code = mdb_dbi_open(transaction, name.c_str(), 0, &table.handle);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(transaction);
        if (code == MDB_NOTFOUND) return {};
        throw StoreError(code, "find table " + name);
    }
    // The handle outlives its transaction only through a commit.
    check(mdb_txn_commit(transaction), "keep a table's handle");
    return table;
}

Snapshot Environment::snapshot() const { return Snapshot(begin(env_, MDB_RDONLY)); }

Batch Environment::batch() { return Batch(begin(env_, 0)); }

std::size_t Environment::used_bytes() const {
    const Snapshot now = snapshot();
    Cursor entries = now.cursor(Table{free_list});
    std::size_t free_pages = 0;
    // Pages freed after the oldest reader began stay pinned until it ends.
    const std::size_t oldest = oldest_reader(env_);
    for (bool found = entries.first(); found; found = entries.next()) {
        // An entry is a list of page numbers behind its length.
        if (read_number_of(entries.key()) > oldest) continue;
        std::size_t pages = 0;
        std::memcpy(&pages, entries.value().data(), sizeof pages);
        free_pages += pages;
    }
    const std::size_t free_bytes = free_pages * page_bytes(now.transaction_);
    return extent_bytes() - std::min(extent_bytes(), free_bytes);
}

std::size_t Environment::map_bytes() const {
    MDB_envinfo info{};
    check(mdb_env_info(env_, &info), "read the map size");
    return info.me_mapsize;
}

std::size_t Environment::extent_bytes() const {
    MDB_envinfo info{};
    MDB_stat stat{};
    check(mdb_env_info(env_, &info), "read the last page");
    check(mdb_env_stat(env_, &stat), "read the page size");
    return (info.me_last_pgno + 1) * stat.ms_psize;
}

std::size_t Environment::file_bytes() const {
    struct stat status {};
    if (::fstat(file_of(env_), &status) != 0) throw StoreError(errno, "read the file's size");
    return static_cast<std::size_t>(status.st_size);
}

bool Environment::is_empty() const { return snapshot().count(Table{main_table}) == 0; }

void Environment::reserve(std::size_t ahead) {
    const std::size_t extent = extent_bytes();
    const std::size_t map = map_bytes();
    const std::size_t size = file_bytes();
    if (size >= std::min(map, extent + ahead / 2)) return;
    const std::size_t wanted = std::min(map, extent + ahead);  // >= extent: all is inside the map
    const int file = file_of(env_);
    if (::fallocate(file, 0, static_cast<off_t>(size), static_cast<off_t>(wanted - size)) == 0)
        return;
    // Without blocks at least the length: see check_data_file(), which goes by it. When even that
    // fails the headroom says so soon enough.
    if (::ftruncate(file, static_cast<off_t>(wanted)) != 0) return;
}

void Environment::enlarge(std::size_t map_bytes) {
    check(mdb_env_set_mapsize(env_, map_bytes), "enlarge the map");
}

int Environment::clear_dead_readers() {
    int cleared = 0;
    mdb_reader_check(env_, &cleared);
    return cleared;
}

std::vector<StoreReader> Environment::readers() const { return readers_of(env_); }

void Environment::copy_to(const std::filesystem::path& to) const {
    // LMDB makes the file before it looks for a slot, so that it can't be called once more.
    int cleared = 0;
    mdb_reader_check(env_, &cleared);
    check(mdb_env_copy2(env_, to.c_str(), MDB_CP_COMPACT), "copy the store");
}

}  // namespace twophase::wal
