// Preloaded into a program, makes a chosen system call of it fail. Without sanitizers, and no
// allocation: it stands below the sanitizers' own wrappers.
#include "tests/faults/failing_io.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

using twophase::faults::Call;
using twophase::faults::FailingPage;

FailingPage* map_page() {
    const char* file = std::getenv("FAILING_IO");
    const int opened = file == nullptr ? -1 : ::open(file, O_RDWR | O_CLOEXEC);
    if (opened < 0) return nullptr;
    void* at = ::mmap(nullptr, sizeof(FailingPage), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    ::close(opened);
    return at == MAP_FAILED ? nullptr : static_cast<FailingPage*>(at);
}

// Mapped before main(): nothing of it may be left for the first call on a thread.
FailingPage* const page = map_page();

template <class Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));  // NOLINT: dlsym's way
}

bool is_file(int descriptor) {
    struct stat status {};
    return descriptor > STDERR_FILENO && ::fstat(descriptor, &status) == 0 &&
           S_ISREG(status.st_mode);
}

bool is_called(int descriptor, std::string_view name) {
    char link[32];
    char path[4096];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t bytes = ::readlink(link, path, sizeof path);
    return bytes > 0 && std::string_view(path, static_cast<size_t>(bytes)).ends_with(name);
}

bool is_store(int descriptor) { return is_called(descriptor, "/data.mdb"); }

/// What stands there is only told, and protects from what is none of the program's doing.
bool is_lock(int descriptor) { return is_called(descriptor, "/owner.lock"); }

bool is_socket(int descriptor) {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
}

bool is_meant(Call call, int descriptor) {
    switch (call) {
        case Call::none: return false;
        case Call::store_write:
        case Call::store_sync:
        case Call::store_space:
        case Call::store_read: return is_store(descriptor);
        case Call::meta_write:
            return is_store(descriptor) && (::fcntl(descriptor, F_GETFL) & O_DSYNC) != 0;
        case Call::file_write:
        case Call::file_read:
            return is_file(descriptor) && !is_store(descriptor) && !is_lock(descriptor);
        default: return is_socket(descriptor);
    }
}

/// The errno with which this call fails, or `half`; nothing when it is to go through.
template <class... Calls>
std::optional<int> failure(int descriptor, Calls... calls) {
    if (page == nullptr) return {};
    const Call armed = page->call;
    if (!((armed == calls) || ...) || !is_meant(armed, descriptor)) return {};
    const long left = page->calls_left.fetch_sub(1);
    if (left > 1 || (left < 1 && !page->is_forever)) return {};
    ++page->failed;
    return page->error.load();
}

/// What a call of `bytes` bytes does: all, half of it, or nothing but an errno.
template <class Real>
ssize_t transfer(std::optional<int> failure, size_t bytes, const Real& real) {
    if (!failure) return real(bytes);
    if (*failure == FailingPage::half) return real(bytes > 1 ? bytes / 2 : bytes);
    errno = *failure;
    return -1;
}

/// As transfer(), for calls that take several buffers: half is the first of them, cut in half.
template <class Real>
ssize_t transfer_all(std::optional<int> failure,
                     const iovec* parts,
                     size_t count,
                     const Real& real) {
    if (!failure) return real(parts, count);
    if (*failure != FailingPage::half) {
        errno = *failure;
        return -1;
    }
    if (count == 0) return real(parts, count);
    iovec half = parts[0];
    if (half.iov_len > 1) half.iov_len /= 2;
    return real(&half, 1);
}

int succeed_or(std::optional<int> failure, const auto& real) {
    if (!failure || *failure == FailingPage::half) return real();
    errno = *failure;
    return -1;
}

}  // namespace

extern "C" {

ssize_t write(int to, const void* data, size_t bytes) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
    return transfer(failure(to, Call::store_write, Call::meta_write, Call::file_write, Call::send),
                    bytes,
                    [&](size_t n) { return real(to, data, n); });
}

ssize_t pwrite(int to, const void* data, size_t bytes, off_t at) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
    return transfer(failure(to, Call::store_write, Call::meta_write, Call::file_write),
                    bytes,
                    [&](size_t n) { return real(to, data, n, at); });
}

ssize_t pwrite64(int to, const void* data, size_t bytes, off64_t at) {
    return pwrite(to, data, bytes, at);
}

ssize_t writev(int to, const iovec* parts, int count) {
    static const auto real = next<ssize_t (*)(int, const iovec*, int)>("writev");
    return transfer_all(
        failure(to, Call::store_write, Call::meta_write, Call::file_write, Call::send),
        parts,
        static_cast<size_t>(count),
        [&](const iovec* v, size_t n) { return real(to, v, static_cast<int>(n)); });
}

ssize_t pwritev(int to, const iovec* parts, int count, off_t at) {
    static const auto real = next<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev");
    return transfer_all(
        failure(to, Call::store_write, Call::meta_write, Call::file_write),
        parts,
        static_cast<size_t>(count),
        [&](const iovec* v, size_t n) { return real(to, v, static_cast<int>(n), at); });
}

ssize_t pwritev64(int to, const iovec* parts, int count, off64_t at) {
    return pwritev(to, parts, count, at);
}

int fsync(int of) {
    static const auto real = next<int (*)(int)>("fsync");
    return succeed_or(failure(of, Call::store_sync), [&] { return real(of); });
}

int fdatasync(int of) {
    static const auto real = next<int (*)(int)>("fdatasync");
    return succeed_or(failure(of, Call::store_sync), [&] { return real(of); });
}

int fallocate(int of, int mode, off_t at, off_t bytes) {
    static const auto real = next<int (*)(int, int, off_t, off_t)>("fallocate");
    return succeed_or(failure(of, Call::store_space), [&] { return real(of, mode, at, bytes); });
}

int fallocate64(int of, int mode, off64_t at, off64_t bytes) {
    return fallocate(of, mode, at, bytes);
}

int ftruncate(int of, off_t bytes) noexcept {
    static const auto real = next<int (*)(int, off_t)>("ftruncate");
    return succeed_or(failure(of, Call::store_space), [&] { return real(of, bytes); });
}

int ftruncate64(int of, off64_t bytes) noexcept { return ftruncate(of, bytes); }

ssize_t read(int from, void* data, size_t bytes) {
    static const auto real = next<ssize_t (*)(int, void*, size_t)>("read");
    return transfer(failure(from, Call::store_read, Call::file_read, Call::receive),
                    bytes,
                    [&](size_t n) { return real(from, data, n); });
}

ssize_t pread(int from, void* data, size_t bytes, off_t at) {
    static const auto real = next<ssize_t (*)(int, void*, size_t, off_t)>("pread");
    return transfer(failure(from, Call::store_read, Call::file_read), bytes, [&](size_t n) {
        return real(from, data, n, at);
    });
}

ssize_t pread64(int from, void* data, size_t bytes, off64_t at) {
    return pread(from, data, bytes, at);
}

ssize_t readv(int from, const iovec* parts, int count) {
    static const auto real = next<ssize_t (*)(int, const iovec*, int)>("readv");
    return transfer_all(
        failure(from, Call::store_read, Call::file_read, Call::receive),
        parts,
        static_cast<size_t>(count),
        [&](const iovec* v, size_t n) { return real(from, v, static_cast<int>(n)); });
}

ssize_t send(int to, const void* data, size_t bytes, int flags) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t, int)>("send");
    return transfer(
        failure(to, Call::send), bytes, [&](size_t n) { return real(to, data, n, flags); });
}

ssize_t sendmsg(int to, const msghdr* message, int flags) {
    static const auto real = next<ssize_t (*)(int, const msghdr*, int)>("sendmsg");
    return transfer_all(failure(to, Call::send),
                        message->msg_iov,
                        message->msg_iovlen,
                        [&](const iovec* v, size_t n) {
                            msghdr part = *message;
                            part.msg_iov = const_cast<iovec*>(v);  // NOLINT: C's way
                            part.msg_iovlen = n;
                            return real(to, &part, flags);
                        });
}

ssize_t recv(int from, void* data, size_t bytes, int flags) {
    static const auto real = next<ssize_t (*)(int, void*, size_t, int)>("recv");
    return transfer(
        failure(from, Call::receive), bytes, [&](size_t n) { return real(from, data, n, flags); });
}

ssize_t recvmsg(int from, msghdr* message, int flags) {
    static const auto real = next<ssize_t (*)(int, msghdr*, int)>("recvmsg");
    return transfer_all(failure(from, Call::receive),
                        message->msg_iov,
                        message->msg_iovlen,
                        [&](const iovec* v, size_t n) {
                            msghdr part = *message;
                            part.msg_iov = const_cast<iovec*>(v);  // NOLINT: C's way
                            part.msg_iovlen = n;
                            return real(from, &part, flags);
                        });
}

int accept(int on, sockaddr* address, socklen_t* bytes) {
    static const auto real = next<int (*)(int, sockaddr*, socklen_t*)>("accept");
    return succeed_or(failure(on, Call::accept), [&] { return real(on, address, bytes); });
}

int accept4(int on, sockaddr* address, socklen_t* bytes, int flags) {
    static const auto real = next<int (*)(int, sockaddr*, socklen_t*, int)>("accept4");
    return succeed_or(failure(on, Call::accept), [&] { return real(on, address, bytes, flags); });
}

int connect(int from, const sockaddr* address, socklen_t bytes) {
    static const auto real = next<int (*)(int, const sockaddr*, socklen_t)>("connect");
    return succeed_or(failure(from, Call::connect), [&] { return real(from, address, bytes); });
}

}  // extern "C"
