// The rules of a small participant in memory, right but for one flaw.
#pragma once

#include "http/json.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace twophase::conformance {

/// Owns credits: payload {"amount": n}, of which 1,000,000 are there. Its flaws have names; with
/// none it keeps the contract.
class FakeRules {
public:
    using Json = http::Json;

    struct Reply {
        unsigned status = 200;
        Json body;
    };
    struct Stored {
        std::string state;  // prepared, committed, rolled_back, executed, compensated
        Json operation;     // null: a tombstone
        Json payload;
        std::uint64_t epoch = 0;
        std::int64_t age = 0;  // when it was prepared, by a clock of its own
        Json yes;
        Json end;
    };

    explicit FakeRules(std::string flaw) : flaw_(std::move(flaw)) {}

    bool has(const std::string& flaw) const { return flaw_ == flaw; }

    Reply handle(const std::string& verb, const Json& message);
    Json in_doubt(const std::string& coordinator,
                  std::optional<std::int64_t> prepared_before,
                  const std::string& after,
                  std::size_t limit,
                  const std::string& nonce = "") const;
    /// Listens to the log that the coordinator confirmed.
    void take_log(const Json& identity);
    /// The log that is listened to, as members of a message; empty: none.
    const Json& known_log() const { return log_; }

    /// From now on there is no room for what begins.
    void fill() { is_full_ = true; }
    /// What a crash leaves.
    void restart();
    /// "free/held".
    std::string observe() const;

    const std::map<std::string, Stored>& branches() const { return branches_; }
    std::uint64_t epoch() const;
    /// Makes the branch what it was: for flaws that decide by what they saw too long ago.
    void put_back(const std::string& key, const std::optional<Stored>& seen);
    std::string key_of(const Json& message) const;

private:
    std::optional<Reply> misread(const std::string& verb, const Json& message);
    std::optional<Reply> fence(const std::string& verb, const Json& message);
    std::optional<Reply> fence_log(const std::string& verb, const Json& message);
    bool obeys_other_log(const std::string& verb, const std::string& log) const;
    Reply begin(const std::string& verb, const Json& message);
    Reply repeat(const std::string& verb, const Json& message, Stored& branch);
    Reply no_room(const Json& message) const;
    Reply begin_anew(const std::string& verb, const Json& message);
    Reply end_unknown(const std::string& verb, const Json& message);
    Reply end(const std::string& verb, const Json& message, Stored& branch);
    Reply compensate(const Json& message, Stored& branch);
    Reply refuse(const Json& message, unsigned status, const std::string& code) const;
    Reply done(const Json& message, const std::string& state);

    std::string flaw_;
    std::map<std::string, Stored> branches_;
    std::map<std::string, std::uint64_t> epochs_;
    std::set<std::string> refused_;
    Json log_ = Json::object();  // log, start, position, replaces
    std::string log_before_;
    std::int64_t free_ = 1'000'000;
    std::int64_t held_ = 0;
    std::int64_t clock_ = 1'000;
    int numbers_ = 0;
    int restarts_ = 0;
    bool is_full_ = false;
};

}  // namespace twophase::conformance
