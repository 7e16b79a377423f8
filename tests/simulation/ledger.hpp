// What has been promised and told in a run, and the checks of it: nothing here is told to the
// programs.
#pragma once

#include "coordinator/service.hpp"
#include "tests/simulation/world.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace twophase::simulation {

class ParticipantNode;
class CreditNode;
class CouponNode;
class CoordinatorNode;

/// Clients number their branches: "1", "2", ...
inline std::string branch_id_of(std::size_t index) { return std::to_string(index + 1); }

class Ledger {
public:
    explicit Ledger(World& world) : world_(world) {}

    struct Exchange {
        std::string user;
        std::int64_t amount = 0;
        coordinator::BusinessKey key;
        coordinator::Mode mode = coordinator::Mode::two_phase;
        std::vector<coordinator::BranchRequest> branches;
        std::set<std::string> by_hand;  // branches that a person ended
        bool is_lost = false;           // a log was lost that had it, and its plan with it
        bool is_excused = false;        // a snapshot worked on while the only witness was away
    };
    /// Whom a promise or a check is about.
    struct Branch {
        std::string participant, gid, branch_id;
        friend auto operator<=>(const Branch&, const Branch&) = default;
    };

    /// `log`: ids of one log grow.
    void submitted(const coordinator::Gid& gid, Exchange exchange, const std::string& log);
    /// A client may have been told the gid before any outcome: it is never unknown again.
    void told_gid(const coordinator::Gid& gid) { gids_told_.push_back(gid); }
    /// A log that took a lost one's place numbers the branches that it was told of, so the place of
    /// a branch says nothing: its name does.
    void ended_by_hand(const coordinator::Transaction& transaction,
                       coordinator::BranchIndex branch) {
        const coordinator::Started& started = transaction.started();
        exchanges_.at(started.gid).by_hand.insert(std::string(started.branches[branch].branch_id));
    }
    /// A client was told, or an inquiry was answered: a participant that listens to another start
    /// by then does not take the answer.
    void told_aside(const coordinator::Gid& gid,
                    coordinator::Decision decision,
                    const std::string& whom);
    /// A participant took it.
    void told(const coordinator::Gid& gid, coordinator::Decision decision, const std::string& whom);
    /// A decision is durable: the log said so, or a start found it there behind its barrier.
    void decided(const coordinator::Transaction& transaction, coordinator::Decision decision);
    /// As that, of a log that is not known to be the newest: it counts once a participant that
    /// listens to that log is told.
    void decided_aside(const coordinator::Gid& gid, coordinator::Decision decision) {
        aside_.emplace(gid, decision);
    }
    /// A participant was asked to undo a branch, or to execute one: what that tells it.
    void undone(const Branch& branch);
    void executed(const Branch& branch);
    /// A participant's word that it rolled back left it: whatever comes later is refused.
    void rolled_back(const Branch& branch);
    /// A participant's yes left it.
    void promised(const Branch& branch);

    /// An older copy of the log works on, as nobody who was to be heard knows more of it. What only
    /// clients know of its lost part is not promised; `is_excused`: a snapshot worked on while the
    /// only witness was away, so what others were told of that part is not promised either.
    void adopted(const coordinator::Service& service, bool is_excused);
    /// After that: what it had decided, and finished, before it was known to be the one that works.
    void take_aside(const coordinator::Service& service);
    /// What an old copy lacks of it is not promised: see adopted().
    bool is_excused(const coordinator::Gid& gid) const;
    /// A participant told of this transaction of a lost log.
    void lost(const coordinator::Gid& gid) { exchanges_.at(gid).is_lost = true; }
    bool is_lost(const coordinator::BusinessKey& key) const;
    /// What a person who knows the truth says of a lost transaction.
    coordinator::Decision truth(const coordinator::Gid& gid) const;
    /// A person's word on it is durable.
    void settled(const coordinator::Gid& gid, coordinator::Decision decision);
    /// All that was lost is settled: from now on nothing that participants knew is unknown.
    void succeeded(const coordinator::Service& service);

    /// The attempt before this one holds nothing any more.
    void check_undone(const coordinator::BusinessKey& next) const;
    /// After a start of the coordinator: what was told is remembered. Looks at the `latest` told.
    void check_remembered(const coordinator::Service& service, std::size_t latest);
    /// After a start of a participant: no promise is forgotten.
    void check_promises(ParticipantNode& participant);
    /// When all is quiet: everything agrees with everything.
    void check_end(CoordinatorNode& coordinator, CreditNode& credit, CouponNode& coupon);

    /// The run is longer than the coordinator's retention, the shortest.
    bool may_forget() const { return world_.now() >= retention; }

    void watch(ParticipantNode& credit, ParticipantNode& coupon) {
        participants_ = {&credit, &coupon};
    }

    void count_pair(const coordinator::Event& event, const coordinator::Protocol& core);
    /// "voted in preparing": how often. Events about what is over count as "gone".
    std::map<std::string, std::uint64_t> pairs() const;
    std::uint64_t commits() const { return commits_; }
    std::uint64_t rollbacks() const { return rollbacks_; }
    const auto& exchanges() const { return exchanges_; }

private:
    static constexpr Microseconds retention{3'600'000'000};
    using Gid = coordinator::Gid;
    using Decision = coordinator::Decision;
    const Exchange* find(const Branch& branch) const;
    static const coordinator::BranchRequest& step_of(const Exchange& exchange,
                                                     std::string_view branch_id);
    ParticipantNode& participant(const std::string& name) const;
    void check_steps_before(const Branch& branch, const Exchange& exchange);
    void check_steps_after(const Branch& branch, const Exchange& exchange);
    void check_gids(const coordinator::Service& service, std::size_t latest);
    void check_branches(ParticipantNode& participant);
    void check_balances(CreditNode& credit) const;

    World& world_;
    std::map<std::string, Gid> newest_;  // by log
    std::unordered_map<Gid, Exchange, coordinator::GidHash> exchanges_;
    struct Told {
        Decision decision;
        bool is_aside_alone = true;
    };
    void told(const Gid& gid, Decision decision, const std::string& whom, bool is_aside);
    void committed(const coordinator::BusinessKey& key, const coordinator::Gid& gid);
    std::optional<Decision> decision_known_to(const coordinator::Service& service,
                                              const Gid& gid) const;
    bool is_held_to_commit(const Gid& gid) const;
    bool lacks_decision(const coordinator::Service& service, const Gid& gid) const;
    void count_aside(const Gid& gid, Decision decision);
    void forget_unknown_gids(const coordinator::Service& service);
    std::unordered_map<Gid, Told, coordinator::GidHash> told_;
    std::vector<Gid> told_in_order_;
    std::vector<Gid> gids_told_;
    std::unordered_map<Gid, Decision, coordinator::GidHash> decided_;
    std::unordered_map<Gid, Microseconds, coordinator::GidHash> decided_at_;
    std::unordered_map<Gid, Decision, coordinator::GidHash> aside_;
    std::map<std::pair<std::string, std::string>, Gid> committed_keys_;
    std::set<Branch> promises_;
    std::set<Branch> rolled_back_;
    std::vector<ParticipantNode*> participants_;
    std::uint64_t commits_ = 0;
    std::uint64_t rollbacks_ = 0;
    static constexpr std::size_t most_events = 16;
    static constexpr std::size_t most_phases = 8;
    std::array<std::array<std::uint64_t, most_phases>, most_events> pairs_{};
};

}  // namespace twophase::simulation
