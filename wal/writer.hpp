// Group commit: one thread that makes queued jobs durable, many at a time, in their order.
#pragma once

#include "wal/environment.hpp"
#include "wal/headroom.hpp"
#include "wal/running_clock.hpp"
#include "wal/store.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace twophase::wal {

/// Swaps out the queue and commits it in one batch; while that is synced, the next one gathers. A
/// batch is always a prefix of the queue. Any thread may submit; destruction writes the rest.
class Writer {
public:
    struct Parts {
        Environment& environment;
        Table store_table;
        RunningClock& clock;
        HeadroomGauge& headroom;
        Post post;
        std::uint64_t position = 0;       // of the barrier
        std::uint64_t numbers_above = 0;  // see Unit
        std::chrono::milliseconds lazy_delay;
        std::function<std::chrono::steady_clock::time_point()> now;
        bool is_stepped = false;
        std::function<void(const Committed&)> committed;
        std::function<void(const std::string& why)> fail_stop;
    };
    explicit Writer(Parts parts);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void submit(std::vector<Job> jobs);
    /// Writes what was submitted, then ends the thread. Nothing may be submitted after it.
    void stop();
    /// The thread's work by hand, where there is none: writes at most that many jobs; how many.
    std::size_t step(std::size_t most_jobs);
    std::size_t queued();
    std::uint64_t commits() const { return commits_; }
    std::uint64_t jobs() const { return jobs_; }
    /// Of the last durable batch. Any thread.
    std::uint64_t position() const { return position_; }
    /// The kernel's number of the thread; nothing before it runs, or where there is none.
    std::optional<int> thread_id() const {
        const int id = thread_id_;
        return id == 0 ? std::nullopt : std::optional(id);
    }

private:
    using Instant = std::chrono::steady_clock::time_point;
    using Fates = std::vector<Written>;

    void run();
    bool wait_for_work();
    Instant next_wake() const;
    std::vector<Job> take(std::size_t most_jobs);

    void write(std::vector<Job> jobs);
    bool commit(const std::vector<Job>& jobs, Fates& fates);
    void perform(Batch& batch, const std::vector<Job>& jobs, Fates& fates);
    std::chrono::nanoseconds sync(Batch& batch, const std::vector<Job>& jobs);
    void tell(std::vector<Job> jobs, const Fates& fates);
    [[noreturn]] void fail(const std::string& why);

    Parts parts_;
    std::atomic<std::uint64_t> commits_{0};
    std::atomic<std::uint64_t> jobs_{0};
    std::atomic<std::uint64_t> position_;
    std::atomic<int> thread_id_{0};
    Instant woken_;  // the writer's thread alone

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> queue_;   // these four under mutex_
    std::size_t forced_ = 0;  // how many of the queue are
    Instant oldest_;          // no job of the queue is older
    bool is_stopping_ = false;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace twophase::wal
