// What every image must keep: the interface between the replay and those who know the promises.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace twophase::powerloss {

/// What a check found of an image.
struct Verdict {
    std::string fault;        // empty: it keeps every promise
    bool is_refused = false;  // a store would not open, which breaks no promise here
};

/// Takes up promises in their order; judges the images of a disk at that point.
class Checker {
public:
    virtual ~Checker() = default;
    virtual std::unique_ptr<Checker> copy() const = 0;
    /// A promise that somebody was given.
    virtual void note(const std::string& text) = 0;
    /// Opens the stores in `root` and compares them with what was promised so far. Promises that
    /// it gives itself go to the Capture.
    virtual Verdict check(const std::filesystem::path& root) const = 0;
};

}  // namespace twophase::powerloss
