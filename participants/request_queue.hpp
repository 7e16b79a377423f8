// Takes requests into the store's batches: bounded, all or nothing each, answered once durable.
#pragma once

#include "participants/messages.hpp"
#include "participants/participant_metrics.hpp"
#include "wal/store.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace twophase::participants {

/// What became of a piece of work.
enum class Fate {
    durable,
    no_room,  // refused for want of space in the store, nothing written
    damaged,  // met a record that isn't what was written; nothing written, logged
};

/// One request's reads, checks and writes.
struct Piece {
    std::function<void(wal::Unit&)> work;  // on the writer's thread, perhaps twice; may throw
    std::function<void(Fate)> then;        // on the loop, once; not called after a failed commit
    bool is_new_work = false;
    wal::Urgency urgency = wal::Urgency::forced;
    const char* label = "";  // of the crash points, a literal
};

/// Belongs to the loop's thread.
class RequestQueue {
public:
    /// Both references outlive it.
    RequestQueue(wal::Store& store, std::size_t most_in_flight, ParticipantMetrics& metrics)
        : store_(store), most_in_flight_(most_in_flight), metrics_(metrics) {}

    /// New work is refused before it is written when this many requests wait; what ends work may
    /// use as much again, so that a flood of prepares doesn't hold back their commits.
    bool has_space(bool is_new_work, std::size_t pieces = 1) const {
        return in_flight_ + pieces <= (is_new_work ? most_in_flight_ : 2 * most_in_flight_);
    }

    /// All pieces go into the queue together, so they share a batch as a rule.
    void submit(std::vector<Piece> pieces);
    void submit(Piece piece);

    /// Hears, on the loop, of every damaged record that a request met: its key, for people. Set
    /// before the first request.
    void when_damaged(std::function<void(const std::string& key)> then) {
        damaged_ = std::move(then);
    }

    /// Calls `then` once all that was submitted before has its fate; at once where nothing waits.
    void when_caught_up(std::function<void()> then);

    std::size_t in_flight() const { return in_flight_; }
    wal::Store& store() { return store_; }
    /// For who knows what was asked and answered; the queue sees neither.
    ParticipantMetrics& metrics() { return metrics_; }

private:
    wal::Job job_of(Piece piece);

    wal::Store& store_;
    std::size_t most_in_flight_;
    ParticipantMetrics& metrics_;
    std::function<void(const std::string& key)> damaged_;
    std::size_t in_flight_ = 0;
};

}  // namespace twophase::participants
