// The three real programs with durable settings, and what they and the machine spent.
#pragma once

#include "tests/faults/fleet.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace twophase::bench {

inline constexpr std::size_t many_users = 256;
inline constexpr std::size_t many_templates = 16;
inline constexpr std::int64_t granted = 1'000'000'000'000;  // to each user, and of each template
inline constexpr const char* poor_user = "poor";            // has no points
inline constexpr const char* locked_user = "locked";        // whose account the locks are about
/// The name under which the direct clients speak; the participants know it beside "main".
inline constexpr const char* direct_coordinator = "direct";

/// What a program has used since its start, or between two looks.
struct Used {
    double processor_seconds = 0;
    double written_bytes = 0;  // by the program to the disk, as the kernel counts them
    double commits = 0;        // of its store, each with its sync
    double requests = 0;       // that it answered
    Used& operator-=(const Used& before);
    Used& operator+=(const Used& more);
};

/// Coordinator, credit and coupon on ports that the kernel chose, with their stores below
/// `folder`, which is made. Ends them at its end.
class Servers {
public:
    explicit Servers(std::filesystem::path folder);

    /// Starts what is not running and waits until it is ready.
    void start();
    /// Orderly ends.
    void stop();

    static constexpr std::array names{"coordinator", "credit", "coupon"};
    faults::Program& by_name(const std::string& name);
    const faults::Program& by_name(const std::string& name) const;

    Used used(const std::string& name) const;
    /// Bytes of memory that no file backs: the stores' own pages are the page cache's.
    std::size_t memory(const std::string& name) const;
    std::size_t descriptors(const std::string& name) const;

    const std::filesystem::path& folder() const { return folder_; }

private:
    std::filesystem::path folder_;
    faults::Program coordinator_;
    faults::Program credit_;
    faults::Program coupon_;
};

/// The processor time that this process, the clients, has used.
double own_processor_seconds();

/// The sum of a metric's samples, by its name, in Prometheus text; 0 when it has none.
double sum_of(const std::string& text, const std::string& metric);

}  // namespace twophase::bench
