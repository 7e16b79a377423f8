// Where a program's log goes: standard error, through a bounded queue to a thread of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace twophase::recovery {

/// Lines on their way to a descriptor that others gave us and may share. Its reader can be slow,
/// stand still or be gone (a full disk likewise): nobody who writes a line waits for it, and no
/// flag of the descriptor is changed. Any thread may call. SIGPIPE has to be ignored.
class LogOutput {
public:
    /// `descriptor` stays the caller's. Lines of more than `max_waiting_bytes` together are
    /// dropped.
    explicit LogOutput(int descriptor, std::size_t max_waiting_bytes = std::size_t{1} << 20);
    /// Leaves the thread behind where it is stuck in write(2).
    ~LogOutput();
    LogOutput(const LogOutput&) = delete;
    LogOutput& operator=(const LogOutput&) = delete;

    /// Takes a line, its newline included. Never waits; drops it where there is no room. What tells
    /// why the process ends is urgent: for such lines some room is kept.
    void write(std::string line, bool is_urgent = false);
    /// Waits until all is written, at most for `limit`; false when it isn't.
    bool drain(std::chrono::milliseconds limit) const;
    /// Lines that found no room or could not be written.
    std::uint64_t dropped() const;
    /// Where the descriptor is a file that was renamed or removed since the start: makes it anew
    /// under its old name, as log rotation expects. The text says what was done.
    std::string reopen();

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// From here on spdlog's lines go to standard error by a LogOutput that lives as long as the
/// process; flushing the default logger waits for it, for half a second at most. So does an end by
/// a failed assert or an uncaught exception, which log why. `level` as spdlog names it.
void log_to_stderr(const std::string& program, const std::string& level);

/// Lines dropped and the output's reopen(), of log_to_stderr(); nothing before that.
std::uint64_t log_lines_dropped();
std::string reopen_log();

}  // namespace twophase::recovery
