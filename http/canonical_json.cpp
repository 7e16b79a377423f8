#include "http/canonical_json.hpp"

#include "http/json_text.hpp"
#include "http/raw_json.hpp"

#include <boost/container/small_vector.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace twophase::http {
namespace {

/// The exponent of a number that has one; nullopt beyond 18 digits.
std::optional<std::int64_t> exponent_in(std::string_view text) {
    constexpr std::size_t max_digits = 18;
    const bool is_negative = text.starts_with('-');
    if (is_negative || text.starts_with('+')) text.remove_prefix(1);
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
    if (text.size() > max_digits) return std::nullopt;
    std::int64_t exponent = 0;
    std::from_chars(text.data(), text.data() + text.size(), exponent);
    return is_negative ? -exponent : exponent;
}

/// Sign, digits without zeros at their ends, and the power of ten that they are multiplied by.
bool append_number(std::string& to, std::string_view number) {
    const bool is_negative = number.starts_with('-');
    if (is_negative) number.remove_prefix(1);
    const std::size_t mantissa_end = std::min(number.find_first_of("eE"), number.size());
    const std::string_view mantissa = number.substr(0, mantissa_end);
    const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
    std::string digits(mantissa.substr(0, point));
    if (point < mantissa.size()) digits += mantissa.substr(point + 1);
    const std::size_t first = digits.find_first_not_of('0');
    if (first == std::string::npos) {
        to += '0';
        return true;
    }
    const std::size_t end = digits.find_last_not_of('0') + 1;
    auto exponent = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(end);
    if (mantissa_end < number.size()) {
        const auto written = exponent_in(number.substr(mantissa_end + 1));
        if (!written) return false;
        exponent += *written;
    }
    if (is_negative) to += '-';
    to.append(digits, first, end - first);
    if (exponent != 0) to += 'e' + std::to_string(exponent);
    return true;
}

void append_text(std::string& to, std::string_view quoted) {
    // Without escapes there is one way only to write it.
    if (quoted.find('\\') == std::string_view::npos)
        to += quoted;
    else
        append_quoted(to, unescaped(quoted));
}

bool append_object(std::string& to, std::string_view object) {
    using Named = std::pair<std::string, std::string_view>;
    constexpr std::size_t usual_members = 8;
    boost::container::small_vector<Named, usual_members> members;
    RawMembers raw(object);
    while (const auto member = raw.next())
        members.emplace_back(unescaped(member->name), member->value);
    std::ranges::sort(members, {}, &Named::first);
    to += '{';
    for (const Named& member : members) {
        if (&member != &members.front()) to += ',';
        append_quoted(to, member.first);
        to += ':';
        if (!append_canonical(to, member.second)) return false;
    }
    to += '}';
    return true;
}

bool append_array(std::string& to, std::string_view array) {
    RawMembers items(array);
    to += '[';
    bool is_first = true;
    while (const auto item = items.next()) {
        if (!std::exchange(is_first, false)) to += ',';
        if (!append_canonical(to, item->value)) return false;
    }
    to += ']';
    return true;
}

}  // namespace

bool append_canonical(std::string& to, std::string_view json) {
    switch (json.empty() ? '\0' : json.front()) {
        case '{': return append_object(to, json);
        case '[': return append_array(to, json);
        case '"': append_text(to, json); return true;
        case 't':
        case 'f':
        case 'n': to += json; return true;
        default: return append_number(to, json);
    }
}

}  // namespace twophase::http
