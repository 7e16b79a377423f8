#include "wal/log_records.hpp"

#include "wal/bytes.hpp"
#include "wal/frame.hpp"
#include "wal/log_keys.hpp"

#include <utility>

namespace twophase::wal {

void RecordCheck::add(std::string_view key, std::string_view frame) {
    if (read_.damage.empty()) read_.damage = fault_of(key, frame);
}

std::string RecordCheck::fault_of(std::string_view key, std::string_view frame) {
    const auto n_bytes = key.substr(read_.gid.size());
    if (n_bytes.size() != sizeof(std::uint32_t)) return "a record has a malformed key";
    const auto n = read_number<std::uint32_t>(n_bytes);
    const std::size_t expected = read_.records.size();
    if (n != expected) return "record " + std::to_string(expected) + " is missing";
    const CheckedFrame checked = check_frame(read_.gid, n, frame);
    if (checked.damage != nullptr) return "record " + std::to_string(n) + " " + checked.damage;
    read_.records.push_back({.n = n, .payload = std::string(checked.payload)});
    return {};
}

StoredTransaction RecordCheck::take() && {
    if (read_.records.empty() && read_.damage.empty()) read_.damage = "record 0 is missing";
    return std::move(read_);
}

}  // namespace twophase::wal
