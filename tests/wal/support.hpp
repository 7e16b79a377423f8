// What the tests of wal/ share: a directory that goes away, a loop, ids, child processes.
#pragma once

#include "wal/environment.hpp"
#include "wal/log.hpp"
#include "wal/store.hpp"

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <vector>

namespace twophase::wal {

class TempDirectory {
public:
    TempDirectory();
    ~TempDirectory();
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    std::filesystem::path path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// Stands for the owner's event loop; runs what was posted on the test's thread.
class Loop {
public:
    Post post();
    /// Runs what is posted until `is_done`. Ends the test program when that takes a minute.
    void run_until(const std::function<bool()>& is_done);
    void run_posted();
    std::size_t posts() const;

private:
    mutable std::mutex mutex_;
    std::condition_variable posted_;
    std::deque<std::function<void()>> queue_;
    std::size_t posts_ = 0;
};

/// Holds the writer inside a batch, so that a test decides what gathers behind it.
class Gate {
public:
    /// A job that waits in its work until open().
    Job job();
    void wait_until_reached() { reached_.get_future().wait(); }
    void open() { opened_.set_value(); }

private:
    std::promise<void> reached_;
    std::promise<void> opened_;
};

StoreOptions store_options(const std::filesystem::path& directory);
LogOptions log_options(const std::filesystem::path& directory);
Gid gid_of(std::uint64_t number);
/// Record 0 of transaction `number`, with business key ("order", number).
Entry started(std::uint64_t number, std::string payload = "started");
Entry decided(std::uint64_t number, std::uint32_t n = 1, std::string payload = "decided");
Entry finished(std::uint64_t number, std::uint32_t n);

/// Appends and waits until it is durable or refused.
Written append_and_wait(Log& log, Loop& loop, std::vector<Entry> entries);
/// Submits and waits likewise.
Written submit_and_wait(Store& store, Loop& loop, Job job);

struct Unfinished {
    std::vector<StoredTransaction> transactions;
    std::size_t bad_keys = 0;
};
/// All at once, where they are few.
Unfinished unfinished_in(const Log& log);

/// Changes a table of a stopped store behind its back.
void tamper(const std::filesystem::path& directory,
            const std::string& table,
            const std::function<void(Batch&, Table)>& change);
/// Flips one bit of the value under `key` of a stopped store.
void flip_bit(const std::filesystem::path& directory,
              const std::string& table,
              const std::string& key,
              std::size_t bit);

/// A run of wal_child, its standard output readable line by line.
class Child {
public:
    explicit Child(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {});
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// The next line; nothing at the end of the output.
    std::optional<std::string> read_line();
    void kill();
    /// How it ended: its exit code, or minus the signal's number.
    int wait();

private:
    pid_t process_ = -1;
    int output_ = -1;
    std::string buffer_;
};

}  // namespace twophase::wal
