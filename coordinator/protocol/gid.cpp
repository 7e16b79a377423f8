#include "coordinator/protocol/gid.hpp"

#include <algorithm>
#include <cstring>

namespace twophase::coordinator {
namespace {

constexpr std::uint32_t counters_in_a_millisecond = 4096;
constexpr std::array<std::size_t, 4> dashes = {8, 13, 18, 23};

/// The parts that order ids: time and counter, with nothing random.
Gid lowest(std::uint64_t milliseconds, std::uint32_t counter) {
    Gid gid{};
    for (int i = 0; i < 6; ++i)
        gid.at(i) = static_cast<std::uint8_t>(milliseconds >> (8 * (5 - i)));
    gid[6] = static_cast<std::uint8_t>(0x70 | (counter >> 8));
    gid[7] = static_cast<std::uint8_t>(counter);
    gid[8] = 0x80;
    return gid;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

std::string to_text(const Gid& gid) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text(36, '-');
    auto at = text.begin();
    for (std::size_t i = 0; i < gid.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
        *at++ = digits[gid[i] >> 4];
        *at++ = digits[gid[i] & 15];
    }
    return text;
}

std::optional<Gid> parse_gid(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    for (std::size_t dash : dashes)
        if (text[dash] != '-') return std::nullopt;
    Gid gid{};
    std::size_t byte = 0;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        if (text[i] == '-') ++i;
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        gid.at(byte++) = static_cast<std::uint8_t>(high << 4 | low);
    }
    if ((gid[6] >> 4) != 7 || (gid[8] >> 6) != 2) return std::nullopt;
    return gid;
}

std::uint16_t node_of(const Gid& gid) { return static_cast<std::uint16_t>(gid[14] << 8 | gid[15]); }

std::uint64_t milliseconds_of(const Gid& gid) {
    std::uint64_t milliseconds = 0;
    for (int i = 0; i < 6; ++i) milliseconds = milliseconds << 8 | gid.at(i);
    return milliseconds;
}

std::uint32_t tag_of(const Gid& gid) {
    std::uint32_t tag = 0;
    for (std::size_t i = 10; i < 14; ++i) tag = tag << 8 | gid.at(i);
    return tag;
}

GidMint::GidMint(std::uint16_t node,
                 std::uint64_t floor,
                 std::function<std::uint64_t()> random,
                 std::uint32_t tag)
    : node_(node), tag_(tag), milliseconds_(floor), random_(std::move(random)) {}

std::optional<Gid> GidMint::mint(std::uint64_t wall_milliseconds, std::uint64_t ceiling) {
    if (wall_milliseconds > milliseconds_ && ceiling > milliseconds_ + 1) {
        milliseconds_ = std::min(wall_milliseconds, ceiling - 1);
        counter_ = 0;
    }
    if (counter_ == counters_in_a_millisecond) {
        ++milliseconds_;
        counter_ = 0;
    }
    if (milliseconds_ >= ceiling) return std::nullopt;
    Gid gid = lowest(milliseconds_, counter_++);
    const std::uint64_t bits = random_();
    gid[8] = static_cast<std::uint8_t>(0x80 | (bits & 0x3f));
    gid[9] = static_cast<std::uint8_t>(bits >> 8);
    for (int i = 0; i < 4; ++i) gid.at(10 + i) = static_cast<std::uint8_t>(tag_ >> (24 - 8 * i));
    gid[14] = static_cast<std::uint8_t>(node_ >> 8);
    gid[15] = static_cast<std::uint8_t>(node_);
    return gid;
}

Gid GidMint::next_at_least() const {
    if (counter_ == counters_in_a_millisecond) return lowest(milliseconds_ + 1, 0);
    return lowest(milliseconds_, counter_);
}

std::size_t GidHash::operator()(const Gid& gid) const noexcept {
    // Time and counter tell ids of one coordinator apart; the random part spreads them.
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, gid.data(), 8);
    std::memcpy(&low, gid.data() + 8, 8);
    return static_cast<std::size_t>((high ^ (low * 0x9E3779B97F4A7C15ULL)) * 0xFF51AFD7ED558CCDULL);
}

}  // namespace twophase::coordinator
