// Loaded into a program by LD_PRELOAD: records what it writes and syncs below one folder, in order.
#include "tests/powerloss/event.hpp"

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// Everything here goes to the kernel directly: other interposers, such as a sanitizer's, may not be
// ready when the first call comes.
namespace {

using namespace twophase::powerloss;

struct Tracked {
    bool is_tracked = false;
    bool is_written_through = false;  // O_DSYNC
    char name[200] = {};
};

constexpr int most_files = 4096;
constexpr int most_parts = 256;
Tracked tracked[most_files];
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
char root[512];
std::size_t root_bytes = 0;
int recording = -1;
long events_until_kill = -1;

class Lock {
public:
    Lock() { pthread_mutex_lock(&mutex); }
    ~Lock() { pthread_mutex_unlock(&mutex); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
};

[[noreturn]] void give_up(const char* why) {
    (void)!::syscall(SYS_write, 2, why, std::strlen(why));
    std::abort();
}

__attribute__((constructor)) void begin() {
    const char* path = std::getenv(recording_variable);
    const char* folder = std::getenv(root_variable);
    if (path == nullptr || folder == nullptr) return;
    recording =
        static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC, 0));
    root_bytes = std::strlen(folder);
    if (recording < 0 || root_bytes >= sizeof root) give_up("powerloss: no recording\n");
    std::memcpy(root, folder, root_bytes + 1);
    if (const char* events = std::getenv(kill_after_variable)) events_until_kill = atol(events);
}

// The name below the recorded folder; nothing for what isn't recorded: files in the folder itself.
const char* name_of(const char* path) {
    if (recording < 0 || std::strncmp(path, root, root_bytes) != 0) return nullptr;
    if (path[root_bytes] == '\0') return ".";
    return path[root_bytes] == '/' ? path + root_bytes + 1 : nullptr;
}

struct Parts {
    iovec parts[most_parts + 2];
    int count = 2;  // the header's and the name's places
    std::size_t bytes = 0;
    void add(const void* data, std::size_t size) {
        if (count == most_parts + 2) give_up("powerloss: a write has too many parts\n");
        parts[count++] = {const_cast<void*>(data), size};
        bytes += size;
    }
};

void emit(EventKind kind, const char* name, std::uint64_t offset, std::uint64_t length, Parts& of) {
    EventHeader header{.kind = kind,
                       .name_bytes = static_cast<std::uint8_t>(std::strlen(name)),
                       .unused = 0,
                       .data_bytes = static_cast<std::uint32_t>(of.bytes),
                       .offset = offset,
                       .length = length};
    of.parts[0] = {&header, sizeof header};
    of.parts[1] = {const_cast<char*>(name), header.name_bytes};
    const std::size_t wanted = sizeof header + header.name_bytes + of.bytes;
    const long done = ::syscall(SYS_writev, recording, of.parts, of.count);
    if (done != static_cast<long>(wanted)) give_up("powerloss: the recording can't be written\n");
    if (events_until_kill > 0 && --events_until_kill == 0) ::syscall(SYS_kill, ::getpid(), SIGKILL);
}

void emit(EventKind kind, const char* name, std::uint64_t offset = 0, std::uint64_t length = 0) {
    Parts none;
    emit(kind, name, offset, length, none);
}

void emit_unfit(const char* what, const char* name) {
    Parts text;
    text.add(what, std::strlen(what));
    emit(EventKind::unfit, name, 0, 0, text);
}

Tracked* find(int file) {
    if (file < 0 || file >= most_files || !tracked[file].is_tracked) return nullptr;
    return &tracked[file];
}

int record_open(int at, const char* path, int flags, mode_t mode) {
    const char* name = name_of(path);
    const bool is_directory = (flags & O_DIRECTORY) != 0;
    if (name != nullptr && !is_directory && std::strchr(name, '/') == nullptr) name = nullptr;
    struct stat status {};
    const bool is_new = name != nullptr && (flags & O_CREAT) != 0 && ::stat(path, &status) != 0;
    const Lock lock;
    if (is_new) emit(EventKind::file_made, name);
    if (name != nullptr && (flags & O_TRUNC) != 0) emit_unfit("opened with O_TRUNC", name);
    const int file = static_cast<int>(::syscall(SYS_openat, at, path, flags, mode));
    if (file < 0) return file;
    if (file >= most_files) {
        if (name != nullptr) give_up("powerloss: too many open files\n");
        return file;
    }
    tracked[file].is_tracked = name != nullptr;
    if (name == nullptr) return file;
    if (std::strlen(name) >= sizeof tracked[file].name) give_up("powerloss: too long a name\n");
    std::strcpy(tracked[file].name, name);
    tracked[file].is_written_through = (flags & O_DSYNC) != 0;
    return file;
}

// Writes are recorded one after the other, so that what is recorded before a sync has happened.
template <class Write>
long record_write(const Tracked& to, off_t offset, Parts& parts, const Write& write) {
    const Lock lock;
    const auto at = static_cast<std::uint64_t>(offset);
    const std::size_t bytes = parts.bytes;
    emit(EventKind::written, to.name, at, bytes, parts);
    const long done = write();
    if (done != static_cast<long>(bytes)) emit_unfit("a write failed", to.name);
    if (to.is_written_through) emit(EventKind::range_synced, to.name, at, bytes);
    return done;
}

long record_pwrite(int file, const void* bytes, std::size_t size, off_t offset) {
    const auto write = [&] { return ::syscall(SYS_pwrite64, file, bytes, size, offset); };
    const Tracked* to = find(file);
    if (to == nullptr) return write();
    Parts parts;
    parts.add(bytes, size);
    return record_write(*to, offset, parts, write);
}

long record_writev(int file, const iovec* from, int count, off_t offset, long system_call) {
    const auto write = [&] { return ::syscall(system_call, file, from, count, offset, 0); };
    const Tracked* to = find(file);
    if (to == nullptr) return write();
    Parts parts;
    for (int i = 0; i < count; ++i) parts.add(from[i].iov_base, from[i].iov_len);
    return record_write(*to, offset, parts, write);
}

off_t place_of(int file) { return ::syscall(SYS_lseek, file, 0, SEEK_CUR); }

int record_sync(int file, long system_call) {
    const Tracked* of = find(file);
    if (of == nullptr) return static_cast<int>(::syscall(system_call, file));
    {
        const Lock lock;
        emit(EventKind::sync_begun, of->name);
    }
    const int result = static_cast<int>(::syscall(system_call, file));
    const Lock lock;
    if (result == 0)
        emit(EventKind::synced, of->name);
    else
        emit_unfit("a sync failed", of->name);
    return result;
}

int record_length(int file, off_t length, long system_call, long a, long b, long c) {
    const Lock lock;
    if (const Tracked* of = find(file))
        emit(EventKind::length_set, of->name, static_cast<std::uint64_t>(length));
    return static_cast<int>(::syscall(system_call, file, a, b, c));
}

}  // namespace

extern "C" {

// glibc's two names for each call, and the ones that fortified programs use.
#define TAKE_MODE                             \
    va_list more;                             \
    va_start(more, flags);                    \
    const mode_t mode = va_arg(more, mode_t); \
    va_end(more)

int open(const char* path, int flags, ...) {
    TAKE_MODE;
    return record_open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    TAKE_MODE;
    return record_open(AT_FDCWD, path, flags, mode);
}
int openat(int at, const char* path, int flags, ...) {
    TAKE_MODE;
    return record_open(at, path, flags, mode);
}
int openat64(int at, const char* path, int flags, ...) {
    TAKE_MODE;
    return record_open(at, path, flags, mode);
}
int __open_2(const char* path, int flags) { return record_open(AT_FDCWD, path, flags, 0); }
int __open64_2(const char* path, int flags) { return record_open(AT_FDCWD, path, flags, 0); }

int close(int file) {
    const Lock lock;
    if (Tracked* known = find(file)) known->is_tracked = false;
    return static_cast<int>(::syscall(SYS_close, file));
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
    return record_pwrite(file, bytes, size, offset);
}
ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t offset) {
    return record_pwrite(file, bytes, size, offset);
}
ssize_t write(int file, const void* bytes, size_t size) {
    const iovec part{const_cast<void*>(bytes), size};
    if (find(file) == nullptr) return ::syscall(SYS_write, file, bytes, size);
    return record_writev(file, &part, 1, place_of(file), SYS_writev);
}
ssize_t writev(int file, const iovec* parts, int count) {
    return record_writev(file, parts, count, find(file) ? place_of(file) : 0, SYS_writev);
}
ssize_t pwritev(int file, const iovec* parts, int count, off_t offset) {
    return record_writev(file, parts, count, offset, SYS_pwritev);
}
ssize_t pwritev64(int file, const iovec* parts, int count, off64_t offset) {
    return record_writev(file, parts, count, offset, SYS_pwritev);
}

int fsync(int file) { return record_sync(file, SYS_fsync); }
int fdatasync(int file) { return record_sync(file, SYS_fdatasync); }

int ftruncate(int file, off_t length) {
    return record_length(file, length, SYS_ftruncate, length, 0, 0);
}
int ftruncate64(int file, off64_t length) {
    return record_length(file, length, SYS_ftruncate, length, 0, 0);
}
int fallocate(int file, int mode, off_t offset, off_t length) {
    if (const Tracked* of = find(file); of != nullptr && mode != 0) {
        const Lock lock;
        emit_unfit("fallocate with a mode", of->name);
    }
    return record_length(file, offset + length, SYS_fallocate, mode, offset, length);
}
int fallocate64(int file, int mode, off64_t offset, off64_t length) {
    return fallocate(file, mode, offset, length);
}

int mkdir(const char* path, mode_t mode) {
    const char* name = name_of(path);
    struct stat status {};
    const Lock lock;
    if (name != nullptr && ::stat(path, &status) != 0) emit(EventKind::directory_made, name);
    return static_cast<int>(::syscall(SYS_mkdir, path, mode));
}

int rename(const char* from, const char* to) {
    const char* name = name_of(to);
    if (name != nullptr && std::strchr(name, '/') != nullptr) {
        const Lock lock;
        emit_unfit("a rename", name);
    }
    return static_cast<int>(::syscall(SYS_rename, from, to));
}

int unlink(const char* path) {
    const char* name = name_of(path);
    if (name != nullptr && std::strchr(name, '/') != nullptr) {
        const Lock lock;
        emit_unfit("an unlink", name);
    }
    return static_cast<int>(::syscall(SYS_unlink, path));
}

// What is stored through a mapping, nobody sees. LMDB maps its lock file so, which no image needs.
void* mmap(void* address, size_t length, int protection, int flags, int file, off_t offset) {
    const Tracked* of = find(file);
    if (of != nullptr && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0 &&
        std::strstr(of->name, "lock.mdb") == nullptr) {
        const Lock lock;
        emit_unfit("a mapping that may be written", of->name);
    }
    const long result = ::syscall(SYS_mmap, address, length, protection, flags, file, offset);
    return result == -1 ? MAP_FAILED : reinterpret_cast<void*>(result);
}
}
