// Big-endian numbers in byte strings: the order of bytes is then the order of numbers.
#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace twophase::wal {

template <std::unsigned_integral Number>
void append_number(std::string& to, Number value) {
    for (std::size_t byte = sizeof(Number); byte-- > 0;)
        to.push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * byte))));
}

/// The number in the first bytes of `from`, which must hold it.
template <std::unsigned_integral Number>
Number read_number(std::string_view from) {
    assert(from.size() >= sizeof(Number));
    Number value = 0;
    for (std::size_t byte = 0; byte < sizeof(Number); ++byte)
        value = static_cast<Number>((static_cast<std::uint64_t>(value) << 8) |
                                    static_cast<unsigned char>(from[byte]));
    return value;
}

/// That number, and `from` is what comes after it.
template <std::unsigned_integral Number>
Number take_number(std::string_view& from) {
    const auto value = read_number<Number>(from);
    from.remove_prefix(sizeof(Number));
    return value;
}

}  // namespace twophase::wal
