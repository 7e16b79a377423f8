#include "participants/record.hpp"

#include "wal/bytes.hpp"
#include "wal/sealed.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace twophase::participants {
namespace {

constexpr char version = 1;

struct Series {
    std::uint64_t last = 0;
    template <class Self, class Visit>
    static void fields(Self& self, Visit& visit) {
        visit(self.last);
    }
};

}  // namespace

DamagedRecord::DamagedRecord(std::string_view key)
    : std::runtime_error("damaged record under key " + readable_key(key)),
      key_(readable_key(key)) {}

Encoder::Encoder() : bytes_(1, version) {}

void Encoder::operator()(const std::string& text) {
    wal::append_number(bytes_, static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
}

void Encoder::number(std::uint64_t value) { wal::append_number(bytes_, value); }

std::string Encoder::seal(std::string_view key) && { return wal::seal(key, std::move(bytes_)); }

Decoder::Decoder(std::string_view key, std::string_view value) : key_(key) {
    const auto fields = wal::unseal(key, value);
    if (!fields || fields->empty() || fields->front() != version) throw DamagedRecord(key);
    rest_ = fields->substr(1);
}

void Decoder::operator()(std::string& text) {
    text = take(wal::read_number<std::uint32_t>(take(sizeof(std::uint32_t))));
}

std::uint64_t Decoder::number() {
    return wal::read_number<std::uint64_t>(take(sizeof(std::uint64_t)));
}

std::string_view Decoder::take(std::size_t bytes) {
    if (rest_.size() < bytes) throw DamagedRecord(key_);
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
}

void Decoder::finish() const {
    if (!rest_.empty()) throw DamagedRecord(key_);
}

std::string key_of(std::uint64_t number) {
    std::string key;
    wal::append_number(key, number);
    return key;
}

std::uint64_t number_in(std::string_view key) {
    if (key.size() < 8) throw DamagedRecord(key);
    return wal::read_number<std::uint64_t>(key.substr(key.size() - 8));
}

std::string end_of(std::string_view prefix) {
    std::string end(prefix);
    assert(!end.empty() && end.back() != '\xff');
    ++end.back();
    return end;
}

std::string readable_key(std::string_view key) {
    const auto is_printable = [](char c) { return c >= ' ' && c <= '~'; };
    return !key.empty() && std::ranges::all_of(key, is_printable) ? std::string(key) : in_hex(key);
}

std::string in_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        text.push_back(digits[static_cast<unsigned char>(byte) >> 4]);
        text.push_back(digits[static_cast<unsigned char>(byte) & 15]);
    }
    return text;
}

std::uint64_t next_number(wal::Unit& unit, wal::Table numbers, std::string_view name) {
    Series series = read<Series>(unit, numbers, name).value_or(Series{});
    series.last = std::max(series.last, unit.numbers_above()) + 1;
    write(unit, numbers, name, series);
    return series.last;
}

}  // namespace twophase::participants
