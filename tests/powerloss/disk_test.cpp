// The model itself: what it loses, what it never loses, and that images become the files meant.
#include "tests/powerloss/disk.hpp"

#include "tests/powerloss/image.hpp"
#include "tests/powerloss/options.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <unistd.h>

namespace twophase::powerloss {
namespace {

struct DiskTest : testing::Test {
    DiskTest() {
        for (const EventKind kind : {EventKind::directory_made, EventKind::sync_begun})
            apply(kind, kind == EventKind::sync_begun ? "." : "log");
        apply(EventKind::synced, ".");
        apply(EventKind::file_made, "log/data.mdb");
    }

    void apply(EventKind kind,
               const std::string& name,
               const std::string& data = {},
               std::uint64_t offset = 0) {
        disk.apply({kind, name, offset, data.size(), data});
    }
    void write(const std::string& data, std::uint64_t offset = 0) {
        apply(EventKind::written, "log/data.mdb", data, offset);
    }
    void sync(const std::string& name) {
        apply(EventKind::sync_begun, name);
        apply(EventKind::synced, name);
    }

    /// What `look` sees in many images.
    std::set<std::string> all(const std::function<std::string(const StoreImage&)>& look) {
        std::set<std::string> seen;
        for (ImageSeed seed = 0; seed < 500; ++seed) {
            Random random(seed);
            seen.insert(look(choose_image(disk, random).at("log")));
        }
        return seen;
    }
    /// The first bytes of the first two sectors, "-" for no file.
    std::string sectors(const StoreImage& image) {
        if (!image.has_data) return "-";
        const Page page = as_durable(disk.stores().at("log").data, image).durable_page(0);
        return {page[0], page[sector_bytes]};
    }
    std::set<std::string> all_sectors() {
        return all([this](const StoreImage& image) { return sectors(image); });
    }

    Disk disk;
};

using Seen = std::set<std::string>;

TEST_F(DiskTest, AnUnsyncedPageIsThereOrNotOrTornBetweenSectors) {
    sync("log");
    write(std::string(page_bytes, 'a'));
    sync("log/data.mdb");
    write(std::string(page_bytes, 'b'));
    EXPECT_EQ(all_sectors(), (Seen{"aa", "ab", "ba", "bb"}));
    sync("log/data.mdb");
    EXPECT_EQ(all_sectors(), Seen{"bb"});
    EXPECT_FALSE(disk.has_pending());
}

TEST_F(DiskTest, AnEarlierVersionMayBeTheOneThatReachedTheDisk) {
    sync("log");
    write(std::string(page_bytes, 'a'));
    sync("log/data.mdb");
    write(std::string(page_bytes, 'b'));
    write(std::string(page_bytes, 'c'));
    EXPECT_TRUE(all_sectors().contains("bb"));
    EXPECT_TRUE(all_sectors().contains("cc"));
}

TEST_F(DiskTest, ASyncCoversOnlyWhatCameBeforeItBegan) {
    sync("log");
    write(std::string(page_bytes, 'a'));
    apply(EventKind::sync_begun, "log/data.mdb");
    write(std::string(page_bytes, 'b'));
    apply(EventKind::synced, "log/data.mdb");
    EXPECT_EQ(all_sectors(), (Seen{"aa", "ab", "ba", "bb"}));
}

TEST_F(DiskTest, AWriteThroughCoversItsPagesOnly) {
    sync("log");
    write(std::string(2 * page_bytes, 'a'));
    sync("log/data.mdb");
    write(std::string(page_bytes, 'b'));
    write(std::string(page_bytes, 'b'), page_bytes);
    disk.apply({EventKind::range_synced, "log/data.mdb", 0, page_bytes, ""});
    EXPECT_EQ(all_sectors(), Seen{"bb"});
    EXPECT_EQ(disk.stores().at("log").data.pending_pages().size(), 1U);
}

TEST_F(DiskTest, AnUnsyncedLengthMayBeLostAndWhatLiesBeyondItWithIt) {
    sync("log");
    write(std::string(page_bytes, 'a'));
    sync("log/data.mdb");
    apply(EventKind::length_set, "log/data.mdb", "", 4 * page_bytes);
    const auto lengths = all([](const StoreImage& image) { return std::to_string(image.length); });
    EXPECT_TRUE(lengths.contains("4096"));
    EXPECT_TRUE(lengths.contains("16384"));
    EXPECT_GT(lengths.size(), 4U);
}

TEST_F(DiskTest, ANameIsThereForCertainOnlyAfterItsDirectoryWasSynced) {
    write(std::string(page_bytes, 'a'));
    sync("log/data.mdb");
    EXPECT_EQ(all_sectors(), (Seen{"-", "aa"}));
    sync("log");
    EXPECT_EQ(all_sectors(), Seen{"aa"});
}

TEST_F(DiskTest, FilesBecomeTheImagesMeantOneAfterTheOther) {
    const TestFolder folder;
    StoreFolder files(folder.path() / "log");
    sync("log");
    Random random(options().seed);
    SCOPED_TRACE("seed " + std::to_string(options().seed));
    File& file = disk.stores().at("log").data;
    for (int step = 0; step < 2'000; ++step) {
        if (random() % 3 == 0)
            write(std::string(1 + random() % 9'000, static_cast<char>('a' + random() % 26)),
                  random() % (20 * page_bytes));
        if (random() % 9 == 0) file.set_length(file.length() + random() % 9'000);
        if (random() % 7 == 0) sync("log/data.mdb");
        files.note_changed(file);
        const StoreImage image = choose_image(disk, random).at("log");
        files.place(image, file);
        std::string bytes = read_file(folder.path() / "log" / "data.mdb");
        ASSERT_EQ(bytes.size(), image.length);
        ASSERT_TRUE(as_durable(file, image).differences(bytes).empty()) << "step " << step;
        if (bytes.empty()) continue;
        // As a program would that had it open.
        const PageNumber number = random() % (bytes.size() / page_bytes + 1);
        const std::string other(page_bytes, '!');
        ASSERT_GT(
            ::pwrite(
                *files.file(), other.data(), other.size(), static_cast<off_t>(number * page_bytes)),
            0);
        files.note_written(number);
    }
}

}  // namespace
}  // namespace twophase::powerloss
