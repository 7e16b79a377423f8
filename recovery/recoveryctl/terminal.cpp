#include "recovery/recoveryctl/terminal.hpp"

#include "http/text.hpp"
#include "recovery/recoveryctl/failure.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <unistd.h>
#include <utility>

namespace twophase::recoveryctl {
namespace {

std::string escaped(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
    return text;
}

std::size_t bytes_of_character(unsigned char first) {
    if (first < 0x80) return 1;
    if (first < 0xE0) return 2;
    return first < 0xF0 ? 3 : 4;
}

bool is_between(std::string_view character, std::string_view first, std::string_view last) {
    return character.size() == first.size() && character >= first && character <= last;
}

/// One character of valid UTF-8.
bool is_harmless(std::string_view character) {
    if (character.size() == 1) return character[0] >= ' ' && character[0] != '\x7f';
    return !is_between(character, "\xC2\x80", "\xC2\x9F") &&          // C1 controls
           !is_between(character, "\xE2\x80\x8E", "\xE2\x80\x8F") &&  // direction marks
           !is_between(character, "\xE2\x80\xA8", "\xE2\x80\xAE") &&  // line ends, embeddings
           !is_between(character, "\xE2\x81\xA6", "\xE2\x81\xA9");    // isolates
}

char32_t code_point(std::string_view character) {
    const auto first = static_cast<unsigned char>(character.front());
    if (character.size() == 1) return first;
    char32_t point = first & (0x7FU >> character.size());
    for (const char c : character.substr(1))
        point = point << 6U | (static_cast<unsigned char>(c) & 0x3FU);
    return point;
}

/// Wide and fullwidth are two, what combines is none: Unicode Standard Annex #11, whole blocks.
std::size_t columns_of(char32_t point) {
    struct Range {
        char32_t first, last;
    };
    constexpr std::array none{Range{0x0300, 0x036F}, Range{0x200B, 0x200F}, Range{0xFE00, 0xFE0F}};
    constexpr std::array wide{Range{0x1100, 0x115F},
                              Range{0x2E80, 0x303E},
                              Range{0x3041, 0xA4CF},
                              Range{0xAC00, 0xD7A3},
                              Range{0xF900, 0xFAFF},
                              Range{0xFE10, 0xFE19},
                              Range{0xFE30, 0xFE6F},
                              Range{0xFF00, 0xFF60},
                              Range{0xFFE0, 0xFFE6},
                              Range{0x1F300, 0x1F64F},
                              Range{0x1F680, 0x1F6FF},
                              Range{0x1F900, 0x1F9FF},
                              Range{0x20000, 0x3FFFD}};
    const auto holds = [point](const Range& r) { return point >= r.first && point <= r.last; };
    if (std::ranges::any_of(none, holds)) return 0;
    return std::ranges::any_of(wide, holds) ? 2 : 1;
}

}  // namespace

std::string printable(std::string_view text) {
    const bool is_text = http::is_utf8(text);
    std::string out;
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text.front());
        const std::size_t bytes = is_text ? bytes_of_character(first) : 1;
        const std::string_view character = text.substr(0, bytes);
        const bool is_shown = is_harmless(character) && (is_text || first < 0x80);
        out += is_shown ? std::string(character) : escaped(character);
        text.remove_prefix(bytes);
    }
    return out;
}

std::size_t width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text.front());
        const std::string_view character = text.substr(0, bytes_of_character(first));
        columns += columns_of(code_point(character));
        text.remove_prefix(character.size());
    }
    return columns;
}

std::string shell_word(const std::string& text) {
    const bool is_plain = !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_./:").find(c) != std::string_view::npos;
    });
    if (is_plain) return text;
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
    return quoted + "'";
}

bool confirm(const std::string& question) {
    if (::isatty(STDIN_FILENO) == 0)
        throw Failure(Exit::not_possible,
                      "there is no terminal to ask on; give --yes if this is meant");
    std::cerr << question << " Type yes to go on: " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "yes";
}

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)), is_shown_(::isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
    if (is_shown_) std::cerr << "\r\x1b[K" << std::flush;
}

void ProgressLine::show(std::size_t done) {
    if (is_shown_) std::cerr << "\r\x1b[K" << what_ << ": " << done << " done" << std::flush;
}

}  // namespace twophase::recoveryctl
