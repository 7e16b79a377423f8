// Builds images of a recorded disk, cut off at many moments, and has each of them checked.
#pragma once

#include "tests/powerloss/checker.hpp"
#include "tests/powerloss/disk.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace twophase::powerloss {

/// One image: everything about it follows from the recording and this number.
using ImageSeed = std::uint64_t;

struct ReplayResult {
    std::size_t images = 0;    // store images that were opened and checked
    std::size_t distinct = 0;  // different ones among the first losses
    std::size_t twice = 0;     // of them after a second loss, while the first one's were opened
    std::size_t refused = 0;   // where a store would not open and had promised nothing
    std::size_t failed = 0;    // moments whose images broke a promise
    double processor_seconds = 0;
    std::vector<std::string> failures;  // the first of them, each with its seed
};

/// Enough seeds for about so many images of `stores` stores each, drawn from `seed`.
std::vector<ImageSeed> image_seeds(std::uint64_t seed, std::size_t images, std::size_t stores);

/// Checks an image for each seed. They are opened by processes of their own, as what opens a
/// damaged store may crash.
ReplayResult replay(const std::vector<Event>& events,
                    const Checker& promises,
                    const std::vector<ImageSeed>& seeds,
                    const Forget& forget = {});

}  // namespace twophase::powerloss
