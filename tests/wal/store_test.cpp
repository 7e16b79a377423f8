// Opening: who may, what is refused, and what each start leaves behind.
#include "tests/wal/support.hpp"
#include "wal/headroom.hpp"
#include "wal/owner_lock.hpp"
#include "wal/store_table.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace twophase::wal {
namespace {

namespace fs = std::filesystem;

struct StoreTest : testing::Test {
    TempDirectory directory;
    Loop loop;
    StoreOptions options = store_options(directory / "deep" / "store");
    fs::path data = options.directory / "data.mdb";

    void open() { const Store store(options, loop.post()); }

    // What opening says, and its code; "" when it opens.
    std::pair<std::string, int> refusal() {
        try {
            open();
        } catch (const StoreError& error) {
            return {error.what(), error.code()};
        }
        return {"", 0};
    }
    void expect_refusal(const std::string& part) {
        const std::string why = refusal().first;
        EXPECT_NE(why.find(part), std::string::npos) << "said: " << why;
    }
    void overwrite(std::streamoff at, const std::string& bytes) const {
        std::fstream file(data, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(at);
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
};

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777U;
}

TEST_F(StoreTest, EpochsGrowWithEveryStart) {
    for (std::uint64_t start = 1; start < 5; ++start) {
        const Store store(options, loop.post());
        EXPECT_EQ(store.epoch(), start);
        EXPECT_EQ(store.identity().epoch, start - 1);
    }
    EXPECT_EQ(inspect(options.directory).epoch, 4U) << "durable, and not raised by looking";
    EXPECT_EQ(inspect(options.directory).epoch, 4U);
}

TEST_F(StoreTest, WhatWasThereAndIsEmptyOrGoneIsNoNewStore) {
    open();
    fs::resize_file(data, 0);
    for (int start = 0; start < 2; ++start) {
        const auto [why, code] = refusal();
        EXPECT_EQ(code, EINVAL);
        EXPECT_NE(why.find("there was a store"), std::string::npos) << why;
    }
    fs::remove(data);
    EXPECT_EQ(refusal().second, EINVAL);
    fs::remove_all(options.directory);
    EXPECT_EQ(Store(options, loop.post()).epoch(), 1U) << "a person wants a new one";
}

TEST_F(StoreTest, WhoOnlyTakesTheLockLosesNoNote) {
    open();
    const auto text = [this] {
        std::ifstream file(options.directory / "owner.lock");
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string noted = text();
    EXPECT_NE(noted.find("has a store"), std::string::npos) << noted;
    { const OwnerLock only(options.directory); }
    EXPECT_EQ(text(), noted) << "the same process, the same place";
}

TEST_F(StoreTest, AFirstStartThatDiedBeforeItsFirstPageIsGoneOnWith) {
    fs::create_directories(options.directory);
    { const OwnerLock died(options.directory); }
    std::ofstream(data).flush();
    EXPECT_EQ(Store(options, loop.post()).epoch(), 1U);
}

// LMDB writes to it through a map: without blocks a full disk would end the process.
TEST_F(StoreTest, ItsLockFileHasItsBlocks) {
    open();
    struct stat status {};
    ASSERT_EQ(::stat((options.directory / "lock.mdb").c_str(), &status), 0);
    EXPECT_GE(status.st_blocks * 512, 8192);
}

TEST_F(StoreTest, IsForItsOwnerAlone) {
    open();
    EXPECT_EQ(mode_of(options.directory), 0700U);
    for (const char* name : {"data.mdb", "lock.mdb", "owner.lock"})
        EXPECT_EQ(mode_of(options.directory / name), 0600U) << name;
}

TEST_F(StoreTest, ASecondOwnerInThisProcessIsRefused) {
    const Store store(options, loop.post());
    const auto [why, code] = refusal();
    EXPECT_EQ(code, EBUSY);
    EXPECT_NE(why.find(options.directory.string()), std::string::npos);
    EXPECT_THROW(inspect(options.directory), StoreError);
}

TEST_F(StoreTest, ASecondProcessIsRefused) {
    Child owner({"hold", options.directory.string()});
    ASSERT_EQ(owner.read_line(), "ready");
    const auto [why, code] = refusal();
    EXPECT_EQ(code, EBUSY);
    EXPECT_NE(why.find("belongs to running process "), std::string::npos) << why;
    owner.kill();
    owner.wait();
    EXPECT_EQ(refusal().first, "") << "the lock goes with its process";
}

TEST_F(StoreTest, AnotherProgramsStoreIsRefused) {
    open();
    options.kind = "credit";
    expect_refusal("belongs to test \"one\" node 7, not to credit \"one\" node 7");
    options.kind = "test";
    options.id = "two";
    expect_refusal("not to test \"two\" node 7");
    options.id = "one";
    options.node = 8;
    expect_refusal("not to test \"one\" node 8");
    options.node = 7;
    EXPECT_EQ(refusal().first, "");
    EXPECT_EQ(inspect(options.directory).epoch, 2U) << "refused starts leave no trace";
}

TEST_F(StoreTest, AnotherFormatVersionIsRefused) {
    open();
    tamper(options.directory, store_table_name, [](Batch& batch, Table table) {
        std::string row(*batch.get(table, "identity"));
        row[3] = 2;
        batch.put(table, "identity", row);
    });
    expect_refusal(options.directory.string() +
                   ": the store has format version 2, this program reads and writes version 3 "
                   "only: start it with");
}

TEST_F(StoreTest, DamageToItsOwnRowsIsRefused) {
    open();
    flip_bit(options.directory, store_table_name, "identity", 100);
    expect_refusal("identity fails its checksum");
    flip_bit(options.directory, store_table_name, "identity", 100);
    EXPECT_EQ(refusal().first, "");
}

TEST_F(StoreTest, ATruncatedFileIsRefusedAtEveryLength) {
    {
        Store store(options, loop.post());
        submit_and_wait(store, loop, {.work = [&](Unit& unit) {
                            for (int row = 0; row < 500; ++row)
                                unit.put(store.table("things"), std::to_string(row), "value");
                        }});
    }
    std::size_t needed = 0;
    {
        Environment environment({.directory = options.directory});
        needed = environment.extent_bytes();
    }
    fs::resize_file(data, needed);
    EXPECT_EQ(refusal().first, "") << "the extent is all that it needs";
    {
        Environment environment({.directory = options.directory});
        needed = environment.extent_bytes();
    }
    for (std::size_t size = needed - 1; size > 0; size -= std::min<std::size_t>(size, 1531)) {
        fs::resize_file(data, size);
        expect_refusal("can't be used");
    }
}

TEST_F(StoreTest, ADamagedMetaPageIsRefused) {
    open();
    open();
    for (const std::streamoff page : {0, 4096}) {
        const std::streamoff batch_number = page + 144;
        std::string before(8, '\0');
        std::ifstream(data).seekg(batch_number).read(before.data(), 8);
        for (int bit = 0; bit < 64; ++bit) {
            // This one can turn the newer page into a plausible older one. LMDB has no checksum.
            if (bit == 1) continue;
            std::string flipped = before;
            flipped[static_cast<std::size_t>(bit / 8)] ^= static_cast<char>(1U << (bit % 8));
            overwrite(batch_number, flipped);
            expect_refusal("meta page");
        }
        overwrite(batch_number, before);
        overwrite(page + 16, std::string(4, 'x'));
        expect_refusal("can't be used");
        overwrite(page + 16, "\xDE\xC0\xEF\xBE");
    }
    EXPECT_EQ(refusal().first, "");
}

TEST_F(StoreTest, AFileThatIsNotLmdbsIsRefused) {
    fs::create_directories(options.directory);
    std::ofstream(data) << std::string(10000, 'x');
    expect_refusal("not LMDB's");
}

TEST_F(StoreTest, AnotherLmdbFileIsRefused) {
    fs::create_directories(options.directory);
    {
        Environment environment({.directory = options.directory});
        Batch batch = environment.batch();
        environment.open_table(batch, "foreign");
        batch.commit();
    }
    expect_refusal("no store's identity");
}

/// Pages of one moment beside those of another, as `cp` of a running store makes them.
TEST_F(StoreTest, ATornCopyIsNotCalledAnothersFile) {
    const auto contents = [&] {
        std::ifstream file(data, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    open();
    const std::string before = contents();
    for (int start = 0; start < 6; ++start) open();
    tamper(options.directory, store_table_name, [](Batch& batch, Table table) {
        for (int n = 0; n < 500; ++n) batch.put(table, std::to_string(n), std::string(400, 'x'));
    });
    const std::string after = contents();
    constexpr std::size_t metas = std::size_t{2} * 4'096;
    ASSERT_GE(before.size(), metas);
    for (const std::string& torn :
         {before.substr(0, metas) + after.substr(metas),
          after.substr(0, metas) + before.substr(metas) + after.substr(before.size()),
          after.substr(0, metas) + std::string(after.size() - metas, '\0'),
          before.substr(0, metas) + std::string(before.size() - metas, '\0')}) {
        std::ofstream(data, std::ios::binary | std::ios::trunc) << torn;
        const std::string why = refusal().first;
        EXPECT_EQ(why.find("another program"), std::string::npos) << why;
        EXPECT_EQ(why.find("program that wrote it"), std::string::npos) << why;
        EXPECT_TRUE(why.empty() || why.find("restore a backup") != std::string::npos) << why;
    }
}

TEST_F(StoreTest, AnEmptyFileIsANewStore) {
    fs::create_directories(options.directory);
    std::ofstream(data).close();
    EXPECT_EQ(refusal().first, "");
}

TEST_F(StoreTest, MemoryFileSystemsAreRefused) {
    struct statfs status {};
    if (::statfs("/dev/shm", &status) != 0 || status.f_type != 0x01021994)
        GTEST_SKIP() << "/dev/shm is no tmpfs here";
    options.directory = fs::path("/dev/shm") / directory.path().filename();
    options.any_filesystem = false;
    expect_refusal("is on tmpfs");
    options.any_filesystem = true;
    EXPECT_EQ(refusal().first, "");
    fs::remove_all(options.directory);
}

TEST_F(StoreTest, RunningSecondsGoOnAcrossStarts) {
    open();
    tamper(options.directory, store_table_name, [](Batch& batch, Table table) {
        write_named_number(batch, table, running_seconds_name, 123'456);
    });
    const Store store(options, loop.post());
    EXPECT_GE(store.running_seconds(), 123'456U);
    EXPECT_LT(store.running_seconds(), 123'456U + 3600);
}

TEST_F(StoreTest, KeepsItsFileAheadHoweverFastItGrows) {
    fs::create_directories(options.directory);
    Environment environment({.directory = options.directory, .map_bytes = std::size_t{1} << 30});
    HeadroomGauge gauge(environment, options.directory, [] {
        return std::chrono::steady_clock::time_point();  // all in one moment
    });
    const std::string megabyte(1 << 20, 'x');
    for (int i = 0; i < 64; ++i) {
        Batch batch = environment.batch();
        batch.put(environment.open_table(batch, "big"), std::to_string(i), megabyte);
        batch.commit();
        gauge.measure_if_due();
        ASSERT_GE(environment.file_bytes(), environment.extent_bytes() + 4 * megabyte.size()) << i;
    }
}

TEST_F(StoreTest, KeepsItsFileAheadOfWhatItUses) {
    open();
    std::size_t extent = 0;
    {
        Environment environment({.directory = options.directory});
        extent = environment.extent_bytes();
    }
    EXPECT_GT(fs::file_size(data), extent + (1 << 20));
}

}  // namespace
}  // namespace twophase::wal
