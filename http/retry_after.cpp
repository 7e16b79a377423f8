#include "http/retry_after.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>
#include <string>
#include <system_error>

namespace twophase::http {
namespace {

constexpr std::int64_t most_seconds = std::int64_t{24} * 60 * 60;

/// delay-seconds; more than a number can hold is a long time, too.
std::optional<std::int64_t> parse_seconds(std::string_view text) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return error == std::errc::result_out_of_range ? most_seconds : seconds;
}

}  // namespace

std::int64_t parse_date(std::string_view text) {
    const std::string terminated(text);
    // Names of days and months are English whatever the user's language is: no program of ours
    // calls setlocale.
    for (const char* form :
         {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
        std::tm parts{};
        const char* end = strptime(terminated.c_str(), form, &parts);
        if (end != nullptr && *end == '\0') return std::max<std::int64_t>(timegm(&parts), -1);
    }
    return -1;
}

std::chrono::seconds retry_after(const Response& response, std::int64_t wall_seconds) {
    if (response.status != 429 && response.status != 503) return {};
    const std::string_view text = response.header("Retry-After");
    std::int64_t seconds = 0;
    if (const auto told = parse_seconds(text)) {
        seconds = *told;
    } else if (const std::int64_t until = parse_date(text); until >= 0) {
        const std::int64_t date = parse_date(response.header("Date"));
        seconds = until - (date >= 0 ? date : wall_seconds);
    }
    return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, most_seconds));
}

}  // namespace twophase::http
