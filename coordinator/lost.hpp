// What a lost log had under way, as its participants tell: read from them, weighed, listed.
#pragma once

#include "coordinator/config.hpp"
#include "coordinator/protocol/records.hpp"
#include "recovery/surroundings.hpp"
#include "wal/log.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace twophase::coordinator {

/// What the branches of one lost transaction prove. A branch that is committed proves the commit,
/// one that was rolled back the rollback: the lost log had told it so. Prepared and executed ones
/// prove nothing, nor do compensated ones: a discarded delivery is compensated although its
/// transaction commits. Nothing also where the branches contradict each other.
std::optional<Decision> proven_by(const std::vector<wal::LostBranch>& branches);

/// Pages through the branches of participants, and keeps those of lost transactions. The loop's
/// thread; held by a shared pointer, as answers come later.
class LostList : public std::enable_shared_from_this<LostList> {
public:
    struct Hooks {
        /// The log lacks this transaction, or its decision, and a lost one may have had it.
        std::function<bool(const wal::LostBranch&)> is_lost;
        std::function<void(std::vector<wal::LostBranch>, std::function<void()> kept)> keep;
        /// All of this participant's were kept; `has_list` false: it gives no such list.
        std::function<void(const std::string& participant, bool has_list)> ended;
    };
    /// What the references and hooks lead to lives until stop().
    LostList(recovery::Surroundings& around, const Config& config, Hooks hooks);

    /// Begins to read, unless it is being read: from the first branch at or above `from`. A page
    /// that gets no answer is asked for again and again.
    void begin(const std::string& participant, recovery::Peer& peer, const Gid& from);
    bool is_reading(const std::string& participant) const { return reading_.contains(participant); }
    void stop();

private:
    struct Reading {
        recovery::Peer* peer = nullptr;
        std::string from;
        std::string after;
        std::string nonce;  // of the page that is asked for: an answer to somebody else is none
        std::unique_ptr<recovery::Alarm> again;
    };
    void ask(const std::string& participant);
    void answered(const std::string& participant, const http::Result<http::Response>& response);
    void end(const std::string& participant, bool has_list);

    recovery::Surroundings& around_;
    const Config& config_;
    Hooks hooks_;
    std::map<std::string, Reading> reading_;
    bool is_stopped_ = false;
};

}  // namespace twophase::coordinator
