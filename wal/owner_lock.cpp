#include "wal/owner_lock.hpp"

#include "wal/environment.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace twophase::wal {
namespace {

constexpr mode_t owner_only = 0600;
// The owner's process stands in the first bytes, the note behind them. Written in place: to cut the
// file first could lose the note.
constexpr std::size_t owner_bytes = 32;
constexpr std::string_view has_a_store = "has a store\n";
// Behind that two lines: the note that the store has recorded, and one that it is about to.
constexpr std::size_t notes_at = 64;
constexpr std::size_t note_bytes = 32;

std::string read(int file, std::size_t from, std::size_t bytes) {
    std::string text(bytes, '\0');
    const auto length = ::pread(file, text.data(), bytes, static_cast<off_t>(from));
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return text;
}

Token note_in(int file, std::size_t line) {
    const std::string text = read(file, notes_at + line * (note_bytes + 1), note_bytes);
    return parse_token(text).value_or(Token{});
}

std::string note_line(const Token& note) {
    std::string line = to_text(note);
    line.resize(note_bytes, ' ');
    return line + "\n";
}

std::string owner_in(int file) {
    const std::string text = read(file, 0, owner_bytes);
    return text.empty() ? "?" : text.substr(0, text.find_first_of(" \n"));
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
    had_store_ = read(file_, owner_bytes, has_a_store.size()) == has_a_store;
    confirmed_note_ = note_in(file_, 0);
    pending_note_ = note_in(file_, 1);
    // The process is only for the message above; the lock itself is the kernel's.
    std::string process = std::to_string(::getpid());
    process.resize(owner_bytes - 1, ' ');
    process += '\n';
    (void)!::pwrite(file_, process.data(), process.size(), 0);
}

void OwnerLock::note_store() {
    if (std::exchange(had_store_, true)) return;
    (void)!::pwrite(file_, has_a_store.data(), has_a_store.size(), owner_bytes);
    ::fsync(file_);
}

bool OwnerLock::was_last(const Token& note) const {
    return !note.is_none() && (note == confirmed_note_ || note == pending_note_);
}

void OwnerLock::write_note(const Token& recorded, const Token& next) {
    write_notes(recorded, next);
    confirmed_note_ = recorded;
    pending_note_ = next;
}

void OwnerLock::confirm_note(const Token& note) {
    write_notes(note, Token{});
    confirmed_note_ = note;
    pending_note_ = Token{};
}

void OwnerLock::write_notes(const Token& confirmed, const Token& pending) const {
    const std::string lines = note_line(confirmed) + note_line(pending);
    const auto written = ::pwrite(file_, lines.data(), lines.size(), notes_at);
    if (written != static_cast<ssize_t>(lines.size()) || ::fsync(file_) != 0)
        throw StoreError(written < 0 ? errno : EIO, "write the note beside the store");
}

OwnerLock::~OwnerLock() { ::close(file_); }

}  // namespace twophase::wal
