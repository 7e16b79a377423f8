// What a test and failing_io.cpp, preloaded into a program, share: which of its system calls fails.
#pragma once

#include <atomic>

namespace twophase::faults {

/// Groups of system calls that fail alike.
enum class Call : int {
    none,
    store_write,  // write, pwrite, writev, pwritev to the store
    meta_write,   // of those the ones that are durable at once (O_DSYNC): LMDB's meta pages
    store_sync,   // fsync, fdatasync
    store_space,  // fallocate, ftruncate
    store_read,   // read, pread; while it runs a program reads its store through a mapping
    file_write,   // to any other file: the one with the program's address
    file_read,    // read, pread of any other file: the peers' addresses
    send,         // send, sendmsg, write, writev to a socket
    receive,      // recv, recvmsg, read, readv from a socket
    accept,
    connect,
};

/// Lives in a file that the variable FAILING_IO names. Zeros: nothing fails.
struct FailingPage {
    static constexpr int half = -1;  // in place of an errno: the call does half of its work

    std::atomic<Call> call{Call::none};
    std::atomic<long> calls_left{0};  // the one that takes it to 0 fails
    std::atomic<int> error{0};        // an errno, or `half`
    std::atomic<bool> is_forever{false};
    std::atomic<long> failed{0};  // how many failed so far
};

}  // namespace twophase::faults
