// Which calls to one peer may leave now, and together: windows, gathering, retries, one breaker.
// Pure bookkeeping: the caller sends, keeps the time and reports what came of it.
#pragma once

#include "recovery/backoff.hpp"
#include "recovery/breaker.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace twophase::recovery {

/// What came of a request as a whole.
enum class Outcome {
    clear,        // a clear answer, yes or no, to at least one of its calls
    unclear,      // the peer was there, or late, and said nothing that counts
    unreachable,  // nobody there: no connection, or it was cut
};

struct LaneOptions {
    std::size_t window = 4;      // requests in flight, for each class of calls
    std::size_t most_items = 1;  // in one request; 1: the peer takes no arrays
    // Requests with what is late (left over, planned, tried before, or wanted while the peer was
    // away) while there is new work: few and full ones end a backlog soonest for the same wait of
    // new work. After a full one none leaves for `rest` times as long as it took, at most for
    // `most_rest`, and after others for their part of that: so new work has the peer, and the loop
    // that hears its answers, to itself for most of the time.
    std::size_t late_window = 1;
    unsigned rest = 3;
    Time most_rest{100};
    Time new_work_lasts{200};  // since some left or was answered
    std::size_t most_bytes = 4 * 1024 * 1024;
    BackoffOptions backoff;
    BreakerOptions breaker;
    Time slow_retry{60'000};  // after an answer that only a person can change
};

/// All calls to one peer. `Key` names a call's subject, `Verb` what is asked; at most one verb is
/// wanted for a key at a time, and a newer one replaces it. Verbs of different classes have
/// windows of their own, so that hanging calls of one class don't hold back the other.
/// One thread.
template <class Key, class Verb, class Hash>
class Lane {
public:
    /// A call as it left; `generation` tells whether it is still wanted when its answer comes.
    struct Call {
        Key key;
        std::uint64_t generation = 0;
        unsigned attempts = 0;  // this one included
    };
    /// Calls of one verb that leave as one request.
    struct Request {
        Verb verb{};
        std::vector<Call> calls;
        std::size_t late = 0;  // calls of the late line
        Time left_at{};
        bool is_probe = false;
    };

    /// `class_of` maps a verb to the class whose window it uses: 0 or 1.
    Lane(LaneOptions options, unsigned (*class_of)(Verb), std::uint64_t seed)
        : options_(options),
          class_of_(class_of),
          breaker_(options.breaker, options.backoff),
          random_(seed) {}

    /// Wants `verb` for `key` from now on, as soon as may be, or from `not_before` on. `bytes`:
    /// about what it adds to a body.
    void want(const Key& key,
              Verb verb,
              std::size_t bytes,
              std::optional<Time> not_before = std::nullopt) {
        Entry& entry = replace(key, {.verb = verb, .bytes = bytes});
        if (not_before)
            plan(key, entry, *not_before);
        else
            make_ready(key, entry, Line::fresh);
    }

    /// Wants what an earlier start of this program left undone: late already.
    void want_left_over(const Key& key,
                        Verb verb,
                        std::size_t bytes,
                        std::optional<Time> not_before = std::nullopt) {
        Entry& entry = replace(key, {.verb = verb, .bytes = bytes, .is_left_over = true});
        ++left_over_;
        if (not_before)
            plan(key, entry, *not_before);
        else
            make_ready(key, entry, Line::late);
    }

    /// Wants nothing for `key` any more.
    void drop(const Key& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) return;
        forget_due(key, found->second);
        if (found->second.is_left_over) --left_over_;
        entries_.erase(found);  // what the ready queues still say of it is skipped by generation
    }

    /// The verb wanted for `key`, if any.
    std::optional<Verb> wanted(const Key& key) const {
        const auto found = entries_.find(key);
        if (found == entries_.end()) return std::nullopt;
        return found->second.verb;
    }

    bool is_in_flight(const Key& key) const { return in_flight_.contains(key); }

    /// Verbs of this class wait until released: a start's first sweep goes before new prepares.
    void hold(unsigned of_class, bool is_held) { held_[of_class] = is_held; }

    /// The requests that may leave now. Each must be answered by settled() or unclear() for every
    /// call, then done().
    std::vector<Request> take(Time now) {
        while (!due_.empty() && due_.begin()->first <= now) make_due(*due_.begin());
        while (!planned_.empty() && planned_.begin()->first <= now) make_due(*planned_.begin());
        std::vector<Request> requests;
        if (breaker_.is_open()) {
            if (is_probing_ || now < breaker_.probe_at()) return requests;
            // A probe is due whether or not an item is.
            if (!has_ready() && has_waiting()) make_due(*due_.begin());
            if (auto probe = next_request(1, now)) {
                probe->is_probe = is_probing_ = true;
                requests.push_back(std::move(*probe));
            }
            return requests;
        }
        while (auto request = next_request(options_.most_items, now))
            requests.push_back(std::move(*request));
        return requests;
    }

    /// A clear answer came: nothing more is wanted, unless something newer is.
    void settled(const Call& call) {
        if (is_wanted(call)) drop(call.key);
    }

    /// No answer that counts: asks again after a backoff. `alone`: not in an array again.
    void unclear(const Call& call, Time now, bool alone) {
        if (!is_wanted(call)) return;
        Entry& entry = entries_.at(call.key);
        entry.goes_alone = entry.goes_alone || alone;
        wait_until(call.key, entry, now + backoff(options_.backoff, ++entry.failures, random_));
    }

    /// The answer was clear, but only a person can change it: asks again, slowly.
    void contradicted(const Call& call, Time now) {
        if (!is_wanted(call)) return;
        Entry& entry = entries_.at(call.key);
        ++entry.failures;
        wait_until(call.key, entry, now + options_.slow_retry);
    }

    /// Still the newest thing wanted for its key.
    bool is_wanted(const Call& call) const {
        const auto found = entries_.find(call.key);
        return found != entries_.end() && found->second.generation == call.generation;
    }

    /// The request is over. The success that closes the breaker makes all that waits there due.
    void done(const Request& request, Outcome outcome, Time now) {
        --in_window_[class_of_(request.verb)];
        if (request.late > 0) {
            --late_in_window_[class_of_(request.verb)];
            Time& until = late_rests_until_[class_of_(request.verb)];
            until = std::max(until, now + rest_after(request, now));
        }
        if (request.late < request.calls.size()) {
            --new_in_flight_;
            last_new_work_ = now;
        }
        for (const Call& call : request.calls) {
            const auto found = in_flight_.find(call.key);
            if (--found->second == 0) in_flight_.erase(found);
        }
        if (request.is_probe) is_probing_ = false;
        if (outcome == Outcome::clear) {
            if (breaker_.succeeded()) hurry_all();
            return;
        }
        // Items that failed before say nothing new about the peer: they may be at fault themselves.
        const bool may_be_item =
            outcome == Outcome::unclear &&
            std::ranges::all_of(request.calls, [](const Call& call) { return call.attempts > 1; });
        breaker_.failed(may_be_item, now, random_);
    }

    /// Makes what waits for `key` due now; false when nothing waits.
    bool hurry(const Key& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end() || !is_waiting(found->second)) return false;
        make_due({found->second.due, key});
        return true;
    }

    /// When take() may have something new, if nothing else happens.
    std::optional<Time> next_due() const {
        if (breaker_.is_open()) {
            // With its window full a probe waits for done(), not for a time that has passed.
            if (is_probing_) return std::nullopt;
            if (has_ready() || has_waiting()) return breaker_.probe_at();
            return first_of(planned_);
        }
        std::optional<Time> first;
        for (const auto& time : {first_of(due_), first_of(planned_), late_may_leave_at()})
            if (time && (!first || *time < *first)) first = time;
        return first;
    }

    bool is_open() const { return breaker_.is_open(); }
    std::size_t size() const { return entries_.size(); }
    /// Of size(): what an earlier start left.
    std::size_t left_over() const { return left_over_; }
    std::size_t in_flight() const { return in_window_[0] + in_window_[1]; }

private:
    /// `waiting`: after an answer that does not count; `planned`: for its time, whatever the peer
    /// does meanwhile.
    enum class State { ready, in_flight, waiting, planned };
    struct Entry {
        Verb verb{};
        std::uint64_t generation = 0;
        std::size_t bytes = 0;
        State state = State::ready;
        unsigned failures = 0;
        bool goes_alone = false;
        bool is_left_over = false;
        Time due{};
    };
    /// What is ready, in two lines that take turns item by item: new work doesn't queue behind all
    /// that is late, and what is late gets its places however much new work comes.
    enum class Line { fresh, late };
    struct Ready {
        std::deque<std::pair<Key, std::uint64_t>> lines[2];
        Line turn = Line::fresh;
    };

    Entry& replace(const Key& key, Entry with) {
        drop(key);
        with.generation = ++generations_;
        return entries_[key] = with;
    }

    void make_ready(const Key& key, Entry& entry, Line line) {
        entry.state = State::ready;
        ready_[entry.verb].lines[unsigned(line)].push_back({key, entry.generation});
    }

    void make_due(std::pair<Time, Key> due) {
        Entry& entry = entries_.at(due.second);
        forget_due(due.second, entry);
        make_ready(due.second, entry, Line::late);
    }

    void forget_due(const Key& key, const Entry& entry) {
        if (entry.state == State::waiting) due_.erase({entry.due, key});
        if (entry.state == State::planned) planned_.erase({entry.due, key});
    }

    static bool is_waiting(const Entry& entry) {
        return entry.state == State::waiting || entry.state == State::planned;
    }

    static std::optional<Time> first_of(const std::set<std::pair<Time, Key>>& times) {
        return times.empty() ? std::nullopt : std::optional(times.begin()->first);
    }

    void plan(const Key& key, Entry& entry, Time due) {
        entry.state = State::planned;
        entry.due = due;
        planned_.insert({due, key});
    }

    void wait_until(const Key& key, Entry& entry, Time due) {
        entry.state = State::waiting;
        entry.due = due;
        due_.insert({due, key});
    }

    /// The peer is back: what waited for it is due, and all of it is late.
    void hurry_all() {
        for (auto& [verb, ready] : ready_) {
            auto& fresh = ready.lines[unsigned(Line::fresh)];
            auto& late = ready.lines[unsigned(Line::late)];
            late.insert(late.end(), fresh.begin(), fresh.end());
            fresh.clear();
        }
        while (!due_.empty()) make_due(*due_.begin());
    }

    bool has_place(Verb verb) const {
        const unsigned of_class = class_of_(verb);
        return !held_[of_class] && in_window_[of_class] < options_.window;
    }

    bool has_place_for_late(Verb verb) const {
        return has_place(verb) &&
               (!is_new_work_about_ || breaker_.is_open() ||  // a probe, whatever it is made of
                (has_place_of_late(verb) && looked_at_ >= late_rests_until_[class_of_(verb)]));
    }

    static std::optional<Time> earlier(std::optional<Time> known, Time other) {
        return known ? std::min(*known, other) : other;
    }

    /// One late call has nothing to make up for, where arrays are taken or not.
    Time rest_after(const Request& request, Time now) const {
        if (options_.most_items == 1) return Time{0};
        const Time took = std::max(now - request.left_at, Time{0});
        const auto full = static_cast<Time::rep>(options_.most_items - 1);
        const auto part = static_cast<Time::rep>(request.late - 1);
        return std::min(options_.rest * took, options_.most_rest) * part / full;
    }

    bool has_place_of_late(Verb verb) const {
        return late_in_window_[class_of_(verb)] < options_.late_window;
    }

    /// When late calls that wait for a place of theirs may leave without an answer in between: they
    /// have rested, or new work has ended and they may have the other places.
    std::optional<Time> late_may_leave_at() const {
        std::optional<Time> first;
        if (!is_new_work_about_) return first;
        for (const auto& [verb, ready] : ready_) {
            if (ready.lines[unsigned(Line::late)].empty() || !has_place(verb) ||
                has_place_for_late(verb))
                continue;
            // While new work is under way, its answer is what comes first.
            if (new_in_flight_ == 0)
                first = earlier(first, *last_new_work_ + options_.new_work_lasts);
            if (has_place_of_late(verb)) first = earlier(first, late_rests_until_[class_of_(verb)]);
        }
        return first;
    }

    /// Something could leave now.
    bool has_ready() const {
        for (const auto& [verb, ready] : ready_)
            if ((!ready.lines[unsigned(Line::fresh)].empty() && has_place(verb)) ||
                (!ready.lines[unsigned(Line::late)].empty() && has_place_for_late(verb)))
                return true;
        return false;
    }

    /// What is due first could leave if it were due now.
    bool has_waiting() const {
        return !due_.empty() && has_place_for_late(entries_.at(due_.begin()->second).verb);
    }

    /// The line whose front is the next to leave, if any; what was stale before it is gone.
    std::optional<Line> next_line(Ready& ready, bool is_late_allowed) const {
        for (const Line line : {ready.turn, other(ready.turn)}) {
            if (line == Line::late && !is_late_allowed) continue;
            auto& queue = ready.lines[unsigned(line)];
            while (!queue.empty() && is_stale(queue.front())) queue.pop_front();
            if (!queue.empty()) return line;
        }
        return std::nullopt;
    }

    static Line other(Line line) { return line == Line::fresh ? Line::late : Line::fresh; }

    bool is_stale(const std::pair<Key, std::uint64_t>& ready) const {
        const auto found = entries_.find(ready.first);
        return found == entries_.end() || found->second.generation != ready.second ||
               found->second.state != State::ready;
    }

    /// Gathers the next request of any verb whose window has a place; verbs take turns.
    std::optional<Request> next_request(std::size_t most_items, Time now) {
        looked_at_ = now;
        is_new_work_about_ = new_in_flight_ > 0 ||
                             (last_new_work_ && now < *last_new_work_ + options_.new_work_lasts);
        auto turn = ready_.upper_bound(last_verb_);
        for (std::size_t i = 0; i < ready_.size(); ++i, ++turn) {
            if (turn == ready_.end()) turn = ready_.begin();
            if (!has_place(turn->first)) continue;
            Request request = gather(turn->first, turn->second, most_items);
            if (request.calls.empty()) continue;
            request.left_at = now;
            ++in_window_[class_of_(turn->first)];
            if (request.late > 0) {
                ++late_in_window_[class_of_(turn->first)];
                last_late_verb_[class_of_(turn->first)] = request.verb;
            }
            if (request.late < request.calls.size()) {
                ++new_in_flight_;
                last_new_work_ = now;
            }
            last_verb_ = request.verb;
            return request;
        }
        return std::nullopt;
    }

    /// Late calls of a class's verbs take turns at its few places, apart from the turns of new
    /// work: a verb whose new work leaves at every turn would take its own late calls along each
    /// time.
    bool is_turn_of_late(Verb verb) {
        const unsigned of_class = class_of_(verb);
        if (!is_new_work_about_ || !last_late_verb_[of_class]) return true;
        auto turn = ready_.upper_bound(*last_late_verb_[of_class]);
        for (std::size_t i = 0; i < ready_.size(); ++i, ++turn) {
            if (turn == ready_.end()) turn = ready_.begin();
            if (class_of_(turn->first) != of_class) continue;
            auto& late = turn->second.lines[unsigned(Line::late)];
            while (!late.empty() && is_stale(late.front())) late.pop_front();
            if (!late.empty()) return turn->first == verb;
        }
        return true;
    }

    Request gather(Verb verb, Ready& ready, std::size_t most_items) {
        Request request{.verb = verb};
        std::size_t bytes = 0;
        const bool takes_late = has_place_for_late(verb) && is_turn_of_late(verb);
        while (request.calls.size() < most_items) {
            const std::optional<Line> line = next_line(ready, takes_late);
            if (!line) break;
            auto& queue = ready.lines[unsigned(*line)];
            const Key& key = queue.front().first;
            Entry& entry = entries_.at(key);
            bytes += entry.bytes;
            const bool fits = bytes <= options_.most_bytes && !entry.goes_alone;
            if (!fits && !request.calls.empty()) break;
            entry.state = State::in_flight;
            ++in_flight_[key];
            request.calls.push_back({key, entry.generation, entry.failures + 1});
            if (*line == Line::late) ++request.late;
            queue.pop_front();
            // Only now: what has to leave alone keeps its turn for the next request.
            ready.turn = other(*line);
            if (!fits) break;
        }
        return request;
    }

    LaneOptions options_;
    unsigned (*class_of_)(Verb);
    Breaker breaker_;
    std::mt19937_64 random_;
    std::unordered_map<Key, Entry, Hash> entries_;
    std::unordered_map<Key, unsigned, Hash> in_flight_;  // requests that carry the key
    std::map<Verb, Ready> ready_;
    std::set<std::pair<Time, Key>> due_;
    std::set<std::pair<Time, Key>> planned_;
    std::size_t left_over_ = 0;
    std::size_t in_window_[2] = {0, 0};
    std::size_t late_in_window_[2] = {0, 0};
    Time late_rests_until_[2] = {Time::min(), Time::min()};
    Time looked_at_{};               // by the last take()
    std::size_t new_in_flight_ = 0;  // requests with calls of the fresh line
    std::optional<Time> last_new_work_;
    bool is_new_work_about_ = false;
    bool held_[2] = {false, false};
    Verb last_verb_{};
    std::optional<Verb> last_late_verb_[2];
    bool is_probing_ = false;
    std::uint64_t generations_ = 0;
};

}  // namespace twophase::recovery
