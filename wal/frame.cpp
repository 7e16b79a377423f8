#include "wal/frame.hpp"

#include "wal/bytes.hpp"
#include "wal/crc32c.hpp"
#include "wal/log_keys.hpp"

namespace twophase::wal {
namespace {

constexpr std::size_t number_bytes = sizeof(std::uint32_t);
constexpr std::size_t gid_at = 1;
constexpr std::size_t n_at = gid_at + std::tuple_size_v<Gid>;
constexpr std::size_t length_at = n_at + number_bytes;
constexpr std::size_t payload_at = length_at + number_bytes;

}  // namespace

std::string encode_frame(const Gid& gid, std::uint32_t n, std::string_view payload) {
    std::string frame;
    frame.reserve(payload_at + payload.size() + number_bytes);
    append_number(frame, frame_version);
    frame.append(bytes_of(gid));
    append_number(frame, n);
    append_number(frame, static_cast<std::uint32_t>(payload.size()));
    frame.append(payload);
    append_number(frame, crc32c(frame));
    return frame;
}

CheckedFrame check_frame(const Gid& gid, std::uint32_t n, std::string_view frame) {
    if (frame.size() < payload_at + number_bytes) return {.damage = "is cut short"};
    const auto summed = frame.substr(0, frame.size() - number_bytes);
    if (read_number<std::uint32_t>(frame.substr(summed.size())) != crc32c(summed))
        return {.damage = "fails its checksum"};
    if (read_number<std::uint8_t>(frame) != frame_version)
        return {.damage = "has an unknown version"};
    if (frame.substr(gid_at, gid.size()) != bytes_of(gid) ||
        read_number<std::uint32_t>(frame.substr(n_at)) != n)
        return {.damage = "belongs under another key"};
    const auto payload = summed.substr(payload_at);
    if (read_number<std::uint32_t>(frame.substr(length_at)) != payload.size())
        return {.damage = "has a wrong length"};
    return {.payload = payload};
}

}  // namespace twophase::wal
