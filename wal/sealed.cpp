#include "wal/sealed.hpp"

#include "wal/bytes.hpp"
#include "wal/crc32c.hpp"

#include <cstdint>

namespace twophase::wal {

std::string seal(std::string_view key, std::string value) {
    append_number(value, crc32c(value, crc32c(key)));
    return value;
}

std::optional<std::string_view> unseal(std::string_view key, std::string_view sealed) {
    if (sealed.size() < sizeof(std::uint32_t)) return {};
    const auto value = sealed.substr(0, sealed.size() - sizeof(std::uint32_t));
    const auto stored = read_number<std::uint32_t>(sealed.substr(value.size()));
    if (stored != crc32c(value, crc32c(key))) return {};
    return value;
}

}  // namespace twophase::wal
