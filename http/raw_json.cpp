#include "http/raw_json.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace twophase::http {
namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::string_view without_blanks_before(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text;
}

/// The bytes of the string that `text` begins with, quotes included.
std::size_t string_length(std::string_view text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') return i + 1;
        if (text[i] == '\\') ++i;
    }
    return text.size();
}

std::size_t container_length(std::string_view text) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c == '"') {
            i += string_length(text.substr(i));
            continue;
        }
        ++i;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) return i;
    }
    return text.size();
}

std::size_t value_length(std::string_view text) {
    if (text.starts_with('"')) return string_length(text);
    if (text.starts_with('{') || text.starts_with('[')) return container_length(text);
    return std::min(text.find_first_of(" \t\r\n,:]}"), text.size());
}

std::string_view take(std::string_view& rest, std::size_t length) {
    const std::string_view taken = rest.substr(0, length);
    rest = without_blanks_before(rest.substr(taken.size()));
    return taken;
}

/// Takes what follows `\u`.
std::uint32_t take_code_unit(std::string_view& rest) {
    constexpr std::size_t digits = 4;
    const std::string_view text = rest.substr(0, digits);
    std::uint32_t unit = 0;
    std::from_chars(text.data(), text.data() + text.size(), unit, 16);
    rest.remove_prefix(text.size());
    return unit;
}

void append_utf8(std::string& to, std::uint32_t point) {
    const auto put = [&to](std::uint32_t byte) { to += static_cast<char>(byte); };
    const auto put_last = [&](unsigned shift) { put(0x80U | ((point >> shift) & 0x3FU)); };
    if (point < 0x80) return put(point);
    if (point < 0x800) {
        put(0xC0U | (point >> 6));
    } else if (point < 0x10000) {
        put(0xE0U | (point >> 12));
        put_last(6);
    } else {
        put(0xF0U | (point >> 18));
        put_last(12);
        put_last(6);
    }
    put_last(0);
}

/// Takes the escape whose backslash is taken already.
void take_escape(std::string_view& rest, std::string& to) {
    constexpr std::string_view letters = "bfnrt";
    constexpr std::string_view meanings = "\b\f\n\r\t";
    const char kind = rest.front();
    rest.remove_prefix(1);
    if (kind != 'u') {
        const std::size_t at = letters.find(kind);
        to += at == letters.npos ? kind : meanings[at];
        return;
    }
    std::uint32_t point = take_code_unit(rest);
    const bool is_first_of_two = point >= 0xD800 && point < 0xDC00;
    if (is_first_of_two && rest.starts_with("\\u")) {
        rest.remove_prefix(2);
        point = 0x10000 + ((point - 0xD800) << 10) + (take_code_unit(rest) - 0xDC00);
    }
    append_utf8(to, point);
}

}  // namespace

RawMembers::RawMembers(std::string_view container) {
    if (container.starts_with(byte_order_mark)) container.remove_prefix(byte_order_mark.size());
    container = without_blanks_before(container);
    is_object_ = container.starts_with('{');
    if (!is_object_ && !container.starts_with('[')) return;
    rest_ = without_blanks_before(container.substr(1));
}

std::optional<RawMembers::Member> RawMembers::next() {
    if (rest_.empty() || rest_.front() == '}' || rest_.front() == ']') {
        rest_ = {};
        return std::nullopt;
    }
    Member member;
    if (is_object_) {
        member.name = take(rest_, string_length(rest_));
        if (rest_.starts_with(':')) take(rest_, 1);
    }
    member.value = take(rest_, value_length(rest_));
    if (rest_.starts_with(',')) take(rest_, 1);
    if (member.value.empty()) rest_ = {};  // no JSON: don't stay here
    return member;
}

std::string_view raw_member(std::string_view object, std::string_view name) {
    RawMembers members(object);
    while (const auto member = members.next()) {
        const bool is_plain = member->name.find('\\') == std::string_view::npos;
        if (is_plain
                ? member->name.size() == name.size() + 2 && member->name.substr(1).starts_with(name)
                : unescaped(member->name) == name)
            return member->value;
    }
    return {};
}

std::string unescaped(std::string_view quoted) {
    std::string text;
    if (quoted.size() < 2) return text;
    std::string_view rest = quoted.substr(1, quoted.size() - 2);
    text.reserve(rest.size());
    while (!rest.empty()) {
        const std::string_view plain = rest.substr(0, rest.find('\\'));
        text += plain;
        rest.remove_prefix(plain.size());
        if (rest.size() < 2) break;
        rest.remove_prefix(1);
        take_escape(rest, text);
    }
    return text;
}

std::string without_blanks(std::string_view json) {
    std::string text;
    text.reserve(json.size());
    for (json = without_blanks_before(json); !json.empty();) {
        const bool is_text = json.starts_with('"');
        const std::size_t next = std::min(json.find_first_of(" \t\r\n\"", 1), json.size());
        text += take(json, is_text ? string_length(json) : next);
    }
    return text;
}

}  // namespace twophase::http
