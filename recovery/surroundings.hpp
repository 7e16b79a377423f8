// What a program's loop stands on: clocks, alarms, chance and peers. The machine's, or a
// simulation's.
#pragma once

#include "http/client.hpp"
#include "http/endpoint.hpp"
#include "http/errc.hpp"
#include "http/message.hpp"
#include "recovery/backoff.hpp"
#include "wal/store.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace twophase::recovery {

/// Rings once at its time. Belongs to the loop; silent once destroyed.
class Alarm {
public:
    virtual ~Alarm() = default;
    /// Replaces what was set before.
    virtual void set(Time at, std::function<void()> ring) = 0;
    virtual void cancel() = 0;
};

/// Somebody to call: http::Client's contract.
class Peer {
public:
    using Done = std::function<void(http::Result<http::Response>)>;
    virtual ~Peer() = default;
    /// Sends once; `done` runs exactly once and never before send() returned.
    virtual void send(http::Call call, std::chrono::milliseconds timeout, Done done) = 0;
    virtual void close() = 0;
};

/// Outlives what was built on it.
class Surroundings {
public:
    virtual ~Surroundings() = default;
    /// The steady clock.
    virtual Time now() const = 0;
    /// The same clock as fine as it goes; for measuring only.
    virtual std::chrono::nanoseconds fine_now() const { return now(); }
    /// Microseconds since 1970, by the wall clock.
    virtual std::int64_t wall_microseconds() const = 0;
    /// 64 fresh random bits. Any thread.
    virtual std::uint64_t random() = 0;
    /// Runs a function on the loop. Any thread.
    virtual void post(std::function<void()> function) = 0;
    virtual std::unique_ptr<Alarm> alarm() = 0;
    virtual std::unique_ptr<Peer> peer(const http::Endpoint& endpoint,
                                       std::size_t max_connections) = 0;
    /// What a store is opened with, before its program adds what it knows.
    virtual wal::StoreOptions store_options() const { return {}; }
};

}  // namespace twophase::recovery
