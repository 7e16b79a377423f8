// What programs did to their stores and what they promised meanwhile, in one order.
#pragma once

#include "tests/powerloss/event.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::powerloss {

struct Event {
    EventKind kind{};
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::string data;
};

/// A folder under the recorder, and the recording of it.
class Recorded {
public:
    /// Of the stores in `root`; `recording` is made, empty, and must not be in there.
    Recorded(std::filesystem::path root, std::filesystem::path recording);

    /// What a program's environment needs for it to be recorded: "NAME=value". With `kill_after` it
    /// is killed after so many events; 0: never.
    std::vector<std::string> environment(std::uint64_t kill_after = 0) const;

    const std::filesystem::path& root() const { return root_; }
    const std::filesystem::path& recording() const { return recording_; }

    /// Adds to the recording how a program that was killed left the file `name`.
    void settle(const std::string& name) const;

private:
    std::filesystem::path root_;
    std::filesystem::path recording_;
};

/// Appends a note to a recording: a promise that was given. Any thread of any process.
class Notes {
public:
    explicit Notes(const std::filesystem::path& recording);
    /// Opens the recording that the environment names.
    static Notes from_environment();
    ~Notes();
    Notes(Notes&& other) noexcept;
    Notes& operator=(Notes&&) = delete;

    void add(std::string_view text) const;

private:
    int file_;
};

/// Reads a whole recording; throws std::runtime_error when it is cut or holds what can't be
/// replayed.
std::vector<Event> read_recording(const std::filesystem::path& recording);

/// A file's bytes; empty when it is absent.
std::string read_file(const std::filesystem::path& path);

}  // namespace twophase::powerloss
