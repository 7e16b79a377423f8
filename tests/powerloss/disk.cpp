#include "tests/powerloss/disk.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace twophase::powerloss {
namespace {

constexpr std::string_view data_file = "data.mdb";

/// Zeros follow the end of `bytes`.
Page page_of(std::string_view bytes, PageNumber number) {
    Page page{};
    const auto offset = static_cast<std::size_t>(number * page_bytes);
    if (offset < bytes.size()) bytes.copy(page.data(), page_bytes, offset);
    return page;
}

}  // namespace

// --- one file ---

File::File(std::string durable, std::uint64_t length)
    : durable_(std::move(durable)), durable_length_(length) {}

Page File::durable_page(PageNumber number) const { return page_of(durable_, number); }

Page File::cached_page(PageNumber number) const {
    const auto found = pages_.find(number);
    return found == pages_.end() ? durable_page(number) : *found->second.back().page;
}

std::uint64_t File::length() const {
    return lengths_.empty() ? durable_length_ : lengths_.back().bytes;
}

void File::add_version(PageNumber number, const Page& page) {
    pages_[number].push_back({now_, std::make_shared<const Page>(page)});
}

void File::write(std::uint64_t offset, std::string_view data) {
    ++now_;
    last_offset_ = offset;
    last_bytes_ = data.size();
    const std::uint64_t end = offset + data.size();
    while (!data.empty()) {
        const PageNumber number = offset / page_bytes;
        const std::size_t within = offset % page_bytes;
        const std::size_t bytes = std::min(data.size(), page_bytes - within);
        Page page = cached_page(number);
        std::memcpy(page.data() + within, data.data(), bytes);
        add_version(number, page);
        data.remove_prefix(bytes);
        offset += bytes;
    }
    if (end > length()) lengths_.push_back({now_, end});
}

void File::set_length(std::uint64_t bytes) {
    if (bytes < length()) throw std::runtime_error("the model knows no file that shrinks");
    ++now_;
    lengths_.push_back({now_, bytes});
}

void File::make_durable(PageNumber number, const Page& page) {
    const auto end = static_cast<std::size_t>((number + 1) * page_bytes);
    if (durable_.size() < end) durable_.resize(end);
    std::memcpy(durable_.data() + end - page_bytes, page.data(), page_bytes);
    changed_.push_back(number);
}

void File::end_sync() {
    const auto is_covered = [&](const auto& version) { return version.when <= sync_begun_; };
    for (auto page = pages_.begin(); page != pages_.end();) {
        auto& versions = page->second;
        const auto later = std::ranges::find_if_not(versions, is_covered);
        if (later != versions.begin()) make_durable(page->first, *std::prev(later)->page);
        versions.erase(versions.begin(), later);
        page = versions.empty() ? pages_.erase(page) : std::next(page);
    }
    const auto later = std::ranges::find_if_not(lengths_, is_covered);
    if (later != lengths_.begin()) durable_length_ = std::prev(later)->bytes;
    lengths_.erase(lengths_.begin(), later);
}

// The kernel syncs whole pages. The length is another matter, and here it is not relied on.
void File::sync_range(std::uint64_t offset, std::uint64_t length) {
    for (PageNumber number = offset / page_bytes; number * page_bytes < offset + length; ++number) {
        const auto found = pages_.find(number);
        if (found == pages_.end()) continue;
        make_durable(number, *found->second.back().page);
        pages_.erase(found);
    }
}

std::vector<PageNumber> File::differences(std::string_view cached) const {
    std::vector<PageNumber> differing;
    const std::uint64_t end = std::max<std::uint64_t>(cached.size(), length());
    for (PageNumber number = 0; number * page_bytes < end; ++number)
        if (page_of(cached, number) != cached_page(number)) differing.push_back(number);
    return differing;
}

std::string File::settle(std::string_view cached, std::uint64_t length) {
    const PageNumber suspect_begin = last_offset_ / page_bytes;
    const PageNumber suspect_end = (last_offset_ + last_bytes_ + page_bytes - 1) / page_bytes;
    ++now_;
    for (const PageNumber number : differences(cached)) {
        if (number < suspect_begin || number >= suspect_end)
            return "page " + std::to_string(number) + " is not as it was recorded";
        add_version(number, page_of(cached, number));
    }
    if (length != this->length()) lengths_.push_back({now_, length});
    return {};
}

std::vector<PageNumber> File::take_changed() { return std::exchange(changed_, {}); }

// --- stores and names ---

bool Disk::forgets(const std::string& store, bool what) const {
    return what && (forget_.store.empty() || forget_.store == store);
}

bool Disk::has_pending() const {
    return std::ranges::any_of(stores_, [](const auto& each) {
        const StoreOnDisk& store = each.second;
        return store.data.has_pending() || store.directory.is_durable != store.directory.is_made ||
               store.data_name.is_durable != store.data_name.is_made;
    });
}

void Disk::apply(const Event& event) {
    if (event.kind == EventKind::noted) return;
    const std::size_t slash = event.name.find('/');
    if (slash != std::string::npos) {
        const std::string_view file = std::string_view(event.name).substr(slash + 1);
        const std::string name = event.name.substr(0, slash);
        if (file == data_file) apply_to_data(stores_[name], name, event);
        return;  // the lock files: any content will do
    }
    switch (event.kind) {
        case EventKind::directory_made: stores_[event.name].directory.is_made = true; return;
        case EventKind::sync_begun: return begin_name_sync(event.name);
        case EventKind::synced: return end_name_sync(event.name);
        default: throw std::runtime_error("no such event for a directory: " + event.name);
    }
}

void Disk::apply_to_data(StoreOnDisk& store, const std::string& name, const Event& event) {
    switch (event.kind) {
        case EventKind::file_made: store.data_name.is_made = true; return;
        case EventKind::written: return store.data.write(event.offset, event.data);
        case EventKind::length_set: return store.data.set_length(event.offset);
        case EventKind::sync_begun:
            if (!forgets(name, forget_.data_syncs)) store.data.begin_sync();
            return;
        case EventKind::synced:
            if (!forgets(name, forget_.data_syncs)) store.data.end_sync();
            return;
        case EventKind::range_synced:
            if (!forgets(name, forget_.meta_syncs))
                store.data.sync_range(event.offset, event.length);
            return;
        case EventKind::settled:
            if (const auto wrong = store.data.settle(event.data, event.offset); !wrong.empty())
                throw std::runtime_error("the recording misses a write: " + wrong);
            return;
        default: throw std::runtime_error("no such event for a file: " + event.name);
    }
}

// "." holds the stores' names, a store's directory that of its data file.
void Disk::begin_name_sync(const std::string& directory) {
    std::vector<Name*>& names = syncing_[directory];
    names.clear();
    for (auto& [name, store] : stores_) {
        if (directory == "." && store.directory.is_made) names.push_back(&store.directory);
        if (directory == name && store.data_name.is_made) names.push_back(&store.data_name);
    }
}

void Disk::end_name_sync(const std::string& directory) {
    if (forgets(directory, forget_.name_syncs)) return;
    for (Name* name : syncing_[directory]) name->is_durable = true;
}

}  // namespace twophase::powerloss
