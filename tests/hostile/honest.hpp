// The client that an attack must not touch: it exchanges points for coupons without a pause, and
// every one of its requests must succeed.
#pragma once

#include "tests/faults/fleet.hpp"
#include "tests/faults/load.hpp"
#include "tests/http/raw_socket.hpp"

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace twophase::hostile {

/// One client on a thread of its own, from construction to stop(). Half of its exchanges come on a
/// connection that it keeps, half on one of their own; after each it looks at its account and its
/// coupons, so all three programs must take new connections.
class Honest {
public:
    Honest(const faults::Fleet& fleet, std::string prefix);
    ~Honest();
    Honest(const Honest&) = delete;
    Honest& operator=(const Honest&) = delete;

    /// Waits for five exchanges that begin after this call; false when something failed.
    bool goes_on();
    void stop();

    /// The first request that failed, empty while none did.
    std::string failure() const;
    /// What it was told, after stop().
    const std::map<std::string, faults::Exchange>& exchanges() const { return exchanges_; }

private:
    void run();
    bool exchange();
    bool look(const faults::Program& program, const std::string& target);
    bool fail(const std::string& what);

    const faults::Fleet& fleet_;
    std::string prefix_;
    std::map<std::string, faults::Exchange> exchanges_;
    std::unique_ptr<http::test::RawSocket> kept_;
    std::atomic<std::size_t> done_{0};
    std::atomic<bool> is_stopping_{false};
    mutable std::mutex mutex_;
    std::string failure_;
    std::thread thread_;
};

}  // namespace twophase::hostile
