// 128 random bits that name a log, a store, or one of its starts.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::wal {

/// Drawn once and never again: two that are equal name the same thing. All zero: none.
struct Token {
    std::array<std::uint8_t, 16> bytes{};

    bool is_none() const { return *this == Token{}; }
    friend auto operator<=>(const Token&, const Token&) = default;
};

/// 32 hexadecimal digits in lower case; empty for none.
std::string to_text(const Token& token);
/// Exactly that text; nothing for any other, the empty one and 32 zeros included.
std::optional<Token> parse_token(std::string_view text);

/// Its 16 bytes at the end of `to`.
void append_token(std::string& to, const Token& token);
/// The token in the first 16 bytes of `from`, which must hold it; `from` is what comes after.
Token take_token(std::string_view& from);

/// Never none. `random` gives 64 fresh random bits a call.
Token draw_token(const std::function<std::uint64_t()>& random);

/// 64 bits of the kernel's generator (getrandom). Any thread.
std::uint64_t system_random();

}  // namespace twophase::wal
