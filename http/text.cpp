#include "http/text.hpp"

#include <algorithm>
#include <cstddef>

namespace twophase::http {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return -1;
}

bool in_range(char c, unsigned low, unsigned high) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= low && byte <= high;
}

// The length of the UTF-8 sequence at the start of `text`, 0 when it is none (RFC 3629, section 4).
std::size_t sequence_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) return 1;
    std::size_t length = 0;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    }
    if (length == 0 || text.size() < length || !in_range(text[1], low, high)) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if (!in_range(text[i], 0x80, 0xBF)) return 0;
    }
    return length;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = lower(c);
    return out;
}

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [marks](char c) {
        return is_alphanumeric(c) || marks.find(c) != std::string_view::npos;
    });
}

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::string_view> take_until(std::string_view& rest, std::string_view end) {
    const std::size_t at = rest.find(end);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view part = rest.substr(0, at);
    rest.remove_prefix(at + end.size());
    return part;
}

std::optional<std::string_view> next_in_list(std::string_view& rest, std::string_view separators) {
    if (rest.empty()) return std::nullopt;
    const std::size_t end = std::min(rest.find_first_of(separators), rest.size());
    const std::string_view member = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return trim(member);
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string cut(std::string_view text, std::size_t most_bytes) {
    if (text.size() <= most_bytes) return std::string(text);
    std::size_t end = most_bytes;
    // Bytes 10xxxxxx go on with a character that began before them.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return std::string(text.substr(0, end));
}

std::string for_log(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string line;
    for (const char c : cut(text, 512)) {
        if (in_range(c, 0, 0x1F) || c == 0x7F) {
            line += "\\x";
            line += digits[static_cast<unsigned char>(c) >> 4];
            line += digits[static_cast<unsigned char>(c) & 15];
        } else {
            line += c;
        }
    }
    return line;
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

bool is_header_value(std::string_view text) {
    return std::ranges::none_of(
        text, [](char c) { return (in_range(c, 0, 0x1F) && c != '\t') || c == 0x7F; });
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view unreserved =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (unreserved.find(c) != unreserved.npos)
            encoded += c;
        else
            encoded += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return encoded;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

}  // namespace twophase::http
