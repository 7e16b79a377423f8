// A script of events for the core and the text of what it did: tests read as traces.
#pragma once

#include "coordinator/protocol/describe.hpp"
#include "coordinator/protocol/protocol.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace twophase::coordinator {

/// Drives one Protocol. Transactions are called "t1", "t2", …; branch i belongs to participant i.
/// What the core appends waits in a FIFO until sync(); crash() loses what was not synced.
class Trace {
public:
    explicit Trace(std::vector<std::string> participants)
        : participants_(std::move(participants)) {}
    /// Of another mode: each branch's participant is called like the branch.
    Trace(Mode mode, std::vector<BranchRequest> branches, Time timeout = Time{0});

    Trace& submit(const std::string& name,
                  bool is_start_awaited = false,
                  std::uint32_t attempt = 1);
    Trace& sync();
    /// Only the first `records` that wait become durable.
    Trace& sync_some(std::size_t records);
    /// The participant's store has no room for what was asked.
    Trace& no_room(const std::string& name, const std::string& participant, Verb verb);
    /// The log had no room for what waits.
    Trace& refuse();
    Trace& vote(const std::string& name,
                const std::string& participant,
                Vote vote,
                std::string code = {});
    Trace& acknowledge(const std::string& name, const std::string& participant, Verb verb);
    Trace& unclear(const std::string& name, const std::string& participant, Verb verb);
    Trace& contradict(const std::string& name, const std::string& participant, Verb verb);
    Trace& resolve(const std::string& name,
                   const std::string& how,
                   const std::string& participant = {});
    ResolveRefusal may_resolve(const std::string& name,
                               const std::string& how,
                               const std::string& participant = {});
    Trace& pass(Time time);
    /// Forgets what is not durable, folds the rest, resumes.
    Trace& crash(std::optional<std::string> restored_below = std::nullopt);

    /// Everything since the last call, a line an event: "event -> effect; effect".
    std::string text();
    Protocol& core() { return core_; }
    Gid gid(const std::string& name) const;
    const std::vector<Record>& durable() const { return durable_; }

private:
    BranchIndex index(const std::string& participant) const;
    void step(const Event& event);
    void note(std::string event, const Effects& effects);
    std::string named(std::string text) const;

    std::vector<std::string> participants_;
    Mode mode_ = Mode::two_phase;
    std::vector<BranchRequest> branches_;
    Time timeout_{5'000};
    Protocol core_;
    Time now_{1'000};
    std::deque<Record> queued_;
    std::vector<Record> durable_;
    std::string text_;
};

}  // namespace twophase::coordinator
