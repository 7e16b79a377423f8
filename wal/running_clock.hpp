// Seconds that a store has been running in all its starts: a clock that no one can set.
#pragma once

#include "wal/environment.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

namespace twophase::wal {

/// Counts on from the durable value by the steady clock. seconds() from any thread, the rest from
/// the writer's.
class RunningClock {
public:
    using Now = std::function<std::chrono::steady_clock::time_point()>;
    RunningClock(std::uint64_t durable_seconds, Now now)
        : durable_at_start_(durable_seconds),
          written_(durable_seconds),
          now_(std::move(now)),
          started_(now_()) {}

    std::uint64_t seconds() const;
    /// A second or more has passed since it was last made durable.
    bool is_due() const { return seconds() > written_; }
    /// Adds the present value to `batch`, and gives it for note_durable().
    std::uint64_t write(Batch& batch, Table store_table) const;
    void note_durable(std::uint64_t seconds) { written_ = seconds; }

private:
    std::uint64_t durable_at_start_;
    std::uint64_t written_;
    Now now_;
    std::chrono::steady_clock::time_point started_;
};

}  // namespace twophase::wal
