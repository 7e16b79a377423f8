// What a person has to know now: a line of the log, and an event to a webhook.
#pragma once

#include "recovery/alert_settings.hpp"
#include "recovery/surroundings.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace twophase::recovery {

class Webhook;

/// RFC 3339 in UTC, of microseconds since 1970.
std::string time_text(std::int64_t microseconds);

struct Alert {
    std::string kind;       // of alert_titles.hpp
    std::string subject;    // what it is about: a gid, an account, ...; empty: the program itself
    std::string text;       // a sentence for people
    std::string data;       // a JSON object for programs, as text; empty: none
    bool is_event = false;  // it happened, and isn't how things are: each one is raised
};

/// Raises alerts: one mechanism for all of a program's. Each is a line of the log, and, where a
/// webhook is configured, a CloudEvents 1.0 event in structured JSON: type "twophase.alert.<kind>",
/// data {title, text, and the members of the alert's own}. It is POSTed until a 2xx came, with the
/// same id each time, and not always in order. What waits is in memory: a crash loses it, the line
/// of the log stays. Belongs to the loop.
class Alerts {
public:
    /// `around` outlives it.
    Alerts(Surroundings& around, AlertOptions options);
    ~Alerts();
    Alerts(const Alerts&) = delete;
    Alerts& operator=(const Alerts&) = delete;

    /// Only counts where the same kind and subject was raised less than `again_after` ago, unless
    /// it is an event; the next one raised tells the count as `suppressed`. Where too many wait for
    /// the webhook it is only logged, and the next one that finds a place tells the count as
    /// `dropped`.
    void raise(const Alert& alert);

    /// Sends nothing more and closes its connections; what is raised afterwards is only logged.
    void stop();

    /// Events that the webhook has not taken yet.
    std::size_t waiting() const;
    /// Events that found no place, in all.
    std::uint64_t dropped() const { return dropped_; }
    /// Alerts of this kind that were raised, those that only counted left out.
    std::uint64_t raised(std::string_view kind) const;

private:
    struct Past {
        Time raised{};
        std::uint64_t suppressed = 0;
    };

    std::optional<std::uint64_t> admit(const Alert& alert);
    void forget_past();
    void send(const Alert& alert, std::uint64_t suppressed);
    std::string event(const Alert& alert, std::uint64_t suppressed);

    Surroundings& around_;
    AlertOptions options_;
    std::unique_ptr<Webhook> webhook_;                          // empty: none, or stopped
    std::map<std::pair<std::string, std::string>, Past> past_;  // by kind and subject
    std::map<std::string, std::uint64_t, std::less<>> raised_;  // by kind: the code's own words
    std::string id_prefix_;
    std::uint64_t events_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t dropped_and_not_told_ = 0;
};

}  // namespace twophase::recovery
