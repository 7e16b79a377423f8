#include "wal/running_clock.hpp"

#include "wal/store_table.hpp"

namespace twophase::wal {

std::uint64_t RunningClock::seconds() const {
    const auto running = now_() - started_;
    return durable_at_start_ +
           static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(running).count());
}

std::uint64_t RunningClock::write(Batch& batch, Table store_table) const {
    const std::uint64_t now = seconds();
    write_named_number(batch, store_table, running_seconds_name, now);
    return now;
}

}  // namespace twophase::wal
