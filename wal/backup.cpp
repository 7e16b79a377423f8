#include "wal/backup.hpp"

#include "wal/disk.hpp"
#include "wal/owner_lock.hpp"
#include "wal/store.hpp"
#include "wal/store_table.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace twophase::wal {
namespace {

namespace fs = std::filesystem;

constexpr mode_t owner_only_file = 0600;

constexpr const char* draft_mark = ".partial-";

std::string name_of(const fs::path& target) {
    return fs::absolute(target).lexically_normal().filename().string();
}

/// A directory that is locked while this lives, as long as its process does.
class LockedDirectory {
public:
    enum class Other { is_waited_for, keeps_it };
    LockedDirectory(const fs::path& path, Other other)
        : file_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        const int how = other == Other::keeps_it ? LOCK_EX | LOCK_NB : LOCK_EX;
        is_held_ = file_ >= 0 && ::flock(file_, how) == 0;
    }
    ~LockedDirectory() {
        if (file_ >= 0) ::close(file_);
    }
    LockedDirectory(const LockedDirectory&) = delete;
    LockedDirectory& operator=(const LockedDirectory&) = delete;
    bool is_held() const { return is_held_; }

private:
    int file_;
    bool is_held_ = false;
};

/// What a process that died left of its copies to this target. Those that are written have a lock.
void remove_left_drafts(const fs::path& target) {
    const std::string prefix = name_of(target) + draft_mark;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(parent_of(target), ignored)) {
        if (!entry.path().filename().string().starts_with(prefix)) continue;
        const LockedDirectory free(entry.path(), LockedDirectory::Other::keeps_it);
        if (free.is_held()) fs::remove_all(entry.path(), ignored);
    }
}

fs::path make_draft(const fs::path& target) {
    std::string path = (parent_of(target) / (name_of(target) + draft_mark + "XXXXXX")).string();
    if (::mkdtemp(path.data()) == nullptr) throw StoreError(errno, "make the directory " + path);
    return path;
}

// A directory that takes its name only when all in it is durable; gone when that never comes. Two
// of one name do not meet: the first that is whole takes the name, the other is refused.
class Draft {
public:
    explicit Draft(const fs::path& target) : target_(target) {
        make_directory(parent_of(target));
        // Between its making and its lock nobody may take it for one that was left.
        const LockedDirectory all(parent_of(target), LockedDirectory::Other::is_waited_for);
        remove_left_drafts(target);
        path_ = make_draft(target);
        lock_.emplace(path_, LockedDirectory::Other::keeps_it);
        if (!all.is_held() || !lock_->is_held())
            throw StoreError(errno, "lock the directory " + path_.string());
    }
    ~Draft() {
        std::error_code ignored;
        if (!is_published_) fs::remove_all(path_, ignored);
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    const fs::path& path() const { return path_; }

    void publish() {
        const fs::path data = path_ / "data.mdb";
        fs::remove(path_ / "lock.mdb");
        if (::chmod(data.c_str(), owner_only_file) != 0)
            throw StoreError(errno, "set the permissions of " + data.string());
        sync_file(data);
        sync_directory(path_);
        if (!take_name()) throw StoreError(errno, "name the copy " + target_.string());
        is_published_ = true;
        sync_directory(parent_of(target_));
    }

private:
    /// Never in the place of something else, an empty directory aside.
    bool take_name() const {
        ::rmdir(target_.c_str());
        const char* from = path_.c_str();
        const char* to = target_.c_str();
        if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
        // A file system that doesn't know the flag: a full directory isn't replaced either.
        return errno == EINVAL && std::rename(from, to) == 0;
    }

    fs::path target_;
    fs::path path_;
    std::optional<LockedDirectory> lock_;
    bool is_published_ = false;
};

Table existing_store_table(Environment& environment, const fs::path& directory) {
    const auto table = environment.find_table(store_table_name);
    if (!table) throw no_identity(directory);
    return *table;
}

StoreIdentity existing_identity(const Reader& reader, Table table, const fs::path& directory) {
    auto identity = read_identity(reader, table);
    if (!identity) throw no_identity(directory);
    return *std::move(identity);
}

// Any map will do: LMDB makes it as large as the file needs, and this adds a few pages.
std::size_t map_bytes_for(const fs::path& directory) {
    return fs::file_size(directory / "data.mdb") + (std::size_t{1} << 20);
}

void change_identity(Environment& environment,
                     const fs::path& directory,
                     const std::function<void(StoreIdentity&)>& change) {
    const Table table = existing_store_table(environment, directory);
    Batch batch = environment.batch();
    StoreIdentity identity = existing_identity(batch, table, directory);
    change(identity);
    write_identity(batch, table, identity);
    batch.commit();
}

void change_identity(const fs::path& directory, const std::function<void(StoreIdentity&)>& change) {
    Environment environment({.directory = directory, .map_bytes = map_bytes_for(directory)});
    change_identity(environment, directory, change);
}

std::string full_path(const fs::path& directory) {
    return fs::absolute(directory).lexically_normal().string();
}

/// Above any epoch that the lost store may have reached, and another for each restore of one
/// backup, so that of two copies the later one is listened to. Participants take no epoch that is
/// much ahead of their clocks.
std::uint64_t restored_epoch(std::uint64_t backed_up) {
    constexpr std::uint64_t in_2020 = 1'577'836'800'000'000;
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    const auto now = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count());
    if (now < in_2020)
        throw StoreError::refused(
            "the clock says that it is before 2020: set it, then restore; a restored store counts "
            "on from the time of its restore");
    return std::max(backed_up + restored_epochs_ahead, now);
}

void check_exists(const fs::path& directory) {
    if (!fs::exists(directory / "data.mdb"))
        throw StoreError(ENOENT, "find a store in " + directory.string());
    check_data_file(directory);
}

}  // namespace

void write_backup(const Environment& environment, const fs::path& to) {
    if (fs::exists(to)) throw StoreError(EEXIST, "write a backup to " + to.string());
    Draft draft(to);
    environment.copy_to(draft.path());
    change_identity(draft.path(), [](StoreIdentity& identity) { identity.is_backup = true; });
    draft.publish();
}

void restore(const fs::path& from, const fs::path& to) {
    check_exists(from);
    if (fs::exists(to) && !fs::is_empty(to))
        throw StoreError(ENOTEMPTY, "restore to " + to.string());
    Draft draft(to);
    fs::copy_file(from / "data.mdb", draft.path() / "data.mdb");
    change_identity(draft.path(), [&](StoreIdentity& identity) {
        if (!identity.is_backup)
            throw StoreError::refused(from.string() +
                                      " is not a backup; make one with `recoveryctl backup`");
        make_restored(identity, system_random);
    });
    draft.publish();
}

void make_restored(StoreIdentity& identity, const std::function<std::uint64_t()>& random) {
    identity.is_backup = false;
    identity.was_restored = true;
    identity.epoch = restored_epoch(identity.epoch);
    identity.replaces.insert(identity.replaces.begin(), identity.log);
    identity.log = draw_token(random);
    identity.why_it_replaces = "made out of a backup";
    identity.start = Token{};
    identity.is_moved = false;  // what was lost is known to be
    identity.is_handed_over = true;
    identity.awaits_acceptance = true;
    identity.moved_to.clear();
}

void make_successor(StoreIdentity& identity,
                    const std::vector<Token>& replaced,
                    const std::string& why) {
    std::vector<Token> all = replaced;
    for (const Token& each : identity.replaces)
        if (std::ranges::find(all, each) == all.end()) all.push_back(each);
    if (std::ranges::find(all, identity.log) != all.end())
        throw StoreError::refused("a log can't succeed itself");
    identity.replaces = std::move(all);
    identity.why_it_replaces = why;
    identity.awaits_acceptance = true;
}

StoreIdentity succeed(const fs::path& directory,
                      const std::string& kind,
                      const std::vector<Token>& replaced,
                      const std::string& why) {
    check_exists(directory);
    const OwnerLock lock(directory);
    Environment environment({.directory = directory, .map_bytes = map_bytes_for(directory)});
    if (const auto records = environment.find_table("records");
        records && environment.snapshot().count(*records) > 0)
        throw StoreError::refused(directory.string() +
                                  " holds transactions: only a new log can succeed another");
    StoreIdentity made;
    change_identity(environment, directory, [&](StoreIdentity& identity) {
        if (identity.kind != kind)
            throw StoreError::refused(directory.string() + " is the store of a " + identity.kind);
        make_successor(identity, replaced, why);
        made = identity;
    });
    return made;
}

void hand_over(const fs::path& from, const fs::path& to) {
    check_exists(from);
    const OwnerLock lock(from);
    const std::string target = full_path(to);
    const bool is_there = fs::exists(to) && !fs::is_empty(to);
    Environment environment({.directory = from, .map_bytes = map_bytes_for(from)});
    // The mark first: at no moment can both be started. It is a barrier too: what was read here is
    // durable with it.
    change_identity(environment, from, [&](StoreIdentity& identity) {
        if (identity.is_backup) throw StoreError::refused(from.string() + " is a backup");
        if (!identity.moved_to.empty() && identity.moved_to != target)
            throw StoreError::refused(from.string() + " was handed over to " + identity.moved_to);
        if (is_there)
            throw StoreError(identity.moved_to.empty() ? ENOTEMPTY : EEXIST,
                             "hand over to " + target);
        identity.moved_to = target;
    });
    Draft draft(to);
    environment.copy_to(draft.path());
    change_identity(draft.path(), [](StoreIdentity& identity) {
        identity.moved_to.clear();
        identity.is_handed_over = true;
    });
    draft.publish();
}

StoreIdentity inspect(const fs::path& directory) {
    if (!fs::exists(directory / "data.mdb"))
        throw StoreError(ENOENT, "find a store in " + directory.string());
    const OwnerLock lock(directory);
    check_data_file(directory);
    Environment environment({.directory = directory, .read_only = true});
    const Table table = existing_store_table(environment, directory);
    return existing_identity(environment.snapshot(), table, directory);
}

}  // namespace twophase::wal
