// Asks one participant which log of ours it knows and what it holds in doubt: before anything is
// sent to it, and again and again.
#pragma once

#include "coordinator/config.hpp"
#include "coordinator/introduction.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace twophase::coordinator {

/// What a participant holds prepared, as it says itself.
struct InDoubt {
    std::string participant;
    std::string gid;
    std::string branch_id;
};

/// How a sweep asks, and what was known at that moment.
struct Question {
    std::string nonce;
    bool has_claim = false;  // it tells which log asks: the participant may take it for ours
    std::string claim;       // "&log=...", or empty
    std::optional<wal::SeenStore> remembered;
};

/// The sweeps of one participant, one at a time and page by page. The loop's thread; held by a
/// shared pointer, as answers come later.
class Sweep : public std::enable_shared_from_this<Sweep> {
public:
    struct Hooks {
        std::function<Question()> question;
        /// The first page of a sweep came, or a participant of others said that it has none. False:
        /// what the list holds isn't needed now.
        std::function<bool(const Question&, const Introduction&)> introduced;
        std::function<void(const InDoubt&)> found;
        /// Every page was read. Not called where an answer is missing or none.
        std::function<void()> ended;
        /// An answer is missing or none: why, for people.
        std::function<void(const std::string& why)> failed;
        /// Somebody waits for the end: the next page is asked for at once, and the next sweep
        /// begins soon where this one got no answer.
        std::function<bool()> is_urgent;
    };

    /// What the references and hooks lead to lives until stop().
    Sweep(recovery::Surroundings& around,
          recovery::Peer& peer,
          const Config& config,
          std::string participant,
          Hooks hooks);

    /// Begins one now, and one every sweep_interval unless one is under way then.
    void start();
    /// Begins one soon: at once, or a growing while after those that came to nothing.
    void start_soon();
    /// Begins one at once, or as soon as the one under way has ended.
    void start_now();
    /// The same, whatever the participant asked for before: it has answered since, and not as it
    /// did.
    void start_anew();
    void stop();

private:
    void begin();
    void begin_later();
    void ask(const std::string& after);
    void handle(const http::Result<http::Response>& response);
    void ask_next(const std::string& after);
    bool read(const http::Result<http::Response>& response, std::string& next);
    bool introduce(const Introduction& introduction);
    bool fail(const std::string& why);

    recovery::Surroundings& around_;
    recovery::Peer& peer_;
    std::string participant_;
    std::string path_;
    std::chrono::milliseconds call_timeout_;
    recovery::Time interval_;
    Hooks hooks_;
    std::unique_ptr<recovery::Alarm> alarm_;
    std::unique_ptr<recovery::Alarm> page_alarm_;
    bool is_stopped_ = false;
    bool is_under_way_ = false;
    std::string last_page_;
    std::size_t pages_ = 0;
    std::optional<Question> question_;  // of the sweep whose first page is asked for
    unsigned failures_ = 0;             // sweeps in a row after which somebody still waits
    bool is_wanted_again_ = false;
    bool is_soon_ = false;  // start_soon() has set the alarm
    recovery::Time longest_pause_;
    recovery::Time longest_wait_;  // that the participant can ask for
    recovery::Time not_before_{};  // it asked for it
};

}  // namespace twophase::coordinator
