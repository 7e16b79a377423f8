#include "wal/owner_lock.hpp"

#include "wal/environment.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace twophase::wal {
namespace {

constexpr mode_t owner_only = 0600;
constexpr const char* has_a_store = " has a store";

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
        std::string owner = owner_in(file_);
        owner.resize(std::min(owner.size(), owner.find(' ')));
        ::close(file_);
        throw StoreError(
            error, "the store " + directory.string() + " belongs to running process " + owner);
    }
    had_store_ = owner_in(file_).ends_with(has_a_store);
    write(had_store_);
}

// The process is only for the message above; the lock itself is the kernel's.
void OwnerLock::write(bool has_store) const {
    const std::string text = std::to_string(::getpid()) + (has_store ? has_a_store : "");
    if (::ftruncate(file_, 0) == 0) (void)!::pwrite(file_, text.data(), text.size(), 0);
}

void OwnerLock::note_store() {
    if (std::exchange(had_store_, true)) return;
    write(true);
    ::fsync(file_);
}

OwnerLock::~OwnerLock() { ::close(file_); }

}  // namespace twophase::wal
