// How much of a peer's windows late calls may have beside new work. A part of Lane.
#pragma once

#include "recovery/backoff.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>

namespace twophase::recovery {

/// Few and long requests end a backlog soonest for the same wait of new work; how long one holds up
/// what comes behind it is what `most_items` bounds. After a full one no late call leaves for
/// `rest` times as long as it took, at most for `most_rest`, and after others for their part of
/// that: so new work has the peer, and the loop that hears its answers, to itself for most of the
/// time.
struct LateOptions {
    std::size_t window = 1;       // requests with late calls in flight, for each class
    std::size_t most_items = 96;  // late calls in one of them
    unsigned rest = 4;
    Time most_rest{100};
    Time new_work_lasts{200};  // since some left or was answered
};

/// Late is what was left over, planned, tried before, or wanted while the peer was away. While no
/// new work is about, it has all there is. Classes are 0 and 1, as of the lane.
class LateShare {
public:
    /// `most_items`: calls in any request; 1: calls leave singly and have nothing to rest from.
    LateShare(LateOptions options, std::size_t most_items)
        : options_(options), full_(std::min(options.most_items, most_items)) {}

    /// The time of what is asked from now on.
    void look(Time now) {
        now_ = now;
        is_new_work_about_ = new_in_flight_ > 0 ||
                             (last_new_work_ && now < *last_new_work_ + options_.new_work_lasts);
    }

    bool is_new_work_about() const { return is_new_work_about_; }

    /// Late calls that one request may carry.
    std::size_t most_items() const {
        return is_new_work_about_ ? full_ : std::numeric_limits<std::size_t>::max();
    }

    bool has_place(unsigned of_class) const {
        return !is_new_work_about_ || (has_room(of_class) && now_ >= rests_until_[of_class]);
    }

    /// When has_place() will hold without an answer in between: late calls have rested, or new work
    /// has ended. Only where it does not hold now.
    std::optional<Time> has_place_at(unsigned of_class) const {
        Time first = Time::max();
        // While new work is under way, its answer is what comes first.
        if (new_in_flight_ == 0) first = *last_new_work_ + options_.new_work_lasts;
        if (has_room(of_class)) first = std::min(first, rests_until_[of_class]);
        return first == Time::max() ? std::nullopt : std::optional(first);
    }

    /// A request left, with so many late calls and some new ones or none.
    void left(unsigned of_class, std::size_t late, bool has_new, Time now) {
        if (late > 0) ++late_in_flight_[of_class];
        if (has_new) {
            ++new_in_flight_;
            last_new_work_ = now;
        }
    }

    /// That request is over.
    void over(unsigned of_class, std::size_t late, bool has_new, Time left_at, Time now) {
        if (late > 0) {
            --late_in_flight_[of_class];
            Time& until = rests_until_[of_class];
            until = std::max(until, now + rest_after(late, std::max(now - left_at, Time{0})));
        }
        if (has_new) {
            --new_in_flight_;
            last_new_work_ = now;
        }
    }

private:
    bool has_room(unsigned of_class) const { return late_in_flight_[of_class] < options_.window; }

    /// One late call has nothing to make up for.
    Time rest_after(std::size_t late, Time took) const {
        if (full_ == 1) return Time{0};
        return std::min(options_.rest * took, options_.most_rest) *
               static_cast<Time::rep>(std::min(late, full_) - 1) /
               static_cast<Time::rep>(full_ - 1);
    }

    LateOptions options_;
    std::size_t full_;  // late calls in a request that is full of them
    Time now_{};
    bool is_new_work_about_ = false;
    std::size_t new_in_flight_ = 0;  // requests with new calls
    std::optional<Time> last_new_work_;
    std::size_t late_in_flight_[2] = {0, 0};
    Time rests_until_[2] = {Time::min(), Time::min()};
};

}  // namespace twophase::recovery
