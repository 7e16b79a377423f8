#include "http/json_text.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace twophase::http {
namespace {

/// Of each byte, whether it stands in a text as it is.
constexpr std::array<bool, 256> plain = [] {
    std::array<bool, 256> is_plain{};
    for (unsigned c = 0x20; c < 0x7F; ++c) is_plain[c] = c != '"' && c != '\\';
    return is_plain;
}();

bool is_plain(char c) { return plain[static_cast<unsigned char>(c)]; }

/// As nlohmann's dump does: fingerprints in the log are made of such texts.
void append_escaped(std::string& to, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    if (!is_utf8(text)) throw std::invalid_argument("a text that is not UTF-8");
    for (const char c : text) {
        switch (c) {
            case '"': to += "\\\""; break;
            case '\\': to += "\\\\"; break;
            case '\b': to += "\\b"; break;
            case '\f': to += "\\f"; break;
            case '\n': to += "\\n"; break;
            case '\r': to += "\\r"; break;
            case '\t': to += "\\t"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    to += "\\u00";
                    to += digits[static_cast<unsigned char>(c) >> 4];
                    to += digits[static_cast<unsigned char>(c) & 15];
                } else {
                    to += c;
                }
        }
    }
}

}  // namespace

void append_quoted(std::string& to, std::string_view text) {
    to += '"';
    if (std::ranges::all_of(text, is_plain))
        to += text;
    else
        append_escaped(to, text);
    to += '"';
}

void ObjectText::begin(std::string_view name) {
    if (!is_empty_) to_ += ',';
    is_empty_ = false;
    to_ += '"';
    to_ += name;
    to_ += "\":";
}

}  // namespace twophase::http
