#include "tests/powerloss/sweep.hpp"

#include "tests/powerloss/capture.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>
#include <utility>

namespace twophase::powerloss {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t one_in_so_many_is_lost_twice = 8;

/// Moments at which something isn't durable: at others there is only one image.
std::vector<std::size_t> busy_moments(const std::vector<Event>& events) {
    std::vector<std::size_t> busy;
    Disk disk;
    for (std::size_t done = 0; done < events.size();) {
        disk.apply(events[done++]);
        if (disk.has_pending()) busy.push_back(done);
    }
    return busy;
}

/// The stores that a recording is of.
std::set<std::string> stores_in(const std::vector<Event>& events) {
    std::set<std::string> names;
    for (const Event& event : events)
        if (!event.name.empty() && event.name != ".")
            names.insert(event.name.substr(0, event.name.find('/')));
    return names;
}

std::uint64_t mixed(std::uint64_t so_far, std::uint64_t more) {
    return (so_far ^ more) * 0x9E3779B97F4A7C15ULL + (so_far >> 29);
}

}  // namespace

std::vector<Planned> plan(const std::vector<Event>& events, const std::vector<ImageSeed>& seeds) {
    const std::vector<std::size_t> busy = busy_moments(events);
    std::vector<Planned> planned;
    for (const ImageSeed seed : seeds) {
        Random random(seed);
        const bool anywhere = busy.empty() || random() % 16 == 0;
        const std::uint64_t draw = random();
        planned.push_back({anywhere ? draw % (events.size() + 1) : busy[draw % busy.size()], seed});
    }
    std::ranges::sort(
        planned, {}, [](const Planned& each) { return std::pair(each.cut, each.seed); });
    return planned;
}

Sweep::Sweep(const std::vector<Event>& events,
             const Checker& promises,
             const Forget& forget,
             fs::path folder)
    : events_(events),
      promises_(promises.copy()),
      forget_(forget),
      first_(folder / "first"),
      second_(folder / "second"),
      disk_(forget) {
    for (const std::string& name : stores_in(events)) disk_.stores()[name];  // none made yet
    fs::create_directories(first_);
    fs::create_directories(second_);
}

void Sweep::go_to(const Planned& moment) {
    for (; at_ < moment.cut; ++at_) {
        const Event& event = events_[at_];
        disk_.apply(event);
        if (event.kind == EventKind::noted) promises_->note(event.data);
        if (event.kind == EventKind::synced || event.kind == EventKind::range_synced) ++syncs_;
    }
    random_.seed(moment.seed);
    random_.discard(2);  // the plan's
}

StoreFolder& Sweep::folder_of(Folders& folders, const fs::path& root, const std::string& store) {
    auto& folder = folders[store];
    if (!folder) folder = std::make_unique<StoreFolder>(root / store);
    return *folder;
}

void Sweep::place() {
    image_ = choose_image(disk_, random_);
    for (auto& [name, store] : disk_.stores()) {
        StoreFolder& folder = folder_of(folders_, first_, name);
        folder.note_changed(store.data);
        folder.place(image_.at(name), store.data);
    }
}

Verdict Sweep::open(Folders& folders,
                    const fs::path& root,
                    const Checker& promises,
                    std::vector<Event>& written) const {
    Capture& capture = Capture::instance();
    for (const auto& [name, folder] : folders)
        if (const auto file = folder->file()) capture.watch(name + "/data.mdb", *file);
    const Verdict verdict = promises.check(root);
    written = capture.take();
    for (const Event& event : written) {
        if (event.kind != EventKind::written) continue;
        StoreFolder& folder = *folders.at(event.name.substr(0, event.name.find('/')));
        const std::uint64_t end = event.offset + event.length;
        for (PageNumber number = event.offset / page_bytes; number * page_bytes < end; ++number)
            folder.note_written(number);
    }
    return verdict;
}

Sweep::Found Sweep::check() {
    std::vector<Event> written;
    Found found;
    found.images = image_.size();
    found.fingerprint = fingerprint();
    found.verdict = open(folders_, first_, *promises_, written);
    const bool is_whole =
        std::ranges::all_of(image_, [](const auto& each) { return each.second.has_data; });
    if (!found.verdict.fault.empty() || found.verdict.is_refused || !is_whole) return found;
    if (random_() % one_in_so_many_is_lost_twice != 0) return found;
    found.verdict = lose_power_again(written);
    found.twice = image_.size();
    found.images += found.twice;
    if (!found.verdict.fault.empty()) found.verdict.fault.insert(0, "after a second power loss: ");
    return found;
}

// What the image held is durable now; what its opening wrote and promised comes on top.
Verdict Sweep::lose_power_again(const std::vector<Event>& written) {
    Disk disk(forget_);
    for (const auto& [name, store] : disk_.stores())
        disk.stores()[name] = {.directory = {true, true},
                               .data_name = {true, true},
                               .data = as_durable(store.data, image_.at(name))};
    const std::unique_ptr<Checker> promises = promises_->copy();
    const std::size_t cut = random_() % (written.size() + 1);
    for (std::size_t i = 0; i < cut; ++i) {
        disk.apply(written[i]);
        if (written[i].kind == EventKind::noted) promises->note(written[i].data);
    }
    const auto image = choose_image(disk, random_);
    for (const auto& [name, store] : disk.stores()) {
        StoreFolder& folder = folder_of(second_folders_, second_, name);
        folder.forget_contents();
        folder.place(image.at(name), store.data);
    }
    std::vector<Event> ignored;
    return open(second_folders_, second_, *promises, ignored);
}

std::uint64_t Sweep::fingerprint() const {
    std::uint64_t print = syncs_;
    for (const auto& [name, image] : image_) {
        print = mixed(print, image.length * 4 + image.has_directory * 2 + image.has_data);
        for (const auto& [number, page] : image.pages)
            print = mixed(mixed(print, number),
                          std::hash<std::string_view>{}({page.data(), page.size()}));
    }
    return print;
}

}  // namespace twophase::powerloss
