// The coordinator's half of two-phase commit, sagas and eventual delivery: events in, effects out.
// What the modes differ in is the table of modes.hpp.
// No I/O, clock, thread, logging or metrics: the caller tells what happened and does what is
// answered.
#pragma once

#include "coordinator/protocol/folded.hpp"
#include "coordinator/protocol/records.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace twophase::coordinator {

using Time = std::chrono::milliseconds;  // on a clock that never goes back

// clang-format off
// Events: what happened.
/// A request that admission let through: its gid is new and its business key is free.
/// `vote_timeout`: for the first phase; 0: none.
struct Submitted { Started started; Time vote_timeout{}; bool is_start_awaited = false; };
/// The record is durable.
struct Logged { Record record; };
/// The log had no room for this new transaction: nothing of it is durable or will be.
struct Unlogged { Gid gid{}; };
struct Voted { Gid gid{}; BranchIndex branch = 0; BranchVote vote; bool is_fault = false; };
struct Acknowledged { Gid gid{}; BranchIndex branch = 0; Verb verb = Verb::commit; SharedText result; };
/// No answer that counts; the lane asks again by itself, unless told otherwise.
struct Unclear { Gid gid{}; BranchIndex branch = 0; Verb verb = Verb::prepare; std::uint32_t attempts = 0; SharedText error; bool is_fault = false; };
/// The participant's store has no room: this message has written nothing there. A no where nothing
/// binds yet, that is to prepare and to the first branch of `eventual`; else no answer that counts.
struct NoRoom { Gid gid{}; BranchIndex branch = 0; Verb verb = Verb::prepare; std::uint32_t attempts = 0; SharedText message; };
/// A participant says that it can't follow the decision.
struct Contradicted { Gid gid{}; BranchIndex branch = 0; Verb verb = Verb::commit; std::uint32_t attempts = 0; SharedText code; SharedText message; };
struct Ticked {};
/// A person's decision, which may_resolve() allowed. how: "rollback", "by_hand", "discarded", and
/// "commit" for a held transaction alone, "retry" for a dead letter alone, "gone" for a branch whose
/// participant won't be back: it ends at once, and nothing more is sent to it.
struct ResolveAsked { Gid gid{}; std::optional<BranchIndex> branch; SharedText how; SharedText who; SharedText reason; };
using Event = std::variant<Submitted, Logged, Unlogged, Voted, Acknowledged, Unclear, NoRoom, Contradicted, Ticked, ResolveAsked>;

// Effects: what to do now, in this order. Each is safe to perform when it is returned.
/// Logged{record} must follow once it is durable. Those that one step appends to a transaction
/// belong in one atomic append; the records of one transaction come one after the other.
struct Append { Record record; std::uint32_t n = 0; bool is_forced = false; };
/// Ask the branch's participant until it answers clearly; replaces what still waits for this branch.
/// Not before `delay` has passed.
struct Send { Gid gid{}; BranchIndex branch = 0; Verb verb = Verb::prepare; Time delay{}; };
/// Ask this branch no more.
struct Withdraw { Gid gid{}; BranchIndex branch = 0; SharedText participant; SharedText branch_id; };
/// Clients may be told this much now. `completed` tells a rollback's waiters for `undone` too, which
/// those for `completed` need not wait for. `failed`: nothing was started.
enum class Milestone { started, decided, completed, undone, resolved, failed };
struct Tell { Gid gid{}; Milestone milestone = Milestone::started; };
/// A person should know.
struct Alert { SharedText kind; Gid gid{}; std::optional<BranchIndex> branch; SharedText text; };
using Effect = std::variant<Append, Send, Withdraw, Tell, Alert>;
using Effects = std::vector<Effect>;

/// Where a live transaction stands. `deciding`: the decision is queued, not durable, and final.
/// `held`: a person must decide, as the log came out of a backup that may be behind the truth.
/// `unconfirmed`: undecided, and nobody has confirmed yet that this log lacks nothing.
enum class Phase : std::uint8_t { preparing, deciding, delivering, finishing, held, damaged, unconfirmed };
// clang-format on

std::string_view to_text(Phase phase);

/// What is known of a branch beyond the durable records; a crash loses it.
struct LiveBranch {
    BranchVote vote;
    std::optional<How> how;        // it ended so, durable or not: see Transaction::told_end()
    std::optional<How> closing;    // a person ends it so, once it is compensated
    SharedText result;             // of its end: JSON text or empty
    bool is_asked = false;         // it may have run: in this life, or perhaps in an earlier one
    bool is_sent = false;          // what is to be asked or told now
    bool is_being_ended = false;   // a person's word on it is on its way to the disk
    bool is_gone = false;          // by a person's word its participant won't be back
    bool is_contradicted = false;  // heuristic hazard: its participant can't follow the decision
    std::uint32_t attempts = 0;    // unclear answers in a row; of a delivery: tries that failed
    bool is_alerted = false;       // of a fault or of many attempts, since the last clear answer
    SharedText last_error;
};

/// A transaction that is not finished.
struct Transaction {
    Folded folded;  // what is durable, but for folded.started: known from Submitted on
    std::vector<LiveBranch> live;
    Phase phase = Phase::preparing;
    std::optional<Decision> decision;  // queued or durable; tell nobody before folded.decision
    std::uint32_t next_n = 0;          // the number of its next record
    SharedText damage;

    const Started& started() const { return folded.started; }
    Mode mode() const { return folded.started.mode; }
    /// How the branch ended, as far as anybody may be told: what its participant acknowledged is on
    /// that one's disk, a limit's or a person's end is none before its record is durable.
    std::optional<How> told_end(BranchIndex branch) const;
    /// What is left to tell this branch now, once decided.
    std::optional<Verb> delivery_to(BranchIndex branch) const;
    /// Nothing is left to deliver to this branch; a dead letter waits for a person.
    bool is_settled(BranchIndex branch) const;
    /// Its participant may hold this branch, and is told the decision also when a person has ended
    /// the waiting for it. Not one that is gone by a person's word, or has said that it can't
    /// follow.
    bool is_told_on(BranchIndex branch) const;
    /// A person has ended the waiting for this branch alone.
    bool is_owed(BranchIndex branch) const;
    /// Something of this branch is left that only its participant can do; of a dead letter when a
    /// person has it tried again.
    bool needs_participant(BranchIndex branch) const;
    /// Something is left to deliver to a branch. Once decided; a dead letter does not count.
    bool is_open() const;
    bool needs_attention() const;
    /// Durable ones.
    std::size_t dead_letters() const;
    /// Nothing is left to deliver, and all of that may be told; dead letters may wait for a person.
    bool is_completed() const;
};

/// An answer to "what was decided?".
enum class Verdict { commit, rollback, pending };

/// Why a person's decision can't be carried out.
enum class ResolveRefusal {
    none,
    unknown,           // not live
    deciding,          // a decision is on its way to the disk
    votes_missing,     // a commit needs every vote, except where a restore lost them
    decided,           // a durable decision is never changed
    not_decided,       // a branch can be ended by hand only after the decision
    branch_required,   // name the branch
    branch_not_meant,  // a decision is about all branches
    branch_unknown,
    branch_done,
    not_dead,     // only a dead letter is retried so
    held_there,   // what its participant holds nobody discards: the decision reaches it
    damaged,      // its records can't be read
    unconfirmed,  // the log may be behind: nothing is decided before it is confirmed or accepted
};

/// What becomes of an undecided transaction that a crash interrupted.
enum class Undecided {
    goes_on,                 // presumed rolled back, or asked again where nothing is presumed
    waits_for_operator,      // a lost log may have decided it
    waits_for_confirmation,  // this log may lack the decision; resume() again once it doesn't
};

/// The state machine of all unfinished transactions of one shard. One thread.
class Protocol {
public:
    /// Advances by one event. Events about what is unknown or over are ignored: they come late.
    Effects step(const Event& event, Time now);

    /// Folds one durable record, live and at recovery. Empty, or why it can't be: the caller then
    /// sets the transaction aside. Transactions come in any order, a transaction's records in
    /// theirs.
    std::string apply(const Record& record);

    /// Recovery could not read this transaction: nothing is sent for it, nothing presumed.
    void set_aside(const Gid& gid, SharedText damage);

    /// Takes up what a crash interrupted of this transaction; once for each, after the last
    /// apply(), and once more for those that waited for confirmation.
    Effects resume(const Gid& gid, Time now, Undecided undecided = Undecided::goes_on);
    /// Another log of this coordinator may decide what is undecided here: none of it goes on.
    void hold_undecided();

    const Transaction* find(const Gid& gid) const;
    std::optional<Gid> find(const BusinessKey& key) const;
    /// The highest attempt under this code and id that is live.
    std::optional<std::pair<BusinessKey, Gid>> last_attempt(std::string_view code,
                                                            std::string_view id) const;
    /// The verdict on a live transaction; nothing when it is not live.
    std::optional<Verdict> verdict(const Gid& gid) const;
    /// The smallest unfinished gid that names this participant, counting damaged ones for all.
    std::optional<Gid> low_water(std::string_view participant) const;
    /// The live transactions that name each participant; empty sets may stay. What is damaged is
    /// not among them.
    const std::map<SharedText, std::set<Gid>, std::less<>>& unfinished_by_participant() const {
        return unfinished_by_participant_;
    }
    /// When the next Ticked is due.
    std::optional<Time> next_deadline() const;
    /// How many are kept; of what is over no more than of what is live, but for a thousand.
    std::size_t deadlines() const { return deadlines_.size(); }
    ResolveRefusal may_resolve(const ResolveAsked& asked) const;

    using Transactions = std::map<Gid, Transaction>;
    const Transactions& transactions() const { return transactions_; }
    /// About what the live transactions' requests take in memory.
    std::size_t live_bytes() const { return live_bytes_; }

private:
    static Withdraw withdraw(const Transaction& t, BranchIndex branch);
    Effects on(const Submitted& e, Time now);
    Effects on(const Logged& e, Time now);
    Effects on(const Unlogged& e, Time now);
    Effects on(const Voted& e, Time now);
    Effects on(const Acknowledged& e, Time now);
    Effects on(const Unclear& e, Time now);
    Effects on(const NoRoom& e, Time now);
    Effects on(const Contradicted& e, Time now);
    Effects on(const Ticked& e, Time now);
    Effects on(const ResolveAsked& e, Time now);

    Transaction* find_mutable(const Gid& gid);
    Transaction* find_awaiting(const Gid& gid, BranchIndex branch, Verb verb);
    Transaction& start(const Started& started);
    void erase(const Gid& gid);
    void ask(Transaction& t, Effects& effects);
    void voted(Transaction& t, const Voted& e, Effects& effects);
    void decide(Transaction& t, Decision decision, Why why, Effects& effects);
    void deliver(Transaction& t, Effects& effects);
    void deliver_next(Transaction& t, Effects& effects);
    void fail_delivery(
        Transaction& t, BranchIndex branch, SharedText code, SharedText message, Effects& effects);
    void resolved(Transaction& t, BranchIndex branch, std::string_view how, Effects& effects);
    void end_branch(Transaction& t, BranchIndex branch, How how, SharedText result, Effects& to);
    static void ended(const Transaction& t, const BranchDone& done, Effects& effects);
    void finish_if_delivered(Transaction& t, Effects& effects);
    void resume(Transaction& t, Time now, Effects& effects);
    void append(Transaction& t, Record record, bool is_forced, Effects& effects);

    struct Deadline {
        Time at{};
        Gid gid{};
        friend bool operator>(const Deadline& a, const Deadline& b) { return a.at > b.at; }
    };

    void add_deadline(Deadline deadline);

    struct ByBusinessKey {
        using is_transparent = void;
        using Parts = std::tuple<std::string_view, std::string_view, std::uint32_t>;
        static Parts parts(const BusinessKey& key) { return {key.code, key.id, key.attempt}; }
        static Parts parts(const Started* started) { return parts(started->key); }
        static const Parts& parts(const Parts& itself) { return itself; }
        bool operator()(const auto& a, const auto& b) const { return parts(a) < parts(b); }
    };

    Transactions transactions_;
    std::set<const Started*, ByBusinessKey> keys_;  // those of transactions_
    std::map<SharedText, std::set<Gid>, std::less<>> unfinished_by_participant_;
    std::set<Gid> damaged_;
    std::size_t live_bytes_ = 0;
    std::vector<Deadline> deadlines_;  // a heap, the first in front; of what is over too
};

}  // namespace twophase::coordinator
