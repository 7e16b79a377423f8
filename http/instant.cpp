#include "http/instant.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace twophase::http {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

/// Reads a text from its front; after the first failure nothing more is taken.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    /// Exactly `digits` of them, as a number of at least `min` and at most `max`.
    int number(std::size_t digits, int min, int max) {
        int value = 0;
        const auto [end, error] =
            std::from_chars(rest_.data(), rest_.data() + std::min(digits, rest_.size()), value);
        if (error != std::errc() || end != rest_.data() + digits || value < min || value > max ||
            rest_.front() == '-')
            return fail();
        rest_.remove_prefix(digits);
        return value;
    }
    /// One of `characters`, which is given back; else a failure, or 0 where it may be absent.
    char one_of(std::string_view characters, bool may_be_absent = false) {
        if (!rest_.empty() && characters.find(rest_.front()) != characters.npos) {
            const char found = rest_.front();
            rest_.remove_prefix(1);
            return found;
        }
        if (!may_be_absent) fail();
        return 0;
    }
    /// The digits of a fraction, as microseconds; at least one.
    microseconds fraction() {
        int value = 0;
        int unit = 100'000;
        std::size_t digits = 0;
        for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
            value += (rest_[digits] - '0') * unit;
            unit /= 10;
        }
        rest_.remove_prefix(digits);
        if (digits == 0) fail();
        return microseconds(value);
    }
    bool is_whole() const { return !has_failed_ && rest_.empty(); }

private:
    int fail() {
        has_failed_ = true;
        rest_ = {};
        return 0;
    }
    std::string_view rest_;
    bool has_failed_ = false;
};

std::chrono::minutes read_offset(Reader& reader) {
    const char sign = reader.one_of("Zz+-");
    if (sign != '+' && sign != '-') return 0min;
    const std::chrono::hours hours(reader.number(2, 0, 23));
    reader.one_of(":");
    const std::chrono::minutes offset = hours + std::chrono::minutes(reader.number(2, 0, 59));
    return sign == '+' ? offset : -offset;
}

}  // namespace

std::string instant_text(std::int64_t since_1970) {
    const std::chrono::sys_time<microseconds> time{microseconds(since_1970)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss of_day(time - day);
    char text[64];
    const int size = std::snprintf(text,
                                   sizeof text,
                                   "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                                   int{date.year()},
                                   unsigned{date.month()},
                                   unsigned{date.day()},
                                   static_cast<int>(of_day.hours().count()),
                                   static_cast<int>(of_day.minutes().count()),
                                   static_cast<int>(of_day.seconds().count()),
                                   static_cast<int>(of_day.subseconds().count()));
    return {text, static_cast<std::size_t>(size)};
}

std::optional<std::int64_t> parse_instant(std::string_view text) {
    Reader reader(text);
    const std::chrono::year year(reader.number(4, 0, 9999));
    reader.one_of("-");
    const std::chrono::month month(static_cast<unsigned>(reader.number(2, 1, 12)));
    reader.one_of("-");
    const std::chrono::year_month_day date =
        year / month / std::chrono::day(static_cast<unsigned>(reader.number(2, 1, 31)));
    reader.one_of("Tt");
    microseconds of_day = std::chrono::hours(reader.number(2, 0, 23));
    reader.one_of(":");
    of_day += std::chrono::minutes(reader.number(2, 0, 59));
    reader.one_of(":");
    of_day += std::chrono::seconds(reader.number(2, 0, 60));
    if (reader.one_of(".", true) != 0) of_day += reader.fraction();
    const std::chrono::minutes offset = read_offset(reader);
    if (!reader.is_whole() || !date.ok()) return std::nullopt;
    const std::chrono::sys_time<microseconds> local = std::chrono::sys_days(date) + of_day;
    return (local - offset).time_since_epoch().count();
}

}  // namespace twophase::http
