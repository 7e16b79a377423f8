// Performs the core's effects and feeds back what came of them: where the protocol meets I/O.
#pragma once

#include "coordinator/admitted.hpp"
#include "coordinator/config.hpp"
#include "coordinator/lanes.hpp"
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

/// An answer to "what was decided?"; nothing for a gid that this coordinator never minted.
using Inquiry = std::optional<Verdict>;

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

    /// Admits or refuses; a new transaction is under way when this returns.
    Admitted submit(Submission submission);

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
    /// Writes down what a person says of such a gid; `then` runs once that is durable. Whoever
    /// holds a branch of it in doubt hears it at its next inquiry or at the next sweep.
    void settle_unknown(const Gid& gid,
                        Decision decision,
                        const std::string& who,
                        const std::string& reason,
                        std::function<void(wal::Written)> then);

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

private:
    Admitted take(Submission submission);
    void read_metrics(recovery::Readings& to) const;
    void feed(const Event& event);
    void perform(Effects effects);
    void perform(const Send& e);
    void perform(const Withdraw& e);
    void perform(const Tell& e);
    void perform(const Alert& e);
    static recovery::AlertOptions alert_options(const Config& config);
    void look_for_trouble();
    Gid minted_before(recovery::Time age);
    void note_oldest_in_doubt();
    recovery::Time age_of_oldest(const Gid& gid) const;
    static bool is_in_doubt(const Transaction& t);
    void append(std::vector<Append> appends);
    void logged(std::vector<Record> records, wal::Written written);

    Rendered render(std::string_view participant, const BranchKey& key, Verb verb) const;
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
    std::optional<KnownAttempt> known(const wal::BusinessEntry& entry) const;
    std::optional<KnownAttempt> known(const BusinessKey& key, const Gid& gid) const;
    Admission admission_of(const Submission& submission, Gid& same) const;
    std::optional<Gid> mint();
    std::uint64_t wall_milliseconds() const;
    void push_ceiling();
    void note_restore(std::uint64_t floor);
    bool may_have_been_decided(const Gid& unknown) const;
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
    std::uint32_t restore_ = 0;     // of the log: in the ids minted since
    Gid presumes_nothing_below_{};  // unknown gids below it may have been decided: pending
    std::optional<Gid> restored_below_;
    std::set<Gid> settling_;

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
