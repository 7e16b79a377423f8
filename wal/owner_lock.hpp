// The lock that makes a store belong to one process, which LMDB itself does not ask for.
#pragma once

#include "wal/token.hpp"

#include <filesystem>
#include <optional>

namespace twophase::wal {

/// Holds a store's directory for this object's life; the kernel lets go when the process ends.
class OwnerLock {
public:
    /// StoreError EBUSY, naming the directory and the owner's process, when it is held already, by
    /// this process too.
    explicit OwnerLock(const std::filesystem::path& directory);
    ~OwnerLock();
    /// An earlier owner noted that its first commit was durable.
    bool had_store() const { return had_store_; }
    /// Notes it, durably, for all that come later. A note that fails only protects less.
    void note_store();

    /// True when the start that a store recorded with `note` was the last one in this directory.
    bool was_last(const Token& note) const;
    /// Writes down, durably, which note the store is about to record; once it has, confirm_note().
    /// A crash between the two leaves the store with either, so `recorded`, the one that it has
    /// now, stays valid until then; none where that one is not to be.
    void write_note(const Token& recorded, const Token& next);
    void confirm_note(const Token& note);

    OwnerLock(const OwnerLock&) = delete;
    OwnerLock& operator=(const OwnerLock&) = delete;

private:
    void write_notes(const Token& confirmed, const Token& pending) const;

    int file_;
    Token confirmed_note_;
    Token pending_note_;  // of a start that may not have come to its barrier
    bool had_store_ = false;
};

}  // namespace twophase::wal
