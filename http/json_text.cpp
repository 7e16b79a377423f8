#include "http/json_text.hpp"

#include "http/json.hpp"

#include <algorithm>

namespace twophase::http {
namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

}  // namespace

void append_quoted(std::string& to, std::string_view text) {
    // Nearly all are plain ASCII; the rest is the library's.
    if (!std::ranges::all_of(text, is_plain)) {
        to += dump(Json(text));
        return;
    }
    to += '"';
    to += text;
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
