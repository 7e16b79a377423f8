// Records as bytes in the store: a version, fixed-width numbers, length-prefixed texts, a checksum.
#pragma once

#include "wal/environment.hpp"
#include "wal/unit.hpp"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace twophase::participants {

/// A stored record that can't be what was written. It holds up the request that met it, alone.
class DamagedRecord : public std::runtime_error {
public:
    explicit DamagedRecord(std::string_view key);
    /// For people: as it is where it is printable, else in hex.
    const std::string& key() const { return key_; }

private:
    std::string key_;
};

/// Writes fields one after the other; a visitor for a record's `fields`.
class Encoder {
public:
    Encoder();
    void operator()(const std::string& text);
    template <class Number>
    requires(std::is_integral_v<Number> || std::is_enum_v<Number>) void operator()(
        const Number& value) {
        number(static_cast<std::uint64_t>(value));
    }
    /// A field that earlier builds didn't write; only such ones may follow it.
    void newer(const auto& value) { (*this)(value); }
    /// The whole value, with its checksum.
    std::string seal(std::string_view key) &&;

private:
    void number(std::uint64_t value);
    std::string bytes_;
};

/// Reads fields in the order in which they were written; throws DamagedRecord.
class Decoder {
public:
    Decoder(std::string_view key, std::string_view value);
    void operator()(std::string& text);
    template <class Number>
    requires(std::is_integral_v<Number> || std::is_enum_v<Number>) void operator()(Number& value) {
        value = static_cast<Number>(number());
    }
    /// Leaves `value` as it is where the record ends before it.
    void newer(auto& value) {
        if (!rest_.empty()) (*this)(value);
    }
    /// All must have been read.
    void finish() const;

private:
    std::string_view take(std::size_t bytes);
    std::uint64_t number();
    std::string_view key_;
    std::string_view rest_;
};

/// A record type lists its fields once, for both directions:
///
///     template <class Self, class Visit>
///     static void fields(Self& self, Visit& visit) { visit(self.balance); visit(self.name); }
template <class Record>
std::string encode(std::string_view key, const Record& record) {
    Encoder encoder;
    Record::fields(record, encoder);
    return std::move(encoder).seal(key);
}

template <class Record>
Record decode(std::string_view key, std::string_view value) {
    Decoder decoder(key, value);
    Record record;
    Record::fields(record, decoder);
    decoder.finish();
    return record;
}

/// Reads from a unit, a batch or a snapshot; nothing when the key is absent.
template <class Record, class Source>
std::optional<Record> read(const Source& source, wal::Table table, std::string_view key) {
    const auto bytes = source.get(table, key);
    if (!bytes) return std::nullopt;
    return decode<Record>(key, *bytes);
}

template <class Record>
void write(wal::Unit& unit, wal::Table table, std::string_view key, const Record& record) {
    unit.put(table, key, encode(key, record));
}

/// Eight bytes, so that keys order as numbers do.
std::string key_of(std::uint64_t number);
/// The number in the last eight bytes of `key`.
std::uint64_t number_in(std::string_view key);

/// The first key above all that begin with `prefix`, which doesn't end in 0xff.
std::string end_of(std::string_view prefix);

/// The key for people: as it is where all of it is printable ASCII, else in hex.
std::string readable_key(std::string_view key);

/// Lower-case hex.
std::string in_hex(std::string_view bytes);

/// The next number of the series `name`: 1, 2, ..., kept in `numbers`. Never one that this store
/// gave before, nor one that was lost: after a restore it goes on far above.
std::uint64_t next_number(wal::Unit& unit, wal::Table numbers, std::string_view name);

}  // namespace twophase::participants
