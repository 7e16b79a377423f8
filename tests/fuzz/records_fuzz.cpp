// The three codecs of what is kept on disk. What decodes must encode to something that decodes to
// the same; what is damaged must be seen; and nothing but the codec's own refusal may come out.
#include "coordinator/record_codec.hpp"
#include "participants/branch.hpp"
#include "participants/coupon/stock.hpp"
#include "participants/credit/accounts.hpp"
#include "tests/fuzz/hits.hpp"
#include "wal/frame.hpp"
#include "wal/log_keys.hpp"
#include "wal/sealed.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twophase::fuzz {
namespace {

constexpr wal::Gid some_gid{1, 143, 43, 108, 122, 16, 112, 0, 128, 0, 0, 0, 0, 0, 0, 1};
constexpr std::string_view some_key = "some key";

// `bytes` with one bit turned, another one for other bytes.
std::string damaged(std::string bytes) {
    std::size_t place = bytes.size();
    for (const char byte : bytes) place = place * 31 + static_cast<unsigned char>(byte);
    char& byte = bytes[place % bytes.size()];
    byte = static_cast<char>(byte ^ (1 << place % 8));
    return bytes;
}

void try_record(std::string_view payload) {
    const auto first = coordinator::decode(some_gid, payload);
    if (!first) return;
    reached(std::string("record ") + coordinator::name_of(first->record));
    const std::string text = coordinator::encode(first->record, first->at_microseconds);
    const auto again = coordinator::decode(some_gid, text);
    require(again.has_value(), "an encoded record decodes");
    require(again->record == first->record, "to the same");
    require(again->at_microseconds == first->at_microseconds, "at the same time");
}

void try_frame(std::string_view bytes) {
    const std::string frame = wal::encode_frame(some_gid, 7, bytes);
    const auto whole = wal::check_frame(some_gid, 7, frame);
    require(whole.damage == nullptr && whole.payload == bytes, "a frame holds its payload");
    require(wal::check_frame(some_gid, 8, frame).damage != nullptr, "a frame knows its place");
    require(wal::check_frame(some_gid, 7, damaged(frame)).damage != nullptr, "a bit is seen");
    require(
        wal::check_frame(some_gid, 7, std::string_view(frame).substr(0, frame.size() - 1)).damage !=
            nullptr,
        "a cut is seen");
    const auto raw = wal::check_frame(some_gid, 7, bytes);
    if (raw.damage != nullptr) return;
    reached("frame");
    require(wal::encode_frame(some_gid, 7, raw.payload) == bytes, "a payload has one frame");
}

void try_keys(std::string_view bytes) {
    if (const auto key = wal::to_business_key(bytes)) {
        reached("business key");
        require(wal::is_valid(*key) && wal::business_key(*key) == bytes, "a key has one form");
    }
    if (const auto key = wal::to_finished_key(bytes)) {
        reached("finished key");
        require(wal::finished_key(key->finished_at, key->gid) == bytes, "a key has one form");
    }
    const wal::BusinessKey key{.code = "order", .id = "4711", .attempt = 1};
    const std::string key_bytes = wal::business_key(key);
    const std::string value = wal::seal(key_bytes, std::string(bytes));
    const wal::BusinessEntry entry = wal::to_business_entry(key_bytes, value);
    if (entry.damaged) return;
    reached("business entry");
    require(entry.key == key && wal::business_value(key_bytes, entry) == value, "the same entry");
}

template <class Record>
std::optional<Record> decode(std::string_view value) {
    try {
        return participants::decode<Record>(some_key, value);
    } catch (const participants::DamagedRecord&) {
        return std::nullopt;
    }
}

// A participant's value: its version, `fields`, its checksum.
std::string stored(std::string_view fields) {
    return wal::seal(some_key, '\x01' + std::string(fields));
}

// The seal is the same for all records.
void try_seal(std::string_view bytes) {
    using participants::InDoubt;
    decode<InDoubt>(bytes);
    require(!decode<InDoubt>(damaged(stored(bytes))), "a bit is seen");
}

template <class Record, bool has_newer = false>
void try_stored(const char* name, std::string_view fields) {
    const auto first = decode<Record>(stored(fields));
    if (!first) return;
    reached(name);
    const std::string bytes = participants::encode(some_key, *first);
    const auto again = decode<Record>(bytes);
    require(again.has_value(), "an encoded record decodes");
    require(participants::encode(some_key, *again) == bytes, "to the same");
    require(bytes.size() >= stored(fields).size(), "nothing is left out");
    // Longer only where an earlier build knew fewer fields.
    require(has_newer || bytes.size() == stored(fields).size(), "nothing is added");
}

}  // namespace
}  // namespace twophase::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace twophase::fuzz;
    namespace stored = twophase::participants;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try_record(bytes);
    try_frame(bytes);
    try_keys(bytes);
    try_seal(bytes);
    try_stored<stored::Branch>("branch", bytes);
    try_stored<stored::InDoubt>("in-doubt entry", bytes);
    try_stored<stored::Coordinator>("coordinator", bytes);
    try_stored<stored::credit::Account, true>("account", bytes);
    try_stored<stored::credit::Entry, true>("entry", bytes);
    try_stored<stored::coupon::Template>("template", bytes);
    try_stored<stored::coupon::Coupon>("coupon", bytes);
    return 0;
}
