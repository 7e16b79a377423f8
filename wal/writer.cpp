#include "wal/writer.hpp"

#include "wal/crash_point.hpp"
#include "wal/store_table.hpp"

#include <algorithm>
#include <cassert>
#include <exception>
#include <pthread.h>
#include <set>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace twophase::wal {
namespace {

// Bounds what one LMDB transaction holds in memory and how long the first job waits for the last.
constexpr std::size_t most_jobs_in_batch = 4096;

// The thread's way out after a fail_stop that returned, as only a test's does.
struct Failed {};

void refuse_new_work(const std::vector<Job>& jobs, std::vector<Written>& fates) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        if (!jobs[i].is_new_work || fates[i] == Written::refused_no_room) continue;
        fates[i] = Written::refused_no_room;
        if (jobs[i].refused) jobs[i].refused();
    }
}

void pass_crash_points(std::string_view before_or_after, const std::vector<Job>& jobs) {
#ifdef TWOPHASE_CRASH_POINTS
    std::set<std::string_view> labels;
    for (const Job& job : jobs) {
        labels.insert(job.label);
        labels.insert(job.more_labels.begin(), job.more_labels.end());
    }
    for (const std::string_view label : labels) crash_point(before_or_after, label);
#else
    (void)before_or_after;
    (void)jobs;
#endif
}

}  // namespace

Writer::Writer(Parts parts)
    : parts_(std::move(parts)), position_(parts_.position), woken_(parts_.now()) {
    if (!parts_.is_stepped) thread_ = std::jthread([this] { run(); });
}

Writer::~Writer() { stop(); }

void Writer::stop() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Writer::submit(std::vector<Job> jobs) {
    if (jobs.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        const bool was_idle = queue_.empty();
        const std::size_t forced_before = forced_;
        if (was_idle) oldest_ = parts_.now();
        for (Job& job : jobs) {
            if (job.urgency == Urgency::forced) ++forced_;
            queue_.push_back(std::move(job));
        }
        if (!was_idle && forced_ == forced_before) return;  // the writer has its alarm set
    }
    changed_.notify_one();
}

void Writer::run() {
    pthread_setname_np(pthread_self(), "wal-writer");
    thread_id_ = ::gettid();
    try {
        while (wait_for_work()) {
            write(take(most_jobs_in_batch));
            parts_.headroom.measure_if_due();
        }
        // The clock's last seconds: a program that restarts often would never age without them.
        write({});
    } catch (const Failed&) {
        return;
    } catch (const std::exception& error) {
        try {
            fail(error.what());
        } catch (const Failed&) {
            return;
        }
    }
}

std::size_t Writer::step(std::size_t most_jobs) {
    assert(parts_.is_stepped);
    std::vector<Job> jobs = take(most_jobs);
    const std::size_t taken = jobs.size();
    try {
        write(std::move(jobs));
        parts_.headroom.measure_if_due();
    } catch (const Failed&) {
        return taken;  // the owner was told by fail_stop
    }
    return taken;
}

std::size_t Writer::queued() {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

// False at the end: stopping, and nothing is queued.
bool Writer::wait_for_work() {
    std::unique_lock lock(mutex_);
    while (!is_stopping_ && forced_ == 0) {
        const Instant wake = next_wake();
        if (parts_.now() >= wake) break;
        changed_.wait_until(lock, wake);
    }
    woken_ = parts_.now();
    return !is_stopping_ || !queue_.empty();
}

// Idle, the writer still keeps the running clock, and looks whether room has come back.
Writer::Instant Writer::next_wake() const {
    const bool has_room = parts_.headroom.read().has_room;
    const Instant tick = woken_ + std::chrono::seconds(has_room ? 60 : 1);
    return queue_.empty() ? tick : std::min(tick, oldest_ + parts_.lazy_delay);
}

std::vector<Job> Writer::take(std::size_t most_jobs) {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), most_jobs));
    std::vector<Job> jobs(std::make_move_iterator(queue_.begin()),
                          std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    forced_ -= static_cast<std::size_t>(std::ranges::count(jobs, Urgency::forced, &Job::urgency));
    return jobs;
}

void Writer::write(std::vector<Job> jobs) {
    Fates fates(jobs.size(), Written::durable);
    if (!parts_.headroom.read().has_room) refuse_new_work(jobs, fates);
    if (!commit(jobs, fates)) {
        refuse_new_work(jobs, fates);
        if (!commit(jobs, fates)) fail("the store has no room left for decisions");
    }
    tell(std::move(jobs), fates);
}

// False when the map is full: then nothing was written and nothing is in doubt.
bool Writer::commit(const std::vector<Job>& jobs, Fates& fates) {
    if (!parts_.clock.is_due() && std::ranges::count(fates, Written::durable) == 0) return true;
    std::chrono::nanoseconds took{};
    try {
        Batch batch = parts_.environment.batch();
        perform(batch, jobs, fates);
        took = sync(batch, jobs);
    } catch (const StoreError& error) {
        if (error.is_full()) return false;
        // What is on disk now, nobody can tell but a new start, after its barrier.
        fail(error.what());
    }
    const auto written = static_cast<std::size_t>(std::ranges::count(fates, Written::durable));
    jobs_ += written;
    if (parts_.committed) parts_.committed({.jobs = written, .sync = took});
    return true;
}

void Writer::perform(Batch& batch, const std::vector<Job>& jobs, Fates& fates) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        if (fates[i] != Written::durable || !jobs[i].work) continue;
        Unit unit(batch, parts_.numbers_above);
        try {
            jobs[i].work(unit);
        } catch (const BuildsOnRefused&) {
            fates[i] = Written::refused_no_room;
            continue;
        } catch (const std::exception& error) {
            fail("a job broke an invariant: " + std::string(error.what()));
        } catch (...) {
            fail("a job broke an invariant and threw what is no exception");
        }
        unit.apply();
    }
}

// How long the commit took.
std::chrono::nanoseconds Writer::sync(Batch& batch, const std::vector<Job>& jobs) {
    const bool has_clock = parts_.clock.is_due();
    const std::uint64_t seconds = has_clock ? parts_.clock.write(batch, parts_.store_table) : 0;
    // A batch that wrote nothing needs no sync, and is told to nobody as a new position.
    const std::uint64_t position = position_ + (batch.has_written() ? 1 : 0);
    if (batch.has_written()) write_named_number(batch, parts_.store_table, position_name, position);
    pass_crash_points("before", jobs);
    const Instant begin = parts_.now();
    batch.commit();
    const std::chrono::nanoseconds took = parts_.now() - begin;
    ++commits_;
    position_ = position;
    pass_crash_points("after", jobs);
    if (has_clock) parts_.clock.note_durable(seconds);
    return took;
}

// One post for the whole batch, so that the loop is woken once.
void Writer::tell(std::vector<Job> jobs, const Fates& fates) {
    std::vector<std::pair<std::function<void(Written)>, Written>> told;
    told.reserve(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i)
        if (jobs[i].then) told.emplace_back(std::move(jobs[i].then), fates[i]);
    if (told.empty()) return;
    parts_.post([told = std::move(told)] {
        for (const auto& [then, fate] : told) then(fate);
    });
}

void Writer::fail(const std::string& why) {
    parts_.fail_stop(why);
    throw Failed{};
}

}  // namespace twophase::wal
