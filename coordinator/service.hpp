// Performs the core's effects and feeds back what came of them: where the protocol meets I/O.
#pragma once

#include "coordinator/admitted.hpp"
#include "coordinator/config.hpp"
#include "coordinator/lanes.hpp"
#include "coordinator/log_guard.hpp"
#include "coordinator/lost.hpp"
#include "coordinator/protocol/admission.hpp"
#include "coordinator/protocol/protocol.hpp"
#include "coordinator/references.hpp"
#include "coordinator/transaction_metrics.hpp"
#include "recovery/alerts.hpp"
#include "recovery/fold.hpp"
#include "recovery/metrics.hpp"
#include "recovery/room_watch.hpp"
#include "recovery/surroundings.hpp"
#include "wal/log.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace twophase::coordinator {

/// The business code under which a person's word on a lost transaction is kept.
inline constexpr const char* unknown_code = "unknown-after-restore";

/// A request to start a transaction, checked for form and configuration.
struct Submission {
    Mode mode = Mode::two_phase;
    BusinessKey key;
    Fingerprint fingerprint{};
    std::vector<BranchRequest> branches;
    Origin origin;
    std::string traceparent;
    std::chrono::milliseconds vote_timeout{5'000};  // of the first phase; 0: it takes its time
    bool is_start_awaited = false;  // the client will be told the gid before the outcome
};

/// A transaction found by its gid, live or in the log.
struct Found {
    const Transaction* live = nullptr;  // valid until the next event
    std::optional<Folded> folded;       // when not live: what the log tells
    std::string damage;                 // when its records can't be trusted
};

/// The fold of a transaction's stored records.
Found read_back(const wal::StoredTransaction& stored);

/// An answer to "what was decided?"; nothing for a gid of another coordinator.
using Inquiry = std::optional<Verdict>;

/// Whether the log may be believed.
enum class LogState {
    unheard,     // ordinary: not every participant was heard yet; in a second it is open
    open,        // what it doesn't know was rolled back
    moved,       // its file was moved or copied: open for new work, and nothing is presumed
    unaccepted,  // it takes another log's place and nobody has accepted it: nothing is sent
    behind,      // a participant has seen more of it than it holds: nothing is sent
};

std::string_view to_text(LogState state);

/// A lost transaction as its participants tell of it.
struct LostTransaction {
    Gid gid{};
    std::vector<wal::LostBranch> branches;
    std::optional<Decision> proven;
};

/// One shard: the core, its lanes, and who waits for what. One loop thread, the log's writer aside.
class Service {
public:
    using Waiter = std::function<void(Milestone)>;
    /// Ends the process after a failure that only a restart or a person can mend.
    using Stop = std::function<void(int exit_code, const std::string& why)>;

    /// `around` and `config` outlive it.
    Service(recovery::Surroundings& around, const Config& config, Stop stop);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Shows every event before the core steps: for traces and coverage. Set before open().
    void watch(std::function<void(const Event&, const Protocol&)> watcher) {
        watcher_ = std::move(watcher);
    }

    /// Opens the log (barrier and epoch included) and folds what is unfinished. Any thread, once,
    /// before start(); throws wal::StoreError.
    void open();
    /// Resumes what a crash interrupted and begins to work. On the loop.
    void start();
    /// Instead of start(): takes up what open() folded and carries nothing out, so that a tool can
    /// look at the log of a coordinator that does not run.
    void look();
    /// Sends nothing more; live transactions go on at the next start.
    void stop();
    bool is_ready() const { return is_ready_; }
    /// No transaction that was begun so far has this gid or a higher one.
    Gid next_gid() const { return mint_->next_at_least(); }

    /// Admits or refuses; a new transaction is under way when this returns.
    Admitted submit(Submission submission);

    /// What a client may try next under the code and id of `key`: the attempt after the highest one
    /// that is known. Nothing where that one is committed, not decided yet, or can't be read.
    std::optional<NextAttempt> next_attempt(const BusinessKey& key) const;

    /// Makes all durable that was appended so far, as soon as may be: those who wait may be told.
    void force();
    /// Calls `then` on the loop once all that was appended so far is durable or refused.
    void when_written(std::function<void()> then);

    /// Calls `waiter` once when the transaction reaches `milestone`, or `failed`; `completed` is
    /// also called for a durable rollback decision. Returns a ticket for forget_waiter().
    std::uint64_t wait(const Gid& gid, Milestone milestone, Waiter waiter);
    void forget_waiter(const Gid& gid, std::uint64_t ticket);

    /// Already so far, durable where the milestone says so.
    bool has_reached(const Gid& gid, Milestone milestone) const;

    Found find(const Gid& gid) const;
    Inquiry inquire(const Gid& gid) const;

    /// Makes a transaction's waiting retries due; the number of branches that were waiting.
    std::size_t retry(const Gid& gid);

    enum class ResolveResult { accepted, refused, busy };
    struct Resolving {
        ResolveResult result = ResolveResult::accepted;
        ResolveRefusal refusal = ResolveRefusal::none;
    };
    /// A person's decision. Accepted: wait for Milestone::resolved (or decided) before telling.
    Resolving resolve(const ResolveAsked& asked);

    /// The log knows nothing of this gid and may not presume: only a person can say.
    bool may_settle_unknown(const Gid& gid) const;
    // --- the log's identity ---

    LogState log_state() const;
    /// Why it is not open, and what to do; empty where it is.
    std::string log_detail() const;
    /// Whether participants may listen to this log.
    bool may_be_listened_to() const;
    const LogGuard& guard() const { return *guard_; }
    std::uint64_t position() const { return log_->store().position(); }
    /// Configured participants that were not heard since the start.
    std::vector<std::string> unheard() const;
    /// Of a moved log: participants that may still listen to another start of it.
    std::vector<std::string> unfenced() const;
    /// Of a log that takes another's place: participants whose branches were not listed yet.
    std::vector<std::string> unlisted() const;
    /// Participants that give no list of their branches: what they know of lost ones is not known.
    const std::set<std::string>& listless() const { return listless_; }

    enum class Accepting { accepted, nothing_to_accept, not_heard };
    /// A person takes the log as it is: one that takes another's place, or that was moved. All
    /// participants must have been heard (and listed), but for those left out; those get nothing
    /// until they were. Accepted: `then` runs once that is durable.
    Accepting accept(const std::set<std::string>& left_out,
                     const std::string& who,
                     const std::string& reason,
                     std::function<void(wal::Written)> then);
    /// A person takes the participant's store as it is from now on.
    void accept_store(const std::string& participant,
                      const std::string& who,
                      const std::string& reason,
                      std::function<void(wal::Written)> then);

    /// Lost transactions above `after`, in gid order.
    std::vector<LostTransaction> lost(std::optional<Gid> after, std::size_t limit) const;
    /// A person's word on one of them, which takes its business key and is delivered to every
    /// branch that is known. `then` runs once it is durable.
    void settle_lost(const Gid& gid,
                     Decision decision,
                     const std::string& who,
                     const std::string& reason,
                     std::function<void(wal::Written)> then);
    bool is_lost(const Gid& gid) const { return !log_->lost(gid).empty(); }
    /// Settles all that are proven, in order; `then` gets how many.
    void settle_proven(const std::string& who,
                       const std::string& reason,
                       std::function<void(std::size_t)> then);
    /// Somebody else has seen this of our log: true when that is more than it holds.
    bool knows_less_than(const Seen& seen) const;

    const Protocol& core() const { return core_; }
    const wal::Log& log() const { return *log_; }
    wal::Log& log() { return *log_; }
    const Config& config() const { return config_; }
    /// Runs `work` on a thread of its own, for what reads the whole log. It must touch nothing but
    /// the log, and end soon once stop is requested. False when two run already.
    bool run_beside(std::function<void(std::stop_token)> work);
    /// Told at any time, of what is known by then.
    recovery::Metrics& metrics() { return metrics_; }
    std::vector<LaneStatus> lanes() const { return lanes_.status(); }
    std::uint64_t epoch() const { return log_->store().epoch(); }
    /// Unfinished transactions that a person has to look at. Of thousands it is up to a second old:
    /// counting looks at each, and whoever watches asks often.
    std::size_t needing_attention();
    /// All transactions below it that concern this participant are over: it may forget them.
    Gid low_water(std::string_view participant) const;
    /// Whether messages are sent to it, which tell that mark: before a participant's branches of a
    /// replaced log were read it must forget none of them.
    bool may_tell_low_water(const std::string& participant) const;
    /// Milliseconds by which new ids are ahead of the wall clock; 0: not by a day.
    std::uint64_t ids_ahead() const;
    /// How many unfinished transactions name each participant that is not configured.
    std::map<std::string, std::size_t> removed_participants() const;
    /// It can't end without a participant that is not configured.
    bool is_stranded(const Transaction& t) const;

private:
    Admitted take(Submission submission);
    std::optional<Gid> lost_under(const BusinessKey& key) const;
    void read_metrics(recovery::Readings& to) const;
    void feed(const Event& event);
    void perform(Effects effects);
    void perform(const Send& e);
    void perform(const Withdraw& e);
    void perform(const Tell& e);
    void perform(const Alert& e);
    static recovery::AlertOptions alert_options(const Config& config);
    void look_for_trouble();
    void alert_removed();
    Gid minted_before(recovery::Time age);
    void note_oldest_in_doubt();
    recovery::Time age_of_oldest(const Gid& gid) const;
    static bool is_in_doubt(const Transaction& t);
    void append(std::vector<Append> appends);
    void logged(std::vector<Record> records, wal::Written written);

    Rendered render(std::string_view participant, const BranchKey& key, Verb verb) const;
    bool may_be_the_same(std::string_view participant, std::string_view other) const;
    std::string message_to(const Envelope& envelope,
                           const Transaction& t,
                           BranchIndex index,
                           Verb verb) const;
    FilledPayload payload_of(const Transaction& t, BranchIndex index) const;
    void refuse_for(const Send& e, const std::string& why);
    bool is_about_an_earlier_start(const Answer& answer) const;
    void answered(const std::string& participant,
                  const BranchKey& key,
                  Verb verb,
                  const Answer& answer,
                  std::uint32_t attempts);
    void answered_orphan(const std::string& participant,
                         const BranchKey& key,
                         Verb verb,
                         const Answer& answer);
    void found_in_doubt(const InDoubt& branch);
    std::optional<KnownAttempt> highest_attempt(const BusinessKey& key) const;
    std::optional<KnownAttempt> known(const wal::BusinessEntry& entry) const;
    std::optional<KnownAttempt> known(const BusinessKey& key, const Gid& gid) const;
    Admission admission_of(const Submission& submission, Gid& same) const;
    std::optional<Gid> mint();
    std::uint64_t wall_milliseconds() const;
    void push_ceiling();
    void open_identity();
    bool may_presume_rollback(const Gid& unknown) const;
    Undecided undecided(const Gid& gid) const;

    Question question_to(const std::string& participant);
    Reception introduced(const std::string& participant,
                         const Question& question,
                         const Introduction& told);
    Reception judged_badly(const std::string& participant, const Judgement& judgement);
    Reception standing_of(const std::string& participant,
                          const Question& question,
                          const Introduction& told);
    bool is_refused_by(const std::string& participant);
    bool is_doubtful(const std::string& participant, const http::Response& response);
    void remember(const std::string& participant, const wal::SeenStore& seen);
    void write_seen();
    void heard(const std::string& participant);
    void note_known();
    void begin_hearing();
    void hear_again();
    void ask_soon();
    void end_first_round();
    void confirm();
    void close_log(const std::string& why);
    void end_later(int exit_code, const std::string& why);
    void raise_seldom(recovery::Alert alert);
    void list_lost(const std::string& participant, bool is_final);
    bool is_listed(const std::string& participant) const;
    bool is_of_a_lost_log(const wal::LostBranch& branch) const;
    void undo_if_left(const wal::LostBranch& branch);
    void listing_ended(const std::string& participant, bool has_list);
    void write_listed(const std::string& participant);
    void look_at_lost();
    std::vector<wal::Entry> settlement(const Gid& gid,
                                       Decision decision,
                                       const std::string& who,
                                       const std::string& reason,
                                       std::vector<Record>& records);
    BusinessKey key_to_settle(const Gid& gid,
                              Decision decision,
                              const std::vector<wal::LostBranch>& branches) const;
    struct Settling;
    void settle_next(const std::shared_ptr<Settling>& settling);
    void report_fold(const recovery::FoldReport& report) const;

    void arm_tick();
    void arm_housekeeping();
    void forget();

    struct Waiting {
        std::uint64_t ticket = 0;
        Milestone milestone = Milestone::completed;
        Waiter waiter;
    };

    recovery::Surroundings& around_;
    const Config& config_;
    Stop stop_;
    std::function<void(const Event&, const Protocol&)> watcher_;
    recovery::Metrics metrics_;  // before all that counts, the log's writer too
    TransactionMetrics transaction_metrics_;
    std::unique_ptr<wal::Log> log_;
    Protocol core_;
    recovery::Alerts alerts_;
    std::optional<recovery::RoomWatch> room_watch_;
    Lanes lanes_;
    std::optional<GidMint> mint_;
    std::uint64_t pushed_ceiling_ = 0;
    bool is_forgetting_ = false;
    struct Minted {
        recovery::Time at{};
        Gid below{};
    };
    std::deque<Minted> minted_;  // how far ids had come at the last looks around
    struct Oldest {
        Gid gid{};
        recovery::Time seen_at{};  // when it was first seen to be the oldest
    };
    std::optional<Oldest> oldest_in_doubt_;
    Gid presumes_nothing_below_{};  // unknown gids below it may have been decided: pending

    std::optional<LogGuard> guard_;
    std::set<std::string> heard_;       // participants that said nothing against this log
    std::set<std::string> fenced_;      // those that listen to this very start, or to none
    bool is_first_round_over_ = false;  // all were heard, or a second has passed
    bool is_confirmed_ = false;         // nobody who may know more is left to be heard
    bool is_moved_ = false;
    bool awaits_acceptance_ = false;
    std::string log_text_;  // as messages carry them
    std::string start_text_;
    std::vector<std::string> replaces_text_;
    bool is_known_ = false;   // somebody listens to this log, or did
    std::string closed_for_;  // not empty: it is behind
    bool is_ending_ = false;
    std::map<std::string, wal::SeenStore> seen_;  // stores, by participant
    std::set<std::string> unwritten_seen_;
    std::map<std::string, Time> refused_by_;  // when it last refused this start
    std::set<std::string> behind_at_;         // participants that have heard from a later start
    std::vector<InDoubt> strangers_;          // found before anything may be presumed
    std::shared_ptr<LostList> lost_list_;
    std::set<std::string> being_listed_finally_;
    std::set<std::string> listed_;  // this time, or for good
    /// Listed by a participant that listens to this log; durable once nothing of it is left.
    std::set<std::string> listed_finally_;
    /// Steps that their settled transaction lacks, to be compensated: known again after a crash
    /// from the list that is not durable before.
    std::map<std::string, std::set<BranchKey>> left_;
    std::set<std::string> listless_;
    std::optional<Gid> lowest_lost_;
    bool is_second_round_due_ = false;  // of a moved log
    bool is_second_round_ = false;
    bool is_fencing_ = false;  // participants are asked to listen to this start alone
    std::unique_ptr<recovery::Alarm> second_round_alarm_;
    std::unique_ptr<recovery::Alarm> patience_alarm_;
    std::unique_ptr<recovery::Alarm> seen_alarm_;
    std::unique_ptr<recovery::Alarm> end_alarm_;
    std::set<Gid> settling_;
    /// The highest attempt under each key that a settlement on its way to the disk takes.
    std::map<std::pair<SharedText, SharedText>, KnownAttempt> settling_keys_;

    struct Counted {
        Time at{};
        std::size_t attention = 0;
    };
    std::optional<Counted> counted_;
    bool is_ready_ = false;
    bool is_stopped_ = false;
    std::unordered_map<Gid, std::vector<Waiting>, GidHash> waiters_;
    std::uint64_t tickets_ = 0;
    std::unique_ptr<recovery::Alarm> tick_alarm_;
    std::unique_ptr<recovery::Alarm> housekeeping_alarm_;
    std::optional<Time> tick_armed_for_;
    struct Beside {
        std::shared_ptr<std::atomic<bool>> is_over;
        std::jthread thread;
    };
    std::vector<Beside> beside_;  // last: joined while what they read is still there
};

}  // namespace twophase::coordinator
