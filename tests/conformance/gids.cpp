#include "tests/conformance/gids.hpp"

#include <algorithm>
#include <chrono>

namespace twophase::conformance {
namespace {

constexpr std::uint64_t counters_in_a_millisecond = 4096;

std::uint64_t now_in_milliseconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::string hex(std::uint64_t value) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4) text += digits[value >> shift & 15];
    return text;
}

}  // namespace

std::string Gids::next() {
    const std::uint64_t now = std::max(now_in_milliseconds(), milliseconds_);
    if (++counter_ == counters_in_a_millisecond || now > milliseconds_) {
        milliseconds_ = std::max(now, milliseconds_ + 1);
        counter_ = 0;
    }
    constexpr std::uint64_t version = 7;
    constexpr std::uint64_t variant = std::uint64_t{2} << 62;
    const std::uint64_t high = milliseconds_ << 16 | version << 12 | counter_;
    const std::uint64_t low = variant | (random_() >> 2 & ~std::uint64_t{0xFFFF}) | node;
    std::string text = hex(high) + hex(low);
    for (const std::size_t place : {20U, 16U, 12U, 8U}) text.insert(place, "-");
    return text;
}

}  // namespace twophase::conformance
