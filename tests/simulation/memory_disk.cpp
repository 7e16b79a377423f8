#include "tests/simulation/memory_disk.hpp"

#include <lmdb.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using Rows = std::map<std::string, std::string, std::less<>>;
using twophase::simulation::memory_disk::Fate;

constexpr unsigned page_bytes = 4096;
constexpr unsigned first_handle = 2;  // as in LMDB: the free list and the names come first

struct Table {
    std::string name;
    Rows rows;
};

/// One row as it was, or is to be: nothing where it is absent.
struct Change {
    MDB_dbi table;
    std::string key;
    std::optional<std::string> value;
};

std::uint64_t& files_made() {
    static std::uint64_t made = 0;
    return made;
}

struct Disk {
    std::uint64_t file = ++files_made();
    std::deque<Table> tables;
    std::size_t bytes = 0;  // of all rows, about
    /// After a failed commit: what turns the page cache's view into the disk's. Empty: they agree.
    std::vector<Change> limbo;
};

std::map<std::string, Disk>& disks() {
    static std::map<std::string, Disk> all;
    return all;
}

std::function<Fate(const std::string&)>& choose_fate() {
    static std::function<Fate(const std::string&)> choose;
    return choose;
}

std::function<bool()>& chance() {
    static std::function<bool()> choose;
    return choose;
}

std::string lock_file_of(const std::string& directory) { return directory + "/owner.lock"; }

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string_view view(const MDB_val* value) {
    return {static_cast<const char*>(value->mv_data), value->mv_size};
}

MDB_val value_of(const std::string& text) { return {text.size(), const_cast<char*>(text.data())}; }

}  // namespace

struct MDB_env {
    std::string path;
    Disk* disk = nullptr;
    std::size_t map_bytes = 0;
    int file = -1;
    bool is_lax = false;  // opened with NOSYNC or NOMETASYNC: commits stay in the page cache
};

struct MDB_txn {
    MDB_env* env;
    bool is_read_only;
    std::vector<Change> undo;  // newest last

    Rows& rows(MDB_dbi table) { return env->disk->tables.at(table - first_handle).rows; }

    /// Sets or erases a row; returns what it was.
    std::optional<std::string> set(MDB_dbi table,
                                   std::string_view key,
                                   std::optional<std::string> value) {
        Rows& all = rows(table);
        std::size_t& bytes = env->disk->bytes;
        std::optional<std::string> before;
        const auto found = all.find(key);
        if (found != all.end()) {
            bytes -= found->first.size() + found->second.size();
            before = std::move(found->second);
            if (value) {
                bytes += key.size() + value->size();
                found->second = *std::move(value);
            } else {
                all.erase(found);
            }
        } else if (value) {
            bytes += key.size() + value->size();
            all.emplace(key, *std::move(value));
        }
        return before;
    }

    void write(MDB_dbi table, std::string_view key, std::optional<std::string> value) {
        auto before = set(table, key, std::move(value));
        undo.push_back({table, std::string(key), std::move(before)});
    }

    /// Takes the changes back, newest first; returns what does them again.
    std::vector<Change> take_back() {
        std::vector<Change> redo;
        for (; !undo.empty(); undo.pop_back()) {
            Change& change = undo.back();
            auto was = set(change.table, change.key, std::move(change.value));
            redo.push_back({change.table, change.key, std::move(was)});
        }
        return {redo.rbegin(), redo.rend()};
    }
};

struct MDB_cursor {
    Rows* rows;
    Rows::iterator at;
};

namespace twophase::simulation::memory_disk {

void on_commit(std::function<Fate(const std::string&)> choose) {
    choose_fate() = std::move(choose);
}
void on_chance(std::function<bool()> choose) { chance() = std::move(choose); }

void lose_power(const std::string& directory) {
    const auto found = disks().find(directory);
    if (found == disks().end()) return;
    MDB_env env{.path = directory, .disk = &found->second};
    MDB_txn power{.env = &env, .is_read_only = false, .undo = {}};
    for (Change& change : std::exchange(found->second.limbo, {}))
        power.set(change.table, change.key, std::move(change.value));
}

struct Image {
    Disk disk;
    std::string owner_lock;
};

std::shared_ptr<const Image> copy(const std::string& directory) {
    const auto found = disks().find(directory);
    if (found == disks().end() || found->second.bytes == 0) return nullptr;
    Image image{found->second, read_file(lock_file_of(directory))};
    image.disk.limbo.clear();
    return std::make_shared<const Image>(std::move(image));
}

void put(const std::string& directory, const Image& image, bool is_same_file) {
    Disk& disk = disks()[directory];
    const std::uint64_t file = is_same_file ? disk.file : ++files_made();
    disk = image.disk;
    disk.file = file;
    std::filesystem::create_directories(directory);
    std::ofstream(lock_file_of(directory), std::ios::binary) << image.owner_lock;
}

void erase(const std::string& directory) {
    disks().erase(directory);
    std::filesystem::remove(lock_file_of(directory));
}

std::uint64_t file_of(const std::string& directory) { return disks().at(directory).file; }

void clear() {
    disks().clear();
    files_made() = 0;
}

}  // namespace twophase::simulation::memory_disk

// --- the part of LMDB that wal/ uses ---

extern "C" {

int mdb_env_create(MDB_env** env) {
    *env = new MDB_env;
    return 0;
}

int mdb_env_set_mapsize(MDB_env* env, size_t size) {
    env->map_bytes = size;
    return 0;
}

int mdb_env_set_maxdbs(MDB_env*, MDB_dbi) { return 0; }

int mdb_env_open(MDB_env* env, const char* path, unsigned flags, mdb_mode_t) {
    env->path = path;
    env->is_lax = (flags & (MDB_NOSYNC | MDB_NOMETASYNC)) != 0;
    env->disk = &disks()[path];
    // For those who want to sync it or to look at its size; it never grows, as nothing is in it.
    env->file = memfd_create("memory disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (env->file < 0 || fcntl(env->file, F_ADD_SEALS, F_SEAL_GROW) != 0) return errno;
    return 0;
}

void mdb_env_close(MDB_env* env) {
    if (env->file >= 0) close(env->file);
    delete env;
}

int mdb_env_get_fd(MDB_env* env, mdb_filehandle_t* file) {
    *file = env->file;
    return 0;
}

int mdb_env_info(MDB_env* env, MDB_envinfo* info) {
    *info = MDB_envinfo{};
    info->me_mapsize = env->map_bytes;
    info->me_last_pgno = env->disk->bytes / page_bytes;
    return 0;
}

int mdb_env_stat(MDB_env*, MDB_stat* stat) {
    *stat = MDB_stat{};
    stat->ms_psize = page_bytes;
    return 0;
}

int mdb_env_copy2(MDB_env*, const char*, unsigned) { return ENOSYS; }
int mdb_reader_check(MDB_env*, int* dead) { return *dead = 0; }
int mdb_reader_list(MDB_env*, MDB_msg_func*, void*) { return 0; }

int mdb_txn_begin(MDB_env* env, MDB_txn*, unsigned flags, MDB_txn** txn) {
    *txn = new MDB_txn{.env = env, .is_read_only = (flags & MDB_RDONLY) != 0, .undo = {}};
    return 0;
}

void mdb_txn_abort(MDB_txn* txn) {
    txn->take_back();
    delete txn;
}

int mdb_txn_commit(MDB_txn* txn) {
    const std::unique_ptr<MDB_txn> owned(txn);
    if (txn->is_read_only || txn->undo.empty()) return 0;  // as LMDB: nothing is written
    Disk& disk = *txn->env->disk;
    // One unknown at a time: a second failure in a row fails as the first did.
    Fate fate = choose_fate() ? choose_fate()(txn->env->path) : Fate::durable;
    if (fate == Fate::io_error && !disk.limbo.empty()) fate = Fate::durable;
    if (fate == Fate::durable && txn->env->is_lax) {
        disk.limbo.insert(disk.limbo.begin(), txn->undo.rbegin(), txn->undo.rend());
        return 0;
    }
    if (fate == Fate::durable) {
        disk.limbo.clear();  // the sync carried all that the page cache shows
        return 0;
    }
    std::vector<Change> undo(txn->undo.rbegin(), txn->undo.rend());
    std::vector<Change> redo = txn->take_back();
    if (fate == Fate::full) return MDB_MAP_FULL;
    const bool disk_has_it = chance()();
    const bool cache_shows_it = chance()();
    if (cache_shows_it)
        for (const Change& change : redo) txn->set(change.table, change.key, change.value);
    if (disk_has_it != cache_shows_it) disk.limbo = disk_has_it ? redo : undo;
    return EIO;
}

int mdb_dbi_open(MDB_txn* txn, const char* name, unsigned flags, MDB_dbi* table) {
    auto& tables = txn->env->disk->tables;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        if (tables[i].name != name) continue;
        *table = static_cast<MDB_dbi>(i) + first_handle;
        return 0;
    }
    if ((flags & MDB_CREATE) == 0) return MDB_NOTFOUND;
    tables.push_back({name, {}});  // stays after an abort: an empty table tells nothing
    *table = static_cast<MDB_dbi>(tables.size() - 1) + first_handle;
    return 0;
}

int mdb_stat(MDB_txn* txn, MDB_dbi table, MDB_stat* stat) {
    *stat = MDB_stat{};
    stat->ms_psize = page_bytes;
    if (table >= first_handle) {
        stat->ms_entries = txn->rows(table).size();
    } else if (table == 1) {
        // Tables count as there once one holds a row: see mdb_dbi_open().
        stat->ms_entries = txn->env->disk->bytes == 0 ? 0 : txn->env->disk->tables.size();
    }
    return 0;
}

int mdb_get(MDB_txn* txn, MDB_dbi table, MDB_val* key, MDB_val* value) {
    if (table < first_handle) return MDB_NOTFOUND;
    const Rows& rows = txn->rows(table);
    const auto found = rows.find(view(key));
    if (found == rows.end()) return MDB_NOTFOUND;
    *value = value_of(found->second);
    return 0;
}

int mdb_put(MDB_txn* txn, MDB_dbi table, MDB_val* key, MDB_val* value, unsigned flags) {
    if ((flags & MDB_NOOVERWRITE) != 0 && txn->rows(table).contains(view(key))) return MDB_KEYEXIST;
    if (txn->env->disk->bytes + key->mv_size + value->mv_size > txn->env->map_bytes)
        return MDB_MAP_FULL;
    txn->write(table, view(key), std::string(view(value)));
    return 0;
}

int mdb_del(MDB_txn* txn, MDB_dbi table, MDB_val* key, MDB_val*) {
    if (!txn->rows(table).contains(view(key))) return MDB_NOTFOUND;
    txn->write(table, view(key), std::nullopt);
    return 0;
}

int mdb_cursor_open(MDB_txn* txn, MDB_dbi table, MDB_cursor** cursor) {
    static Rows none;
    Rows* rows = table < first_handle ? &none : &txn->rows(table);
    *cursor = new MDB_cursor{rows, rows->end()};
    return 0;
}

void mdb_cursor_close(MDB_cursor* cursor) { delete cursor; }

int mdb_cursor_get(MDB_cursor* cursor, MDB_val* key, MDB_val* value, MDB_cursor_op op) {
    Rows& rows = *cursor->rows;
    switch (op) {
        case MDB_FIRST: cursor->at = rows.begin(); break;
        case MDB_LAST: cursor->at = rows.empty() ? rows.end() : std::prev(rows.end()); break;
        case MDB_NEXT:
            if (cursor->at != rows.end()) ++cursor->at;
            break;
        case MDB_PREV:
            if (cursor->at == rows.begin()) return MDB_NOTFOUND;
            --cursor->at;
            break;
        case MDB_SET_RANGE: cursor->at = rows.lower_bound(view(key)); break;
        default: assert(false);
    }
    if (cursor->at == rows.end()) return MDB_NOTFOUND;
    *key = value_of(cursor->at->first);
    *value = value_of(cursor->at->second);
    return 0;
}

char* mdb_strerror(int code) {
    if (code == MDB_MAP_FULL) return const_cast<char*>("the map is full");
    return const_cast<char*>(code < 0 ? "an LMDB error" : std::strerror(code));
}

}  // extern "C"
