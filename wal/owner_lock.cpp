#include "wal/owner_lock.hpp"

#include "wal/environment.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>

namespace twophase::wal {
namespace {

constexpr mode_t owner_only = 0600;

std::string owner_in(int file) {
    std::array<char, 32> text{};
    const auto length = ::pread(file, text.data(), text.size(), 0);
    return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : "?";
}

}  // namespace

OwnerLock::OwnerLock(const std::filesystem::path& directory)
    : file_(::open((directory / "owner.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, owner_only)) {
    if (file_ < 0) throw StoreError(errno, "open the owner lock in " + directory.string());
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno == EWOULDBLOCK ? EBUSY : errno;
        const std::string owner = owner_in(file_);
        ::close(file_);
        throw StoreError(
            error, "the store " + directory.string() + " belongs to running process " + owner);
    }
    // Only for the message above; the lock itself is the kernel's.
    const std::string process = std::to_string(::getpid());
    if (::ftruncate(file_, 0) == 0) (void)!::pwrite(file_, process.data(), process.size(), 0);
}

OwnerLock::~OwnerLock() { ::close(file_); }

}  // namespace twophase::wal
