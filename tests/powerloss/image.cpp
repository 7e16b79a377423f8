#include "tests/powerloss/image.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace twophase::powerloss {
namespace {

namespace fs = std::filesystem;
using Version = File::Version;

std::uint64_t below(Random& random, std::uint64_t bound) { return random() % bound; }

/// How a disk chose what to write first: drawn once for each file of an image.
struct Habit {
    explicit Habit(const File& file, Random& random) {
        constexpr unsigned chances[] = {0, 1, 4, 8, 8, 12, 15, 16};  // of 16
        keeps = chances[below(random, std::size(chances))];
        tears = below(random, 2) == 0;
        // A disk that writes in order stops somewhere; the others choose page by page.
        if (below(random, 6) == 0) in_order_until = below(random, file.now() + 1);
    }
    unsigned keeps = 0;  // of 16 pages or sectors
    bool tears = false;
    std::optional<std::uint64_t> in_order_until;
};

/// The version that the disk holds of a page or sector; null: the durable one.
const Version* choose(const std::vector<Version>& versions, const Habit& habit, Random& random) {
    if (habit.in_order_until) {
        const auto later = std::ranges::find_if(
            versions, [&](const Version& version) { return version.when > *habit.in_order_until; });
        return later == versions.begin() ? nullptr : &*std::prev(later);
    }
    if (below(random, 16) >= habit.keeps) return nullptr;
    if (versions.size() == 1 || below(random, 4) != 0) return &versions.back();
    return &versions[below(random, versions.size())];
}

Page torn(const Page& durable,
          const std::vector<Version>& versions,
          const Habit& habit,
          Random& random) {
    Page page = durable;
    for (std::size_t sector = 0; sector < sectors_in_page; ++sector)
        if (const Version* version = choose(versions, habit, random))
            std::memcpy(page.data() + sector * sector_bytes,
                        version->page->data() + sector * sector_bytes,
                        sector_bytes);
    return page;
}

std::uint64_t choose_length(const File& file, Random& random) {
    const std::uint64_t least = file.durable_length();
    const std::uint64_t most = file.length();
    if (least >= most) return most;
    switch (below(random, 4)) {
        case 0: return least;
        case 1: return least + below(random, (most - least) / sector_bytes + 1) * sector_bytes;
        default: return most;
    }
}

StoreImage choose_store(const StoreOnDisk& store, Random& random) {
    const auto survives = [&](const Name& name) {
        return name.is_durable || (name.is_made && below(random, 2) == 0);
    };
    StoreImage image;
    image.junk = random();
    image.has_directory = survives(store.directory);
    image.has_data = survives(store.data_name) && image.has_directory;
    if (!image.has_data) return image;
    const Habit habit(store.data, random);
    for (const auto& [number, versions] : store.data.pending_pages()) {
        const Page durable = store.data.durable_page(number);
        if (habit.tears)
            image.pages.emplace(number, torn(durable, versions, habit, random));
        else if (const Version* version = choose(versions, habit, random))
            image.pages.emplace(number, *version->page);
    }
    image.length = choose_length(store.data, random);
    return image;
}

void write_at(int file, const char* bytes, std::size_t size, std::uint64_t offset) {
    if (::pwrite(file, bytes, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
        throw std::runtime_error("an image can't be written: is there no room?");
}

}  // namespace

std::map<std::string, StoreImage> choose_image(const Disk& disk, Random& random) {
    std::map<std::string, StoreImage> images;
    for (const auto& [name, store] : disk.stores())
        images.emplace(name, choose_store(store, random));
    return images;
}

File as_durable(const File& file, const StoreImage& image) {
    std::string bytes;
    const PageNumber last = image.pages.empty() ? 0 : image.pages.rbegin()->first + 1;
    const PageNumber end = std::max(file.durable_pages(), last);
    for (PageNumber number = 0; number < end; ++number) {
        const auto found = image.pages.find(number);
        const Page page = found == image.pages.end() ? file.durable_page(number) : found->second;
        bytes.append(page.data(), page.size());
    }
    if (bytes.size() > image.length) bytes.resize(static_cast<std::size_t>(image.length));
    return {std::move(bytes), image.length};
}

StoreFolder::StoreFolder(fs::path directory) : directory_(std::move(directory)) {}

StoreFolder::~StoreFolder() {
    if (file_ >= 0) ::close(file_);
}

std::optional<int> StoreFolder::file() const {
    return file_ < 0 ? std::nullopt : std::optional(file_);
}

void StoreFolder::open_file() {
    if (file_ >= 0) return;
    fs::create_directories(directory_);
    // Whatever is there was made by the program that found no file.
    file_ = ::open((directory_ / "data.mdb").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file_ < 0) throw std::runtime_error("can't make an image in " + directory_.string());
    is_unknown_ = true;
}

void StoreFolder::remove_file() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
    fs::remove(directory_ / "data.mdb");
}

void StoreFolder::note_changed(File& file) {
    for (const PageNumber number : file.take_changed()) stale_.insert(number);
}

// Locks are taken anew after a power loss, so that nothing in these files may matter.
void StoreFolder::place_lock_files(std::uint64_t junk) const {
    const fs::path readers = directory_ / "lock.mdb";
    switch (junk % 8) {
        case 0: fs::remove(readers); return;
        case 1: fs::remove(directory_ / "owner.lock"); return;
        case 2:
            std::ofstream(readers, std::ios::binary) << std::string(
                static_cast<std::size_t>(junk / 8 % 9000), static_cast<char>(junk >> 32));
            return;
        case 3: std::ofstream(readers).flush(); return;
        default: return;  // as the last program left them
    }
}

void StoreFolder::place(const StoreImage& image, const File& file) {
    if (!image.has_data) remove_file();
    if (!image.has_directory) {
        fs::remove_all(directory_);
        return;
    }
    fs::create_directories(directory_);
    // What an image before this one left there: it is written after the first commit.
    if (!image.has_data || image.length == 0) fs::remove(directory_ / "owner.lock");
    place_lock_files(image.junk);
    if (image.has_data) place_pages(image, file);
}

void StoreFolder::place_pages(const StoreImage& image, const File& file) {
    open_file();
    if (is_unknown_) {
        stale_.clear();
        if (::ftruncate(file_, 0) != 0) throw std::runtime_error("an image can't be cut");
        for (PageNumber number = 0; number < file.durable_pages(); ++number) stale_.insert(number);
        is_unknown_ = false;
    }
    for (const auto& [number, page] : image.pages) stale_.insert(number);
    for (const PageNumber number : stale_) {
        const auto found = image.pages.find(number);
        const Page page = found == image.pages.end() ? file.durable_page(number) : found->second;
        write_at(file_, page.data(), page.size(), number * page_bytes);
    }
    if (::ftruncate(file_, static_cast<off_t>(image.length)) != 0)
        throw std::runtime_error("an image can't be cut");
    // What the next image must write again: what is particular to this one, and what was cut off.
    stale_.clear();
    for (const auto& [number, page] : image.pages) stale_.insert(number);
    for (PageNumber number = image.length / page_bytes; number < file.durable_pages(); ++number)
        stale_.insert(number);
}

}  // namespace twophase::powerloss
