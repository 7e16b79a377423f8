#include "wal/disk.hpp"

#include "wal/environment.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>

namespace twophase::wal {
namespace {

constexpr mode_t owner_only = 0700;

void sync_path(const std::filesystem::path& path, int flags) {
    const int file = ::open(path.c_str(), flags | O_CLOEXEC);
    if (file < 0) throw StoreError(errno, "open " + path.string());
    const int error = ::fsync(file) == 0 ? 0 : errno;
    ::close(file);
    if (error != 0) throw StoreError(error, "sync " + path.string());
}

constexpr auto unfit_file_systems = std::to_array<std::pair<unsigned, const char*>>({
    {0x6969, "NFS"},
    {0xFF534D42, "CIFS"},
    {0x517B, "SMB"},
    {0xFE534D42, "SMB2"},
    {0x65735546, "FUSE"},
    {0x01021994, "tmpfs"},
    {0x858458F6, "ramfs"},
    {0x01021997, "9p"},
    {0x00C36400, "Ceph"},
    {0x5346414F, "AFS"},
});

}  // namespace

std::filesystem::path parent_of(const std::filesystem::path& path) {
    auto normal = std::filesystem::absolute(path).lexically_normal();
    if (!normal.has_filename()) normal = normal.parent_path();  // a trailing slash
    return normal.parent_path();
}

void make_directory(const std::filesystem::path& directory) {
    if (std::filesystem::exists(directory)) return;
    const auto parent = parent_of(directory);
    if (!std::filesystem::exists(parent)) make_directory(parent);
    if (::mkdir(directory.c_str(), owner_only) != 0 && errno != EEXIST)
        throw StoreError(errno, "create " + directory.string());
    sync_directory(parent);
}

void sync_directory(const std::filesystem::path& directory) {
    sync_path(directory, O_RDONLY | O_DIRECTORY);
}

void sync_file(const std::filesystem::path& file) { sync_path(file, O_RDONLY); }

void check_file_system(const std::filesystem::path& directory) {
    struct statfs status {};
    if (::statfs(directory.c_str(), &status) != 0)
        throw StoreError(errno, "look at the file system of " + directory.string());
    for (const auto& [magic, name] : unfit_file_systems)
        if (static_cast<unsigned>(status.f_type) == magic)
            throw StoreError::refused("the store " + directory.string() + " is on " + name +
                                      ", which does not keep what it was told to sync or to lock; "
                                      "put it on a local disk");
}

std::size_t disk_free_bytes(const std::filesystem::path& directory) {
    struct statvfs status {};
    if (::statvfs(directory.c_str(), &status) != 0)
        throw StoreError(errno, "look at the free space of " + directory.string());
    return static_cast<std::size_t>(status.f_bavail) * status.f_frsize;
}

std::optional<std::uint64_t> bytes_written_by(int thread_id) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread_id) + "/io");
    std::string name;
    std::uint64_t value = 0;
    while (file >> name >> value)
        if (name == "write_bytes:") return value;
    return std::nullopt;
}

}  // namespace twophase::wal
