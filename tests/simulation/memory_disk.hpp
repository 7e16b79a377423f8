// LMDB's interface over memory, so that the real store runs in a simulation: what a commit made
// durable outlives a simulated crash, all else is lost, and a commit may fail as a disk does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace twophase::simulation::memory_disk {

/// What becomes of a commit.
enum class Fate {
    durable,
    full,      // MDB_MAP_FULL: nothing written
    io_error,  // EIO: nobody knows what is on the disk, nor what the page cache shows
};

/// Asked at every commit; `directory` names the store.
void on_commit(std::function<Fate(const std::string& directory)> choose);
/// Draws the two unknowns of an io_error.
void on_chance(std::function<bool()> choose);

/// The power fails: what the page cache showed but the disk doesn't hold is gone, and the other way
/// round. A killed process alone changes nothing.
void lose_power(const std::string& directory);

/// The number of the data file in this directory: another for every one that was ever made.
std::uint64_t file_of(const std::string& directory);

/// A store's folder as somebody copied it: the rows that the page cache showed, and the notes of
/// its owner's lock.
struct Image;
/// Null when there is no store in this directory.
std::shared_ptr<const Image> copy(const std::string& directory);
/// Puts the copy there, in place of what was there. Not the same file: a folder that was copied or
/// moved; else one that was set back in place. No program may have it open.
void put(const std::string& directory, const Image& image, bool is_same_file);
/// Empties the folder.
void erase(const std::string& directory);

/// Forgets every store.
void clear();

}  // namespace twophase::simulation::memory_disk
