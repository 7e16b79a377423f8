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
};

/// How a participant's lane is doing, for people.
struct LaneStatus {
    std::string participant;
    std::string endpoint;
    bool is_open = false;  // the breaker: the participant fails, only probes leave
    std::size_t waiting = 0;
    std::size_t in_flight = 0;
    std::string last_error;
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

    /// Begins with a sweep of every participant; prepares wait for its answer, or for 1 s.
    void start();
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
