// The lock that makes a store belong to one process, which LMDB itself does not ask for.
#pragma once

#include <filesystem>

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

    OwnerLock(const OwnerLock&) = delete;
    OwnerLock& operator=(const OwnerLock&) = delete;

private:
    int file_;
    bool had_store_ = false;
};

}  // namespace twophase::wal
