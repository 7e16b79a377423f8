// What is on disk for certain, and what may be: a model of files and names under a power loss.
#pragma once

#include "tests/powerloss/recording.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace twophase::powerloss {

inline constexpr std::size_t page_bytes = 4096;
inline constexpr std::size_t sector_bytes = 512;  // is written wholly or not at all
inline constexpr std::size_t sectors_in_page = page_bytes / sector_bytes;

using PageNumber = std::uint64_t;
using Page = std::array<char, page_bytes>;

/// One file: its durable bytes, and the versions of pages and lengths that were not synced since.
class File {
public:
    /// A page as it was after one of the unsynced writes. The disk may hold any of them.
    struct Version {
        std::uint64_t when = 0;
        std::shared_ptr<const Page> page;
    };
    struct Length {
        std::uint64_t when = 0;
        std::uint64_t bytes = 0;
    };

    File() = default;
    /// A file that is durably so.
    File(std::string durable, std::uint64_t length);

    void write(std::uint64_t offset, std::string_view data);
    void set_length(std::uint64_t bytes);
    void begin_sync() { sync_begun_ = now_; }
    void end_sync();
    void sync_range(std::uint64_t offset, std::uint64_t length);
    /// Corrects the page cache after a killed process: its last write may have come to nothing.
    /// What is wrong elsewhere, or empty.
    std::string settle(std::string_view cached, std::uint64_t length);
    /// The pages that differ from what the page cache should hold.
    std::vector<PageNumber> differences(std::string_view cached) const;

    bool has_pending() const { return !pages_.empty() || !lengths_.empty(); }
    const std::map<PageNumber, std::vector<Version>>& pending_pages() const { return pages_; }
    const std::vector<Length>& pending_lengths() const { return lengths_; }
    std::uint64_t now() const { return now_; }
    std::uint64_t durable_length() const { return durable_length_; }
    std::uint64_t length() const;
    Page durable_page(PageNumber number) const;
    /// The pages up to the last that was ever durably written; zeros follow.
    PageNumber durable_pages() const { return (durable_.size() + page_bytes - 1) / page_bytes; }
    /// The pages that became durable since the last call.
    std::vector<PageNumber> take_changed();

private:
    Page cached_page(PageNumber number) const;
    void add_version(PageNumber number, const Page& page);
    void make_durable(PageNumber number, const Page& page);

    std::string durable_;
    std::uint64_t durable_length_ = 0;
    std::map<PageNumber, std::vector<Version>> pages_;
    std::vector<Length> lengths_;
    std::uint64_t now_ = 0;  // counts writes and lengths
    std::uint64_t sync_begun_ = 0;
    std::uint64_t last_offset_ = 0;
    std::uint64_t last_bytes_ = 0;
    std::vector<PageNumber> changed_;
};

/// A name that was made, and whether its directory was synced since.
struct Name {
    bool is_made = false;
    bool is_durable = false;
};

/// A store's directory. Of its files only the data file matters.
struct StoreOnDisk {
    Name directory;
    Name data_name;
    File data;
};

/// What to leave out of the replay, so that what depends on it must be found broken.
struct Forget {
    bool meta_syncs = false;  // O_DSYNC writes: as with MDB_NOMETASYNC
    bool data_syncs = false;  // fdatasync and fsync of files
    bool name_syncs = false;  // fsync of directories
    std::string store;        // of this store alone; empty: of all

    bool is_anything() const { return meta_syncs || data_syncs || name_syncs; }
};

/// The stores of a recording, up to some event of it.
class Disk {
public:
    explicit Disk(Forget forget = {}) : forget_(std::move(forget)) {}

    /// Throws std::runtime_error for what the model doesn't know.
    void apply(const Event& event);

    bool has_pending() const;
    std::map<std::string, StoreOnDisk>& stores() { return stores_; }
    const std::map<std::string, StoreOnDisk>& stores() const { return stores_; }

private:
    bool forgets(const std::string& store, bool what) const;
    void apply_to_data(StoreOnDisk& store, const std::string& name, const Event& event);
    void begin_name_sync(const std::string& directory);
    void end_name_sync(const std::string& directory);

    Forget forget_;
    std::map<std::string, StoreOnDisk> stores_;
    std::map<std::string, std::vector<Name*>> syncing_;  // names made before the sync began
};

}  // namespace twophase::powerloss
