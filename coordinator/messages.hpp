// The participant contract, our side: what we send, and what an answer means.
#pragma once

#include "coordinator/protocol/records.hpp"
#include "http/errc.hpp"
#include "http/message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twophase::coordinator {

/// What every message carries.
struct Envelope {
    std::string gid;
    std::string branch_id;
    std::string participant;
    std::string coordinator;
    std::uint64_t epoch = 0;
    std::string log;  // which log speaks, and which start of it; empty: not told
    std::string start;
    std::uint64_t position = 0;         // of its last durable batch
    std::uint64_t began_at = 0;         // of that start's barrier
    std::vector<std::string> replaces;  // logs whose place it takes, the latest first
    std::string low_water;              // the smallest unfinished gid that names this participant
    Origin origin;
};

/// Of a delivery that may fail: which try it is, counted from 0, and how many follow the first.
struct Retries {
    std::uint32_t retry_count = 0;
    std::uint32_t max_retries = 0;
};

/// The JSON text of prepare or execute. `payload` is the branch's, references replaced.
std::string ask_message(const Envelope& envelope,
                        const BranchRequest& branch,
                        std::string_view payload,
                        const BusinessKey& key,
                        const std::optional<Retries>& retries = std::nullopt);
/// The JSON text of commit or rollback; prepare_id may be empty.
std::string tell_message(const Envelope& envelope, std::string_view prepare_id);
/// The JSON text of compensate. `branch_id`: the branch that made it necessary, or empty. What
/// people wrote is cut, as participants keep it.
std::string compensate_message(const Envelope& envelope,
                               std::string_view branch_id,
                               std::string_view code,
                               std::string_view message);

/// What an answer means for one branch: the table of ARCHITECTURE section 7, in one place.
struct Answer {
    enum class Kind {
        voted,         // `vote` is filled: a yes or a no
        acknowledged,  // `result` is filled
        contradicted,  // can't follow the decision: a person is needed
        stale_epoch,   // another start, or another log, of this coordinator is listened to
        no_room,       // its store is full: this message has written nothing
        unclear,       // not an answer: ask again
    };
    Kind kind = Kind::unclear;
    BranchVote vote;
    SharedText result;            // JSON text or empty
    SharedText code;              // of a problem
    SharedText message;           // of a problem, or what made it unclear
    bool is_fault = false;        // of the request or the set-up: a person should know
    bool is_to_go_alone = false;  // an array was not understood: ask singly
    /// How long the participant asked to be left alone with this; 0: not said.
    std::chrono::seconds retry_after{0};
    /// With stale_epoch: the epoch that the participant has heard of, where it says so.
    std::optional<std::uint64_t> seen_epoch;
};

/// What was asked, for checking the echo.
struct Subject {
    std::string gid;
    std::string branch_id;
};

/// Reads the answer to one message or, with is_array, to an array of them: an answer a subject, in
/// their order. Whatever is cut, of another shape or about somebody else is unclear.
/// `retry_after`: what the response as a whole asked for; an item may ask for its own.
std::vector<Answer> read_answers(Verb verb,
                                 const std::vector<Subject>& subjects,
                                 bool is_array,
                                 const http::Result<http::Response>& response,
                                 std::chrono::seconds retry_after = {});

}  // namespace twophase::coordinator
