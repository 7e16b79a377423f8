#include "participants/credible.hpp"

#include <algorithm>
#include <charconv>

namespace twophase::participants {
namespace {

constexpr std::int64_t day_in_seconds = 86'400;
constexpr std::uint64_t epochs_in_second = 1'000'000;
constexpr std::uint64_t most_starts_between_two_messages = 1'000'000;

std::uint64_t tomorrow(const Moment& moment) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(moment.microseconds / 1'000'000, 0) +
                                      day_in_seconds);
}

}  // namespace

bool is_time_ordered(std::string_view gid) {
    constexpr std::string_view shape = "xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx";
    if (gid.size() != shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const char c = gid[i];
        const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (shape[i] == 'x' ? !is_hex : c != shape[i]) return false;
    }
    return true;
}

std::uint64_t milliseconds_of(std::string_view gid) {
    const std::string digits = std::string(gid.substr(0, 8)) + std::string(gid.substr(9, 4));
    std::uint64_t milliseconds = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds, 16);
    return milliseconds;
}

bool is_credible(std::string_view gid, const Moment& moment) {
    return is_time_ordered(gid) && milliseconds_of(gid) / 1'000 <= tomorrow(moment);
}

std::uint64_t highest_epoch(std::uint64_t seen, const Moment& moment) {
    // A wrong clock of our own must not lock out a coordinator that we know.
    return std::max(tomorrow(moment) * epochs_in_second, seen + most_starts_between_two_messages);
}

}  // namespace twophase::participants
