// What a power loss may have left of a disk, and how it becomes files that a program can open.
#pragma once

#include "tests/powerloss/disk.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace twophase::powerloss {

using Random = std::mt19937_64;

/// What became of one store.
struct StoreImage {
    bool has_directory = true;
    bool has_data = true;
    std::uint64_t length = 0;
    std::map<PageNumber, Page> pages;  // where it differs from what was durable
    std::uint64_t junk = 0;            // what the lock files look like
};

/// Draws one of the images that the disk may be left with.
std::map<std::string, StoreImage> choose_image(const Disk& disk, Random& random);

/// The image as a file that is durably so.
File as_durable(const File& file, const StoreImage& image);

/// A store's directory, turned into one image after the other; only what differs is written.
class StoreFolder {
public:
    explicit StoreFolder(std::filesystem::path directory);
    ~StoreFolder();
    StoreFolder(const StoreFolder&) = delete;
    StoreFolder& operator=(const StoreFolder&) = delete;

    /// `file` is what the image was chosen from.
    void place(const StoreImage& image, const File& file);
    /// The pages that an opened program wrote since, and what else now may differ.
    void note_written(PageNumber number) { stale_.insert(number); }
    void note_changed(File& file);
    /// The next image comes from another file altogether.
    void forget_contents() { is_unknown_ = true; }

    /// Of the data file; nothing when there is none.
    std::optional<int> file() const;
    const std::filesystem::path& directory() const { return directory_; }

private:
    void open_file();
    void remove_file();
    void place_lock_files(std::uint64_t junk) const;
    void place_pages(const StoreImage& image, const File& file);

    std::filesystem::path directory_;
    int file_ = -1;
    std::set<PageNumber> stale_;  // may differ from what is durable
    bool is_unknown_ = true;      // any page may
};

}  // namespace twophase::powerloss
