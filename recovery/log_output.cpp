#include "recovery/log_output.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <string_view>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace twophase::recovery {
namespace {

constexpr std::size_t room_for_urgent_lines = std::size_t{64} << 10;

/// How much of `text` was written: all of it, unless writing fails. Waits for a reader.
std::size_t write_all(int to, std::string_view text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t written = ::write(to, text.data() + done, text.size() - done);
        if (written >= 0) {
            done += static_cast<std::size_t>(written);
        } else if (errno == EAGAIN) {
            // Somebody who shares it made it non-blocking.
            pollfd room{.fd = to, .events = POLLOUT, .revents = 0};
            ::poll(&room, 1, -1);
        } else if (errno != EINTR) {
            break;
        }
    }
    return done;
}

bool is_same_file(int descriptor, const std::string& path) {
    struct stat open {};
    struct stat named {};
    return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/// Under which name the descriptor's file was opened; empty for what is no file.
std::string path_of(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return {};
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t bytes = ::readlink(link.c_str(), path.data(), path.size());
    std::string name(path.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    return is_same_file(descriptor, name) ? name : std::string();
}

}  // namespace

struct LogOutput::State {
    struct Line {
        std::string text;
        std::uint64_t dropped_before = 0;  // since the line before it
    };

    State(int to, std::size_t most) : descriptor(to), max_waiting_bytes(most), path(path_of(to)) {}

    void run();
    bool put(const Line& line);

    const int descriptor;
    const std::size_t max_waiting_bytes;
    const std::string path;  // empty: no file
    mutable std::mutex mutex;
    std::condition_variable changed;
    mutable std::condition_variable drained;
    std::deque<Line> lines;         // the first one is being written
    std::size_t waiting_bytes = 0;  // of these
    std::uint64_t dropped = 0;
    std::uint64_t dropped_before_next = 0;
    bool is_closed = false;
    // The thread's own.
    std::uint64_t missing = 0;  // lines that the reader has not been told of
    bool is_cut = false;        // the last line ended in its middle
};

void LogOutput::State::run() {
    std::unique_lock lock(mutex);
    while (true) {
        changed.wait(lock, [this] { return !lines.empty() || is_closed; });
        if (lines.empty()) return;
        const Line& line = lines.front();  // stays in place: others only add behind it
        lock.unlock();
        const bool is_written = put(line);
        lock.lock();
        if (!is_written) ++dropped;
        waiting_bytes -= line.text.size();
        lines.pop_front();
        if (lines.empty()) drained.notify_all();
    }
}

bool LogOutput::State::put(const Line& line) {
    missing += line.dropped_before;
    std::string text = is_cut ? "\n" : "";
    if (missing > 0)
        text += "[log] " + std::to_string(missing) + " lines are missing here: nobody took them\n";
    text += line.text;
    const std::size_t written = write_all(descriptor, text);
    const bool is_written = written == text.size();
    if (written > 0) is_cut = !is_written;
    missing = is_written ? 0 : missing + 1;
    return is_written;
}

LogOutput::LogOutput(int descriptor, std::size_t max_waiting_bytes)
    : state_(std::make_shared<State>(descriptor, max_waiting_bytes)) {
    std::thread([state = state_] { state->run(); }).detach();
}

LogOutput::~LogOutput() {
    const std::scoped_lock lock(state_->mutex);
    state_->is_closed = true;
    state_->changed.notify_all();
}

void LogOutput::write(std::string line, bool is_urgent) {
    const std::scoped_lock lock(state_->mutex);
    const std::size_t most =
        state_->max_waiting_bytes + (is_urgent ? room_for_urgent_lines : std::size_t{0});
    if (state_->waiting_bytes + line.size() > most) {
        ++state_->dropped;
        ++state_->dropped_before_next;
        return;
    }
    state_->waiting_bytes += line.size();
    state_->lines.push_back({std::move(line), std::exchange(state_->dropped_before_next, 0)});
    state_->changed.notify_all();
}

bool LogOutput::drain(std::chrono::milliseconds limit) const {
    std::unique_lock lock(state_->mutex);
    return state_->drained.wait_for(lock, limit, [this] { return state_->lines.empty(); });
}

std::uint64_t LogOutput::dropped() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->dropped;
}

std::string LogOutput::reopen() {
    const std::string& path = state_->path;
    if (path.empty()) return "the log is no file, so there is nothing to reopen";
    if (is_same_file(state_->descriptor, path)) return "the log's file is still " + path;
    struct stat before {};
    ::fstat(state_->descriptor, &before);
    const int opened = ::open(path.c_str(),
                              O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                              before.st_mode & 0666);
    const int error = errno;
    if (opened < 0) return path + " can't be opened, so the log stays: " + std::strerror(error);
    ::dup2(opened, state_->descriptor);
    ::close(opened);
    return "the log's file " + path + " is reopened";
}

}  // namespace twophase::recovery
