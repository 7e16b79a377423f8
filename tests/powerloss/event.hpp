// The recording's format, shared by the recorder, who writes it, and the replayer. No libraries:
// the recorder lives inside foreign processes.
#pragma once

#include <cstdint>

namespace twophase::powerloss {

/// What happened to a file or directory. A change is recorded before it is made, as from then on
/// any part of it may reach the disk; a sync after it returned, as only then it may be relied on.
enum class EventKind : std::uint8_t {
    directory_made = 1,
    file_made,
    written,       // data at offset
    length_set,    // to offset
    sync_begun,    // of a file or of a directory's names
    synced,        // all before its sync_begun is durable
    range_synced,  // an O_DSYNC write of length at offset returned
    noted,         // data is text: a promise that somebody was given
    settled,       // a killed process left data, then zeros up to offset, in the page cache
    unfit,         // data says what was done that can't be replayed
};

/// Stands before each event in a recording, followed by the name, relative to the recorded folder,
/// and the data. All processes append to one file, so that its order is the order of events.
struct EventHeader {
    EventKind kind;
    std::uint8_t name_bytes;
    std::uint16_t unused;
    std::uint32_t data_bytes;
    std::uint64_t offset;
    std::uint64_t length;
};
static_assert(sizeof(EventHeader) == 24);

// The recorder's environment.
inline constexpr const char* recording_variable = "POWERLOSS_RECORDING";    // the file to append to
inline constexpr const char* root_variable = "POWERLOSS_ROOT";              // the recorded folder
inline constexpr const char* kill_after_variable = "POWERLOSS_KILL_AFTER";  // events, then kill -9

}  // namespace twophase::powerloss
