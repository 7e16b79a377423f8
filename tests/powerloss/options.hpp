// What the command line asks of a run.
#pragma once

#include "tests/powerloss/replay.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twophase::powerloss {

struct Options {
    std::optional<std::size_t> images;  // instead of each test's own number
    std::uint64_t seed = 0;             // drawn when not given
    std::filesystem::path recording;    // replay one image of this, and no more
    ImageSeed image = 0;
    std::optional<ImageSeed> restart;  // start the real programs on this one instead
    Forget forget;                     // with it: as the control that found it did
    std::string program;               // how to call this again
};
const Options& options();

/// A test's folder, kept when the test fails.
class TestFolder {
public:
    TestFolder();
    ~TestFolder();
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    /// An empty store folder in here, about to be recorded.
    Recorded record(const std::string& name = "log") const {
        return {path_ / (name + ".stores"), path_ / (name + ".recording")};
    }

private:
    std::filesystem::path path_;
};

/// The checker for a recording, by the stores in it.
std::unique_ptr<Checker> checker_for(const std::vector<Event>& events);

/// Prints figures and failing images, each with the command that replays it.
void print(const std::string& what,
           const ReplayResult& result,
           const Forget& forget,
           const std::filesystem::path& recording);

}  // namespace twophase::powerloss
