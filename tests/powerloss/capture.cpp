#include "tests/powerloss/capture.hpp"

#include <fcntl.h>
#include <mutex>
#include <optional>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace twophase::powerloss {
namespace {

struct Watched {
    std::string name;
    dev_t device = 0;
    ino_t inode = 0;
};

std::mutex mutex;
std::vector<Watched> watched;
std::vector<Event> events;

std::optional<std::string> name_of(int file) {
    if (watched.empty()) return std::nullopt;
    struct stat status {};
    if (::fstat(file, &status) != 0) return std::nullopt;
    for (const Watched& each : watched)
        if (each.device == status.st_dev && each.inode == status.st_ino) return each.name;
    return std::nullopt;
}

void add(EventKind kind, int file, std::uint64_t offset = 0, std::uint64_t length = 0) {
    const std::lock_guard lock(mutex);
    if (auto name = name_of(file))
        events.push_back({kind, std::move(*name), offset, length, std::string()});
}

/// Records what is written at `offset`, and whether it is durable at once.
void add_write(int file, const iovec* parts, int count, off_t offset) {
    const std::lock_guard lock(mutex);
    const auto name = name_of(file);
    if (!name) return;
    std::string data;
    for (int i = 0; i < count; ++i)
        data.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    const std::uint64_t bytes = data.size();
    const auto at = static_cast<std::uint64_t>(offset);
    events.push_back({EventKind::written, *name, at, bytes, std::move(data)});
    if ((::fcntl(file, F_GETFL) & O_DSYNC) != 0)
        events.push_back({EventKind::range_synced, *name, at, bytes, std::string()});
}

int sync(int file) {
    add(EventKind::sync_begun, file);
    add(EventKind::synced, file);
    return 0;  // images needn't survive anything
}

}  // namespace

Capture& Capture::instance() {
    static Capture capture;
    return capture;
}

void Capture::watch(const std::string& name, int file) {
    struct stat status {};
    ::fstat(file, &status);
    const std::lock_guard lock(mutex);
    watched.push_back({name, status.st_dev, status.st_ino});
}

void Capture::note(const std::string& text) {
    const std::lock_guard lock(mutex);
    events.push_back({EventKind::noted, "", 0, 0, text});
}

std::vector<Event> Capture::take() {
    const std::lock_guard lock(mutex);
    watched.clear();
    return std::exchange(events, {});
}

}  // namespace twophase::powerloss

// LMDB's calls end here, as an executable's symbols go before those of its libraries.
extern "C" {

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
    const iovec part{const_cast<void*>(bytes), size};
    twophase::powerloss::add_write(file, &part, 1, offset);
    return ::syscall(SYS_pwrite64, file, bytes, size, offset);
}

ssize_t writev(int file, const iovec* parts, int count) {
    const off_t offset = ::lseek(file, 0, SEEK_CUR);  // fails for a pipe or socket: not watched
    if (offset >= 0) twophase::powerloss::add_write(file, parts, count, offset);
    return ::syscall(SYS_writev, file, parts, count);
}

int fdatasync(int file) { return twophase::powerloss::sync(file); }
int fsync(int file) { return twophase::powerloss::sync(file); }

// A length is enough for an image; blocks would take their time to be filled with zeros.
int fallocate(int file, int, off_t offset, off_t length) {
    twophase::powerloss::add(twophase::powerloss::EventKind::length_set,
                             file,
                             static_cast<std::uint64_t>(offset + length));
    return static_cast<int>(::syscall(SYS_ftruncate, file, offset + length));
}
}
