#include "wal/token.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <sys/random.h>
#include <system_error>

namespace twophase::wal {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

}  // namespace

std::string to_text(const Token& token) {
    if (token.is_none()) return {};
    std::string text;
    text.reserve(2 * token.bytes.size());
    for (const std::uint8_t byte : token.bytes) {
        text.push_back(digits[byte >> 4]);
        text.push_back(digits[byte & 15]);
    }
    return text;
}

std::optional<Token> parse_token(std::string_view text) {
    Token token;
    if (text.size() != 2 * token.bytes.size()) return std::nullopt;
    for (std::size_t i = 0; i < token.bytes.size(); ++i) {
        const std::size_t high = digits.find(text[2 * i]);
        const std::size_t low = digits.find(text[2 * i + 1]);
        if (high == digits.npos || low == digits.npos) return std::nullopt;
        token.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return token.is_none() ? std::nullopt : std::optional(token);
}

void append_token(std::string& to, const Token& token) {
    to.append(reinterpret_cast<const char*>(token.bytes.data()), token.bytes.size());
}

Token take_token(std::string_view& from) {
    Token token;
    assert(from.size() >= token.bytes.size());
    std::ranges::copy(from.substr(0, token.bytes.size()), token.bytes.begin());
    from.remove_prefix(token.bytes.size());
    return token;
}

Token draw_token(const std::function<std::uint64_t()>& random) {
    Token token;
    while (token.is_none()) {
        for (std::size_t half = 0; half < 2; ++half) {
            std::uint64_t bits = random();
            for (std::size_t i = 0; i < 8; ++i, bits >>= 8)
                token.bytes[8 * half + i] = static_cast<std::uint8_t>(bits);
        }
    }
    return token;
}

std::uint64_t system_random() {
    std::uint64_t bits = 0;
    if (::getrandom(&bits, sizeof bits, 0) != sizeof bits)
        throw std::system_error(errno, std::generic_category(), "getrandom");
    return bits;
}

}  // namespace twophase::wal
