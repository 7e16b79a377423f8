// Which calls to one peer may leave now, and together: windows, gathering, retries, one breaker.
// Pure bookkeeping: the caller sends, keeps the time and reports what came of it.
#pragma once

#include "recovery/backoff.hpp"
#include "recovery/breaker.hpp"
#include "recovery/late_share.hpp"

#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
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
    LateOptions late;            // beside new work
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
          late_share_(options.late, options.most_items),
          breaker_(options.breaker, options.backoff),
          random_(seed) {}

    /// Wants `verb` for `key` from now on, as soon as may be, or from `not_before` on. `bytes`:
    /// about what it adds to a body. What was wanted already, and is wanted for a later time, is
    /// the next try of the same call: its failures count on, and how long the peer asked to be left
    /// alone with it.
    void want(const Key& key,
              Verb verb,
              std::size_t bytes,
              std::optional<Time> not_before = std::nullopt) {
        if (!not_before) return make_ready(replace(key, verb, bytes), Line::fresh);
        const auto earlier = entries_.find(key);
        const bool is_next_try = earlier != entries_.end() && earlier->second.verb == verb;
        const unsigned failures = is_next_try ? earlier->second.failures : 0;
        const Time asked_for =
            is_next_try ? earlier->second.not_before.value_or(Time::min()) : Time::min();
        Entry& entry = replace(key, verb, bytes);
        entry.failures = failures;
        plan(entry, std::max(*not_before, asked_for));
    }

    /// Wants what an earlier start of this program left undone: late already.
    void want_left_over(const Key& key,
                        Verb verb,
                        std::size_t bytes,
                        std::optional<Time> not_before = std::nullopt) {
        Entry& entry = replace(key, verb, bytes);
        entry.is_left_over = true;
        ++left_over_;
        if (not_before)
            plan(entry, *not_before);
        else
            make_ready(entry, Line::late);
    }

    /// Wants nothing for `key` any more.
    void drop(const Key& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) return;
        forget_due(found->second);
        if (found->second.is_left_over) --left_over_;
        entries_.erase(found);  // and out of its line
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
    bool is_held(unsigned of_class) const { return held_[of_class]; }

    /// The requests that may leave now. Each must be answered by settled() or unclear() for every
    /// call, then done().
    std::vector<Request> take(Time now) {
        for (Times* times : {&due_, &planned_})
            while (!times->empty() && (*times->begin())->due <= now) make_due(**times->begin());
        std::vector<Request> requests;
        if (breaker_.is_open()) {
            if (is_probing_ || now < breaker_.probe_at()) return requests;
            // A probe is due whether or not an item is.
            if (Entry* waiting = has_ready() ? nullptr : probe_of_waiting(now)) make_due(*waiting);
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
    /// `at_least`: how long the peer asked to be left alone with it; honoured up to the longest
    /// backoff, also when the peer answers other calls meanwhile.
    void unclear(const Call& call, Time now, bool alone, Time at_least = Time{0}) {
        if (!is_wanted(call)) return;
        Entry& entry = entries_.at(call.key);
        entry.goes_alone = entry.goes_alone || alone;
        const Time wait = backoff(options_.backoff, ++entry.failures, random_);
        if (at_least <= Time{0}) return wait_until(entry, now + wait);
        entry.not_before = now + std::min(at_least, options_.backoff.most);
        wait_until(entry, std::max(now + wait, *entry.not_before));
    }

    /// The answer was clear, but only a person can change it: asks again, slowly.
    void contradicted(const Call& call, Time now) {
        if (!is_wanted(call)) return;
        Entry& entry = entries_.at(call.key);
        ++entry.failures;
        wait_until(entry, now + options_.slow_retry);
    }

    /// Still the newest thing wanted for its key.
    bool is_wanted(const Call& call) const {
        const auto found = entries_.find(call.key);
        return found != entries_.end() && found->second.generation == call.generation;
    }

    /// The request is over. The success that closes the breaker makes all that waits there due.
    /// `at_least`: how long the peer as a whole asked to be left alone; probes honour it, up to the
    /// longest backoff.
    void done(const Request& request, Outcome outcome, Time now, Time at_least = Time{0}) {
        --in_window_[class_of_(request.verb)];
        late_share_.over(
            class_of_(request.verb), request.late, has_new(request), request.left_at, now);
        for (const Call& call : request.calls) {
            const auto found = in_flight_.find(call.key);
            if (--found->second == 0) in_flight_.erase(found);
        }
        if (request.is_probe) is_probing_ = false;
        if (outcome == Outcome::clear) {
            if (breaker_.succeeded()) hurry_all(now);
            return;
        }
        // Items that failed before say nothing new about the peer: they may be at fault themselves.
        const bool may_be_item =
            outcome == Outcome::unclear &&
            std::ranges::all_of(request.calls, [](const Call& call) { return call.attempts > 1; });
        breaker_.failed(may_be_item, now, random_, std::min(at_least, options_.backoff.most));
    }

    /// Makes what waits for `key` due now; false when nothing waits.
    bool hurry(const Key& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end() || !is_waiting(found->second)) return false;
        make_due(found->second);
        return true;
    }

    /// When take() may have something new, if nothing else happens.
    std::optional<Time> next_due() const {
        if (breaker_.is_open()) {
            // With its window full a probe waits for done(), not for a time that has passed.
            if (is_probing_) return std::nullopt;
            if (has_ready()) return breaker_.probe_at();
            const auto waiting = first_probe_of_waiting();
            const auto planned = first_of(planned_);
            return waiting && planned ? std::min(waiting, planned) : waiting ? waiting : planned;
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
    enum class State : std::uint8_t { ready, in_flight, waiting, planned };
    struct Entry : boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
        const Key* key = nullptr;  // its own in entries_
        std::uint64_t generation = 0;
        Time due{};
        std::optional<Time> not_before;  // the peer asked for it
        std::uint32_t bytes = 0;
        unsigned failures = 0;
        Verb verb{};
        State state = State::ready;
        bool goes_alone = false;
        bool is_left_over = false;
    };
    /// What is ready, in two lines that take turns item by item: new work doesn't queue behind all
    /// that is late, and what is late gets its places however much new work comes.
    enum class Line { fresh, late };
    using Queue = boost::intrusive::list<Entry, boost::intrusive::constant_time_size<false>>;
    struct Ready {
        Queue lines[2];
        Line turn = Line::fresh;
    };
    struct IsDueBefore {
        bool operator()(const Entry* a, const Entry* b) const {
            return std::pair(a->due, a->generation) < std::pair(b->due, b->generation);
        }
    };
    using Times = std::set<Entry*, IsDueBefore>;

    Entry& replace(const Key& key, Verb verb, std::size_t bytes) {
        drop(key);
        const auto added = entries_.try_emplace(key).first;
        Entry& entry = added->second;
        entry.key = &added->first;
        entry.generation = ++generations_;
        entry.bytes = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, UINT32_MAX));
        entry.verb = verb;
        return entry;
    }

    void make_ready(Entry& entry, Line line) {
        entry.state = State::ready;
        ready_[entry.verb].lines[unsigned(line)].push_back(entry);
    }

    void make_due(Entry& entry) {
        forget_due(entry);
        make_ready(entry, Line::late);
    }

    void forget_due(Entry& entry) {
        if (entry.state == State::waiting) due_.erase(&entry);
        if (entry.state == State::planned) planned_.erase(&entry);
    }

    static bool is_waiting(const Entry& entry) {
        return entry.state == State::waiting || entry.state == State::planned;
    }

    static std::optional<Time> first_of(const Times& times) {
        return times.empty() ? std::nullopt : std::optional((*times.begin())->due);
    }

    void plan(Entry& entry, Time due) {
        entry.state = State::planned;
        entry.due = due;
        planned_.insert(&entry);
    }

    void wait_until(Entry& entry, Time due) {
        entry.state = State::waiting;
        entry.due = due;
        due_.insert(&entry);
    }

    /// The peer is back: what waited for it is due, unless the peer asked for longer, and all of it
    /// is late.
    void hurry_all(Time now) {
        for (auto& [verb, ready] : ready_) {
            Queue& late = ready.lines[unsigned(Line::late)];
            late.splice(late.end(), ready.lines[unsigned(Line::fresh)]);
        }
        while (!due_.empty()) {
            Entry& entry = **due_.begin();
            if (entry.not_before.value_or(now) <= now) {
                make_due(entry);
            } else {
                forget_due(entry);
                plan(entry, *entry.not_before);
            }
        }
    }

    bool has_place(Verb verb) const {
        const unsigned of_class = class_of_(verb);
        return !held_[of_class] && in_window_[of_class] < options_.window;
    }

    bool has_place_for_late(Verb verb) const {
        return has_place(verb) && (breaker_.is_open() ||  // a probe, whatever it is made of
                                   late_share_.has_place(class_of_(verb)));
    }

    /// When late calls that wait for a place of theirs may leave without an answer in between.
    std::optional<Time> late_may_leave_at() const {
        std::optional<Time> first;
        for (const auto& [verb, ready] : ready_) {
            if (ready.lines[unsigned(Line::late)].empty() || !has_place(verb) ||
                has_place_for_late(verb))
                continue;
            const auto time = late_share_.has_place_at(class_of_(verb));
            if (time && (!first || *time < *first)) first = time;
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

    /// What waits and could leave as a probe now; nullptr: nothing.
    Entry* probe_of_waiting(Time now) const {
        for (Entry* entry : due_)
            if (entry->not_before.value_or(now) <= now)
                return has_place_for_late(entry->verb) ? entry : nullptr;
        return nullptr;
    }

    /// When something that waits could leave as a probe.
    std::optional<Time> first_probe_of_waiting() const {
        std::optional<Time> first;
        for (const Entry* entry : due_) {
            if (!has_place_for_late(entry->verb)) return first;
            const Time at = std::max(breaker_.probe_at(), entry->not_before.value_or(Time::min()));
            if (!first || at < *first) first = at;
            if (at == breaker_.probe_at()) return first;
        }
        return first;
    }

    /// The line whose front is the next to leave, if any.
    std::optional<Line> next_line(const Ready& ready, bool is_late_allowed) const {
        for (const Line line : {ready.turn, other(ready.turn)}) {
            if (line == Line::late && !is_late_allowed) continue;
            if (!ready.lines[unsigned(line)].empty()) return line;
        }
        return std::nullopt;
    }

    static bool has_new(const Request& request) { return request.late < request.calls.size(); }

    static Line other(Line line) { return line == Line::fresh ? Line::late : Line::fresh; }

    /// Gathers the next request of any verb whose window has a place; verbs take turns.
    std::optional<Request> next_request(std::size_t most_items, Time now) {
        late_share_.look(now);
        auto turn = ready_.upper_bound(last_verb_);
        for (std::size_t i = 0; i < ready_.size(); ++i, ++turn) {
            if (turn == ready_.end()) turn = ready_.begin();
            if (!has_place(turn->first)) continue;
            Request request = gather(turn->first, turn->second, most_items);
            if (request.calls.empty()) continue;
            request.left_at = now;
            const unsigned of_class = class_of_(request.verb);
            ++in_window_[of_class];
            late_share_.left(of_class, request.late, has_new(request), now);
            if (request.late > 0) last_late_verb_[of_class] = request.verb;
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
        if (!late_share_.is_new_work_about() || !last_late_verb_[of_class]) return true;
        auto turn = ready_.upper_bound(*last_late_verb_[of_class]);
        for (std::size_t i = 0; i < ready_.size(); ++i, ++turn) {
            if (turn == ready_.end()) turn = ready_.begin();
            if (class_of_(turn->first) != of_class) continue;
            if (!turn->second.lines[unsigned(Line::late)].empty()) return turn->first == verb;
        }
        return true;
    }

    Request gather(Verb verb, Ready& ready, std::size_t most_items) {
        Request request{.verb = verb};
        std::size_t bytes = 0;
        const bool takes_late = has_place_for_late(verb) && is_turn_of_late(verb);
        while (request.calls.size() < most_items) {
            const std::optional<Line> line =
                next_line(ready, takes_late && request.late < late_share_.most_items());
            if (!line) break;
            Queue& queue = ready.lines[unsigned(*line)];
            Entry& entry = queue.front();
            bytes += entry.bytes;
            const bool fits = bytes <= options_.most_bytes && !entry.goes_alone;
            if (!fits && !request.calls.empty()) break;
            // First what may run out of memory.
            request.calls.push_back({*entry.key, entry.generation, entry.failures + 1});
            ++in_flight_[*entry.key];
            entry.state = State::in_flight;
            queue.pop_front();
            if (*line == Line::late) ++request.late;
            // Only now: what has to leave alone keeps its turn for the next request.
            ready.turn = other(*line);
            if (!fits) break;
        }
        return request;
    }

    LaneOptions options_;
    unsigned (*class_of_)(Verb);
    LateShare late_share_;
    Breaker breaker_;
    std::mt19937_64 random_;
    std::unordered_map<Key, Entry, Hash> entries_;
    std::unordered_map<Key, unsigned, Hash> in_flight_;  // requests that carry the key
    std::map<Verb, Ready> ready_;
    Times due_;
    Times planned_;
    std::size_t left_over_ = 0;
    std::size_t in_window_[2] = {0, 0};
    bool held_[2] = {false, false};
    Verb last_verb_{};
    std::optional<Verb> last_late_verb_[2];
    bool is_probing_ = false;
    std::uint64_t generations_ = 0;
};

}  // namespace twophase::recovery
