#include "tests/powerloss/recording.hpp"

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace twophase::powerloss {
namespace {

namespace fs = std::filesystem;

void append(int file,
            EventKind kind,
            std::string_view name,
            std::string_view data,
            std::uint64_t offset = 0) {
    EventHeader header{.kind = kind,
                       .name_bytes = static_cast<std::uint8_t>(name.size()),
                       .unused = 0,
                       .data_bytes = static_cast<std::uint32_t>(data.size()),
                       .offset = offset,
                       .length = 0};
    const iovec parts[] = {{&header, sizeof header},
                           {const_cast<char*>(name.data()), name.size()},
                           {const_cast<char*>(data.data()), data.size()}};
    const auto wanted = static_cast<ssize_t>(sizeof header + name.size() + data.size());
    if (::writev(file, parts, 3) != wanted)
        throw std::runtime_error("the recording can't be written");
}

std::string take(std::string_view& from, std::size_t bytes) {
    if (from.size() < bytes) throw std::runtime_error("the recording is cut");
    std::string taken(from.substr(0, bytes));
    from.remove_prefix(bytes);
    return taken;
}

Event take_event(std::string_view& from) {
    EventHeader header;
    const std::string bytes = take(from, sizeof header);
    std::memcpy(&header, bytes.data(), sizeof header);
    Event event{.kind = header.kind, .offset = header.offset, .length = header.length};
    event.name = take(from, header.name_bytes);
    event.data = take(from, header.data_bytes);
    return event;
}

}  // namespace

Recorded::Recorded(fs::path root, fs::path recording)
    : root_(std::move(root)), recording_(std::move(recording)) {
    fs::create_directories(root_);
    std::ofstream(recording_).flush();
}

std::vector<std::string> Recorded::environment(std::uint64_t kill_after) const {
    // A sanitizer wants to be the first library, for nothing that matters here.
    const char* given = std::getenv("ASAN_OPTIONS");
    const std::string options = given == nullptr ? "" : std::string(given) + ":";
    std::vector<std::string> variables{
        std::string("LD_PRELOAD=") + RECORDER,
        "ASAN_OPTIONS=" + options + "verify_asan_link_order=0",
        std::string(root_variable) + "=" + root_.string(),
        std::string(recording_variable) + "=" + recording_.string(),
    };
    if (kill_after > 0)
        variables.push_back(std::string(kill_after_variable) + "=" + std::to_string(kill_after));
    return variables;
}

void Recorded::settle(const std::string& name) const {
    if (!fs::exists(root_ / name)) return;
    std::string bytes = read_file(root_ / name);
    const std::uint64_t length = bytes.size();
    bytes.resize(bytes.find_last_not_of('\0') + 1);  // it is kept long by reserved, empty blocks
    const int file = ::open(recording_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    append(file, EventKind::settled, name, bytes, length);
    ::close(file);
}

Notes::Notes(const fs::path& recording)
    : file_(::open(recording.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)) {
    if (file_ < 0) throw std::runtime_error("no recording " + recording.string());
}

Notes Notes::from_environment() {
    const char* recording = std::getenv(recording_variable);
    if (recording == nullptr) throw std::runtime_error("not under the recorder");
    return Notes(recording);
}

Notes::Notes(Notes&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

Notes::~Notes() {
    if (file_ >= 0) ::close(file_);
}

void Notes::add(std::string_view text) const { append(file_, EventKind::noted, "", text); }

std::vector<Event> read_recording(const fs::path& recording) {
    const std::string bytes = read_file(recording);
    std::string_view rest = bytes;
    std::vector<Event> events;
    while (!rest.empty()) {
        events.push_back(take_event(rest));
        const Event& event = events.back();
        if (event.kind == EventKind::unfit)
            throw std::runtime_error("can't be replayed: " + event.data + ": " + event.name);
    }
    return events;
}

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {};
    std::string bytes(static_cast<std::size_t>(fs::file_size(path)), '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

}  // namespace twophase::powerloss
