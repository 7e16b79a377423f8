// One walk along a recording: at each planned moment the disk's image is placed and checked.
#pragma once

#include "tests/powerloss/image.hpp"
#include "tests/powerloss/replay.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace twophase::powerloss {

/// An image to make: the power is lost after `cut` events.
struct Planned {
    std::size_t cut = 0;
    ImageSeed seed = 0;
};

/// The moments for these seeds, in the order of the recording.
std::vector<Planned> plan(const std::vector<Event>& events, const std::vector<ImageSeed>& seeds);

class Sweep {
public:
    /// `folder` is for the images; it is left full of them.
    Sweep(const std::vector<Event>& events,
          const Checker& promises,
          const Forget& forget,
          std::filesystem::path folder);

    /// Moments must come in order.
    void go_to(const Planned& moment);
    /// The image of where we are.
    void place();

    struct Found {
        Verdict verdict;
        std::size_t images = 1;
        std::size_t twice = 0;
        std::uint64_t fingerprint = 0;  // equal images are likely to have equal ones
    };
    /// Opens the image that was placed; sometimes loses the power once more meanwhile.
    Found check();

    const Checker& promises() const { return *promises_; }
    /// Where place() leaves the stores.
    const std::filesystem::path& image_folder() const { return first_; }

private:
    using Folders = std::map<std::string, std::unique_ptr<StoreFolder>>;
    static StoreFolder& folder_of(Folders& folders,
                                  const std::filesystem::path& root,
                                  const std::string& store);
    Verdict open(Folders& folders,
                 const std::filesystem::path& root,
                 const Checker& promises,
                 std::vector<Event>& written) const;
    Verdict lose_power_again(const std::vector<Event>& written);
    std::uint64_t fingerprint() const;

    const std::vector<Event>& events_;
    std::unique_ptr<Checker> promises_;
    Forget forget_;
    std::filesystem::path first_, second_;
    Disk disk_;
    std::size_t at_ = 0;
    std::uint64_t syncs_ = 0;
    Random random_;
    std::map<std::string, StoreImage> image_;
    Folders folders_;
    Folders second_folders_;
};

}  // namespace twophase::powerloss
