// What the checks are written with: branches of our own, messages about them, and their end.
#pragma once

#include "tests/conformance/answer.hpp"
#include "tests/conformance/caller.hpp"
#include "tests/conformance/expectations.hpp"
#include "tests/conformance/gids.hpp"
#include "tests/conformance/logs.hpp"
#include "tests/conformance/options.hpp"
#include "tests/conformance/stand_in.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace twophase::conformance {

/// A branch with the yes that it got.
struct Begun {
    Branch branch;
    Answer yes;
};

/// One run against one participant. Whatever it made the participant promise, it ends.
class Session {
public:
    explicit Session(const Options& options);

    const Options& options() const { return options_; }

    /// A branch that nobody has heard of.
    Branch fresh();

    Message message(Verb verb, const Branch& branch) const;
    Answer prepare(const Branch& branch) { return send(message(Verb::prepare, branch)); }
    Answer commit(const Branch& branch) { return send(message(Verb::commit, branch)); }
    Answer rollback(const Branch& branch) { return send(message(Verb::rollback, branch)); }
    Answer execute(const Branch& branch) { return send(message(Verb::execute, branch)); }
    Answer compensate(const Branch& branch) { return send(message(Verb::compensate, branch)); }

    Answer send(const Message& message);
    /// As send(), but 429 and 503 are left as they are.
    Answer try_once(const Message& message);
    std::vector<Answer> send_together(const std::vector<Message>& messages);
    /// As one array; the items' answers, which are as many. Anything else is a breach.
    std::vector<Answer> send_array(const std::vector<Message>& messages);
    /// A request that is no message of ours; `about` may be promised by it, wrongly.
    Answer send(const Request& request);
    const Caller& caller() const { return caller_; }

    /// Promised: where that doesn't succeed the check can't be done.
    Begun prepared() { return prepared(fresh()); }
    Begun prepared(const Branch& branch);
    Begun executed();
    /// With the prepare_id of its yes, as a coordinator sends it.
    Message commit_of(const Begun& begun) const;

    /// From now on all messages carry a higher epoch. Gives the one until now.
    std::uint64_t raise_epoch();
    std::uint64_t epoch() const { return epoch_; }

    /// Which log our messages name; an empty one until the participant listens to one.
    const Log& log() const { return log_; }
    /// Has a log of ours confirmed and waits until the participant listens to it, in the place of
    /// the one that it knows, if any. From now on all messages name it. A breach when it doesn't
    /// within Options::inquiry_limit. Only with Options::listen.
    void take_log();
    /// What a participant that was checked before knows of us: it would refuse any other log.
    void go_on_with_known_log();
    /// What the participant tells of the log that it knows and of its store.
    Introduction introduction() { return read_introduction(introduction_page("1")); }
    Answer introduction_page(const std::string& nonce);

    /// Whether the list of branches in doubt has it; reads all pages of those of our coordinator.
    bool is_in_doubt(const Branch& branch);
    /// One page; a breach when it has another shape.
    Answer in_doubt_page(const std::string& query);

    /// A text of what the participant owns.
    std::string observe() const;

    /// The server that the participant asks. Only with Options::listen.
    StandIn& stand_in() { return *stand_in_; }

    /// What was begun since the last call stays until end_all(), for later checks to look at.
    void keep();
    /// Rolls back or compensates what is not known to have ended.
    void end_begun();
    void end_all();

    /// Kept from one check to the next by those that share a restart.
    std::shared_ptr<void> shared;
    /// The same, by those that share a full store.
    std::shared_ptr<void> filled;

private:
    void speak_as(const Log& log);

    struct Open {
        Branch branch;
        Verb end;  // rollback or compensate
    };
    void note(Open open);
    void note(const Message& message);
    void note(const Message& message, const Answer& answer);
    void end(std::vector<Open>& open);

    const Options& options_;
    Caller caller_;
    Gids gids_;
    std::string low_water_;
    std::uint64_t epoch_;
    Log log_;
    std::vector<Open> begun_;
    std::vector<Open> kept_;
    std::unique_ptr<StandIn> stand_in_;
};

}  // namespace twophase::conformance
