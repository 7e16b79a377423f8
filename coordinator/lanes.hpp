// The way to the participants: a lane each, which gathers, sends, retries and hands up the answers.
#pragma once

#include "coordinator/config.hpp"
#include "coordinator/messages.hpp"
#include "coordinator/protocol/records.hpp"
#include "coordinator/sweep.hpp"
#include "recovery/lane.hpp"
#include "recovery/metrics.hpp"
#include "recovery/surroundings.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::coordinator {

struct BranchKey {
    Gid gid{};
    SharedText branch_id;
    friend auto operator<=>(const BranchKey&, const BranchKey&) = default;
};

struct BranchKeyHash {
    std::size_t operator()(const BranchKey& key) const noexcept {
        return GidHash{}(key.gid) * 31 + std::hash<SharedText>{}(key.branch_id);
    }
};

/// A message to send now.
struct Rendered {
    std::string body;         // JSON text
    std::string traceparent;  // the client's (W3C Trace Context), or empty
    bool is_awaited = false;  // somebody waits for what comes of it
};

/// Whether a participant's lane is open. Until it was asked which log of ours it knows nothing is
/// sent to it; while another log or another store is seen there, neither.
struct Reception {
    bool is_open = false;
    std::string why;         // it is not open, for people; empty: it only has to be asked again
    bool will_open = false;  // by itself, soon: work for it may wait
};

/// What the lanes need of their owner; all called on the loop.
struct LaneHooks {
    std::function<Rendered(const std::string& participant, const BranchKey&, Verb)> render;
    /// An answer to what is still wanted. `attempts`: calls so far.
    std::function<void(const std::string& participant,
                       const BranchKey&,
                       Verb,
                       const Answer&,
                       std::uint32_t attempts)>
        answered;
    std::function<void(const InDoubt&)> found_in_doubt;
    /// How to ask the participant which log it knows.
    std::function<Question(const std::string& participant)> question;
    /// What it answered, and so whether anything may be sent to it.
    std::function<Reception(const std::string& participant, const Question&, const Introduction&)>
        introduced;
    /// What came with an answer contradicts what is known of this participant.
    std::function<bool(const std::string& participant, const http::Response&)> is_doubtful;
};

/// How a participant's lane is doing, for people.
struct LaneStatus {
    std::string participant;
    std::string endpoint;
    bool is_open = false;  // the breaker: the participant fails, only probes leave
    std::size_t waiting = 0;
    std::size_t in_flight = 0;
    std::string last_error;
    bool is_heard = false;  // it has said which log it knows, and nothing against ours
    std::string held_for;   // why nothing is sent to it; empty: it is, or will be once heard
};

/// All lanes. One loop thread.
class Lanes {
public:
    /// `around` and `metrics` outlive them.
    Lanes(recovery::Surroundings& around,
          const Config& config,
          recovery::Metrics& metrics,
          LaneHooks hooks);
    ~Lanes();
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;

    /// Begins with a sweep of every participant. Nothing is sent to one before it has answered
    /// that; new work waits for all_are_heard() and the end of its first sweep, or for
    /// release_new_work().
    void start();
    /// Every participant was heard: new work waits only for the end of its own participant's first
    /// sweep.
    void all_are_heard();
    /// Nor for that.
    void release_new_work();
    /// Asks those whose lanes are not open once more, now.
    void ask_again();
    /// Sends nothing more but questions, whatever these bring.
    void close(const std::string& why);
    /// Why nothing is sent to this participant, though it was heard; empty: it is, or will be soon.
    std::string held_for(std::string_view participant) const;
    /// For questions beside the lanes' own; nullptr when no such participant is configured.
    recovery::Peer* peer(std::string_view participant) const;
    /// Sends nothing more; what is in flight is abandoned.
    void stop();

    /// Asks until clearly answered, in place of what was wanted for this branch before; not before
    /// `delay` has passed. What is wanted before start() was left undone by an earlier start. False
    /// when no such participant is configured: then nothing is sent.
    bool want(std::string_view participant,
              const BranchKey& key,
              Verb verb,
              std::size_t bytes,
              recovery::Time delay = recovery::Time{0});
    void drop(std::string_view participant, const BranchKey& key);
    /// The verb that is wanted for the branch, if any.
    std::optional<Verb> wanted(std::string_view participant, const BranchKey& key) const;
    bool is_in_flight(std::string_view participant, const BranchKey& key) const;
    /// Makes a waiting retry due now; false when none waits.
    bool hurry(std::string_view participant, const BranchKey& key);

    /// Branches that something is wanted for; while the participant answers, without what an
    /// earlier start left: that ends by itself and is no reason to refuse new work. 0 for a
    /// participant that is not configured.
    std::size_t backlog(std::string_view participant) const;

    std::vector<LaneStatus> status() const;

private:
    struct Shared;
    class ParticipantLane;
    std::shared_ptr<Shared> shared_;
    std::map<std::string, std::shared_ptr<ParticipantLane>, std::less<>> lanes_;
    bool is_started_ = false;
};

}  // namespace twophase::coordinator
