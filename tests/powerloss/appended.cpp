#include "tests/powerloss/appended.hpp"

namespace twophase::powerloss {
namespace {

std::size_t payload_size(std::uint64_t number, std::uint32_t n) {
    const std::uint64_t draw = (number * 4 + n) * 0x9E3779B97F4A7C15ULL >> 32;
    if (draw % 40 == 0) return 2'000 + draw / 40 % 9'000;  // pages of its own
    if (draw % 8 == 0) return draw / 8 % 1'900;
    return draw / 8 % 200;
}

wal::Entry entry_of(std::uint64_t number, std::uint32_t n) {
    return {.gid = gid_of(number), .n = n, .payload = payload_of(number, n)};
}

}  // namespace

wal::LogOptions appender_options(const std::filesystem::path& store, std::size_t map_bytes) {
    return {.store = {.directory = store,
                      .id = "one",
                      .node = 7,
                      .map_bytes = map_bytes,
                      .any_filesystem = true},
            .retention = std::chrono::seconds(0)};
}

wal::Gid gid_of(std::uint64_t number) {
    wal::Gid gid{0x01, 0x93};
    for (std::size_t byte = 0; byte < 8; ++byte)
        gid[15 - byte] = static_cast<std::uint8_t>(number >> (8 * byte));
    return gid;
}

std::uint64_t number_of(const wal::Gid& gid) {
    std::uint64_t number = 0;
    for (std::size_t byte = 8; byte < 16; ++byte) number = number << 8 | gid[byte];
    return number;
}

std::string payload_of(std::uint64_t number, std::uint32_t n) {
    return std::string(payload_size(number, n), static_cast<char>('a' + (number + n) % 26));
}

std::vector<wal::Entry> job_of(std::uint64_t number) {
    std::vector<wal::Entry> entries{entry_of(number, 0), entry_of(number, 1)};
    const wal::BusinessKey key{.code = "order", .id = std::to_string(number)};
    entries[0].starts = wal::BusinessEntry{.key = key, .gid = gid_of(number)};
    if (number >= unfinished_jobs) {
        entries.push_back(entry_of(number - unfinished_jobs, 2));
        entries.back().finishes = true;
    }
    return entries;
}

wal::Post at_once() {
    return [](const std::function<void()>& function) { function(); };
}

std::string note_of(const char* word, std::uint64_t number) {
    return word + (" " + std::to_string(number));
}

}  // namespace twophase::powerloss
