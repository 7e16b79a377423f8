// The branch rules that all participants share: what each message does to a branch in each state.
#pragma once

#include "participants/audit.hpp"
#include "participants/branch.hpp"
#include "participants/branch_evidence.hpp"
#include "participants/messages.hpp"
#include "participants/resource.hpp"
#include "wal/unit.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::participants {

/// The tables that the rules and the audit need in a store.
std::vector<std::string> branch_tables();

/// Reads, checks and writes one branch inside one unit: the answer and all that it promises become
/// durable together, or not at all. No clock, no network, no memory between two messages.
class Branches {
public:
    struct Options {
        std::string participant;             // our name
        std::set<std::string> coordinators;  // those that we know how to ask
        /// Names that this store had: what was begun under one of them goes on.
        std::set<std::string> former_names = {};
        /// The only log that is listened to, by coordinator; others' are taken once confirmed.
        std::map<std::string, std::string> pinned_logs = {};
        /// Whether the store may take a row for the end of a branch that it doesn't know, which
        /// only grows it. Asked on the writer's thread.
        std::function<bool()> has_room = [] { return true; };
    };
    /// `resource` must outlive this.
    Branches(Options options, const TableOf& table_of, Resource& resource);

    /// Answers one message. Throws DamagedRecord, then the unit must not be applied.
    Answer handle(wal::Unit& unit, const Message& message, const Moment& moment) const;

    /// Whether this branch has begun or ended here. DamagedRecord.
    bool is_known(const wal::Reader& reader, const Message& message) const;

    /// Listens to this log of `coordinator`, which its own URL has confirmed, from now on; audited.
    /// `seen`: what was known when that was asked, and told with the question. False, and nothing
    /// is written, where another one is known that it doesn't replace, or more was seen meanwhile.
    bool take_log(wal::Unit& unit,
                  const std::string& coordinator,
                  const LogClaim& claim,
                  const std::optional<LogClaim>& seen,
                  const Moment& moment) const;
    /// Moves the low-water mark to one that the coordinator's own URL has told, also where that
    /// lies ahead of our clock. Nothing where another log is listened to.
    void take_mark(wal::Unit& unit,
                   const std::string& coordinator,
                   const LogClaim& claim,
                   const std::string& low_water) const;
    /// Forgets which log this coordinator works on: the next one is taken once confirmed. By a
    /// person's word; audited. False where none is known.
    bool forget_log(wal::Unit& unit,
                    const std::string& coordinator,
                    const std::string& reason,
                    const Origin& who,
                    const Moment& moment) const;
    /// What is known of this coordinator's log; nothing where no log of it is known. DamagedRecord.
    std::optional<LogClaim> known_log(const wal::Reader& reader,
                                      const std::string& coordinator) const;

    enum class Condition { absent, sound, damaged };
    /// Whether the record of this branch, or its entry among those in doubt, can't be read.
    Condition condition(const Rows& rows,
                        const std::string& gid,
                        const std::string& branch_id) const;

    /// What came of an operator's settlement of a damaged branch.
    struct Settlement {
        std::string refusal;  // a code; empty: it is settled
        std::string message;
        BranchState state = BranchState::prepared;
    };
    /// Writes a damaged branch anew, by what the coordinator's log tells of it; one that was
    /// prepared here is carried out by the log's decision. Audited as `settle_damaged`. Refused,
    /// and nothing is written, where the log doesn't tell the outcome. Throws DamagedRecord.
    Settlement settle(wal::Unit& unit,
                      const BranchEvidence& evidence,
                      const std::string& reason,
                      const Origin& who,
                      const Moment& moment) const;

    /// Forgets up to `limit` ended branches that are below their coordinator's low-water mark and
    /// ended more than `retention_seconds` ago; the number forgotten.
    std::size_t forget(wal::Unit& unit,
                       const Moment& moment,
                       std::uint64_t retention_seconds,
                       std::size_t limit) const;

    struct InDoubtItem {
        std::string gid;
        std::string branch_id;
        InDoubt entry;
    };
    struct InDoubtPage {
        std::vector<InDoubtItem> items;
        std::string next;  // a cursor for `after`; empty: that was all
    };
    struct InDoubtFilter {
        std::string coordinator;                      // empty: any
        std::optional<std::int64_t> prepared_before;  // microseconds since 1970
        /// The time now: what was prepared later counts as old, as the clock has stepped back
        /// since.
        std::optional<std::int64_t> now;
        std::string after;
        std::size_t limit = 100;
    };
    /// Looks at a bounded number, so a page may hold fewer than there are beyond `next`.
    InDoubtPage in_doubt(const wal::Reader& reader, const InDoubtFilter& filter) const;

    struct ListedBranch {
        std::string gid;
        std::string branch_id;
        Branch branch;
    };
    struct ListPage {
        std::vector<ListedBranch> items;
        std::string next;  // a cursor for `after`; empty: that was all
    };
    struct ListFilter {
        std::string coordinator;
        std::string from;  // the lowest gid
        std::string after;
        std::size_t limit = 100;
    };
    /// Every branch of a coordinator that is remembered, ended ones too, in the order of gids; a
    /// damaged one is left out. Looks at a bounded number, as in_doubt() does.
    ListPage list(const wal::Reader& reader, const ListFilter& filter) const;

    /// How many branches are in doubt. Cheap.
    std::size_t in_doubt_count(const wal::Reader& reader) const {
        return reader.count(tables_.in_doubt);
    }

    /// Ours, or one that this store had before.
    bool is_our_name(const std::string& participant) const {
        return participant == options_.participant || options_.former_names.contains(participant);
    }
    bool is_configured(const std::string& coordinator) const {
        return options_.coordinators.contains(coordinator);
    }
    /// The settings name the log: it needs no confirmation, and no other is taken.
    bool is_pinned(const std::string& coordinator) const {
        return options_.pinned_logs.contains(coordinator);
    }
    const Audit& audit() const { return audit_; }

private:
    /// An answer and what the audit should say of it.
    struct Outcome {
        Answer answer;
        Change change;
        bool is_repeat = false;     // changed nothing and was said before: not audited again
        bool is_tombstone = false;  // of what never came: not worth the last room for an audit
    };
    struct Turn;  // one message being handled

    Outcome decide(Turn& turn) const;
    std::optional<Answer> objection(const Turn& turn) const;
    std::optional<Answer> log_objection(const Turn& turn) const;
    std::optional<Answer> epoch_objection(const Turn& turn) const;
    void remember(Turn& turn) const;
    bool is_audited(const Outcome& outcome) const;
    void record(const Turn& turn, const Outcome& outcome) const;
    Outcome begin(Turn& turn) const;
    Outcome end_unknown(Turn& turn) const;
    Outcome on_known(Turn& turn, const Branch& branch) const;
    Outcome repeat_begin(Turn& turn, const Branch& branch) const;
    Outcome end(Turn& turn, Branch branch) const;
    Outcome compensate(Turn& turn, Branch branch) const;
    void finish(Turn& turn, Branch& branch, BranchState state) const;
    void note_end(Turn& turn, const Branch& branch) const;
    std::size_t forget_of(const std::string& coordinator,
                          wal::Unit& unit,
                          const Moment& moment,
                          std::uint64_t newest_second,
                          std::size_t limit) const;
    void forget_one(wal::Unit& unit, std::string_view ended_key, Coordinator& sender) const;
    std::optional<std::uint64_t> second_of_end(const wal::Unit& unit,
                                               const std::string& coordinator,
                                               const std::string& key) const;
    void write_settled(wal::Unit& unit,
                       const std::string& key,
                       Branch& branch,
                       const Moment& moment) const;

    Options options_;
    Resource& resource_;
    Audit audit_;
    struct Tables {
        wal::Table branches, in_doubt, ended, coordinators, numbers;
    };
    Tables tables_;
};

}  // namespace twophase::participants
