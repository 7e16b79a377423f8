#include "http/header_values.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <utility>

namespace twophase::http {

namespace {

void skip_blanks(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
}

bool take(std::string_view& rest, char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
}

std::string_view take_token(std::string_view& rest) {
    std::size_t length = 0;
    while (length < rest.size() && is_token(rest.substr(length, 1))) ++length;
    return std::exchange(rest, rest.substr(length)).substr(0, length);
}

// A string in double quotes off the front of `rest`; nullopt when it has no end. A backslash
// stands before what is meant as it is.
std::optional<std::string> take_quoted(std::string_view& rest) {
    if (!take(rest, '"')) return std::nullopt;
    std::string text;
    while (!rest.empty()) {
        if (take(rest, '"')) return text;
        take(rest, '\\');
        if (rest.empty()) break;
        text += rest.front();
        rest.remove_prefix(1);
    }
    return std::nullopt;
}

// Moves to the next comma that stands in no quotes, and past it. False: there is none.
bool skip_member(std::string_view& rest) {
    while (!rest.empty()) {
        if (take(rest, ',')) return true;
        if (rest.front() == '"' && !take_quoted(rest)) return false;
        if (!rest.empty() && rest.front() != ',' && rest.front() != '"') rest.remove_prefix(1);
    }
    return false;
}

// name [ = token or "string" ], up to its parameters or its end.
std::optional<Preference> take_preference(std::string_view& rest) {
    skip_blanks(rest);
    Preference one{.name = lower(take_token(rest)), .value = {}};
    skip_blanks(rest);
    if (take(rest, '=')) {
        skip_blanks(rest);
        auto value = rest.starts_with('"') ? take_quoted(rest) : std::string(take_token(rest));
        if (!value) return std::nullopt;
        one.value = *std::move(value);
        skip_blanks(rest);
    }
    const bool is_at_end = rest.empty() || rest.front() == ',' || rest.front() == ';';
    if (one.name.empty() || !is_at_end) return std::nullopt;
    return one;
}

// RFC 8941, section 4.2.5: a string's bytes are printable ASCII, and only quotes and backslashes
// are escaped.
std::optional<std::string> take_string(std::string_view& rest) {
    const std::string_view before = rest;
    auto text = take_quoted(rest);
    const std::string_view raw = before.substr(0, before.size() - rest.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] < ' ' || raw[i] > '~') return std::nullopt;
        if (raw[i] != '\\') continue;
        ++i;
        if (i == raw.size() || (raw[i] != '"' && raw[i] != '\\')) return std::nullopt;
    }
    return text;
}

// ";key=value" and what follows it. The values' own grammar matters to nobody: they are dropped.
bool are_parameters(std::string_view rest) {
    constexpr std::string_view first = "abcdefghijklmnopqrstuvwxyz*";
    while (take(rest, ';')) {
        rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
        if (rest.empty() || first.find(rest.front()) == std::string_view::npos) return false;
        take_token(rest);
        if (!take(rest, '=')) continue;
        if (rest.starts_with('"') ? !take_string(rest).has_value() : rest.empty()) return false;
        const std::size_t end = rest.find_first_of(";, \t\"");
        rest.remove_prefix(std::min(end, rest.size()));
    }
    return rest.empty();
}

}  // namespace

std::vector<Preference> read_preferences(const std::vector<Header>& headers) {
    std::vector<Preference> all;
    for (const Header& header : headers) {
        if (!equal_ignoring_case(header.name, "prefer")) continue;
        std::string_view rest = header.value;
        bool has_more = true;
        while (has_more) {
            auto one = take_preference(rest);
            has_more = skip_member(rest);
            if (one && std::ranges::count(all, one->name, &Preference::name) == 0)
                all.push_back(*std::move(one));
        }
    }
    return all;
}

std::optional<std::string> parse_string_item(std::string_view text) {
    auto item = take_string(text);
    if (!item || !are_parameters(text)) return std::nullopt;
    return item;
}

}  // namespace twophase::http
