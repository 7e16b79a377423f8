// The coordinator that the participant asks about branches in doubt: a server of ours.
#pragma once

#include "tests/conformance/messages.hpp"
#include "tests/conformance/options.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace twophase::conformance {

/// What an inquiry is answered with.
enum class Say {
    pending,
    commit,
    rollback,
    not_found,       // 404: no decision
    another_commit,  // a decision, but about another transaction
};

/// Answers GET /v1/transactions/{gid}/decision and GET /v1/identity on a thread of its own. What
/// nobody set is pending.
class StandIn {
public:
    /// Throws boost::system::system_error when it can't listen there.
    StandIn(const ListenAt& at, std::string coordinator, std::uint64_t epoch);
    ~StandIn();
    StandIn(const StandIn&) = delete;
    StandIn& operator=(const StandIn&) = delete;

    /// Decisions carry this epoch from now on.
    void set_epoch(std::uint64_t epoch);
    /// Decisions name this log from now on, and it is confirmed to whoever asks; empty: none is.
    void set_log(const Log& log);
    /// GET /v1/identity is answered with this log from now on; nothing, or an empty one: 404. The
    /// count of questions begins anew.
    void confirm(const std::optional<Log>& log);
    /// Waits until the identity was asked for so often since confirm(); false after `limit`.
    bool wait_identity_asked(int times, std::chrono::milliseconds limit);
    /// What questions about `gid` are answered with from now on; its count of questions begins
    /// anew.
    void answer(const std::string& gid, Say say);
    /// Waits until `gid` was asked about so often since answer(); false after `limit`.
    bool wait_asked(const std::string& gid, int times, std::chrono::milliseconds limit);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace twophase::conformance
