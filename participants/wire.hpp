// The contract's JSON: messages in, answers out. Included by .cpp files only.
#pragma once

#include "http/document.hpp"
#include "http/fields.hpp"
#include "http/message.hpp"
#include "participants/messages.hpp"

#include <optional>

namespace twophase::participants {

/// Reads one message. An Answer instead is the refusal of a message that is none, and `gid` and
/// `branch_id` then hold what could be read of them.
struct ReadMessage {
    Message message;
    std::optional<Answer> refusal;
};
ReadMessage read_message(Verb verb, const http::Value& json);

/// The members log, start, position and replaces of an object that `fields` reads; `epoch` is left
/// to the caller. An empty `log`: the object has none.
LogClaim read_log_claim(http::Fields& fields);

/// A single answer on the wire: JSON, or a problem document.
http::Response to_response(const Message& message, const Answer& answer);

/// Appends the answer as an item of an array: the same members and "status".
void append_item(std::string& to, const Message& message, const Answer& answer);

}  // namespace twophase::participants
