// A transaction as clients and operators see it, live or read back from the log.
#pragma once

#include "coordinator/service.hpp"
#include "http/json.hpp"
#include "http/message.hpp"

#include <string>
#include <vector>

namespace twophase::coordinator {

/// What is durably known, and for a live one how far it is. Never tells a decision before it is
/// durable.
struct View {
    Gid gid{};
    const Started* started = nullptr;  // nullptr when it can't be read
    std::string state;
    std::optional<Decision> decision;
    Why why;
    bool is_heuristic = false;
    std::size_t dead_letters = 0;
    std::string damage;
    std::string branches_text = "[]";  // JSON text: every client hears it, few need it as a tree
    std::string refused_code;          // what the branch that refused called it
    /// Participants that it can't end without and that are not configured: nothing is sent to them.
    std::vector<std::string> not_configured;
};

/// `found` must outlive the view. `configured`: empty where nobody knows who is.
View view_of(const Gid& gid, const Found& found, const Participants& configured = {});
/// The same without the text of its branches: what a line of a listing needs.
View summary_of(const Gid& gid, const Found& found, const Participants& configured = {});

/// The answer of POST /v1/transactions: gid, state, decision, success, idempotent, message,
/// branches. JSON text, its members in alphabetical order.
std::string outcome_text(const View& view, bool is_repeat);
/// 200, 409 or 202 (with where and when to ask again), as far as the transaction is. `next`: what
/// may be tried under its key.
http::Response outcome_response(const View& view,
                                bool is_repeat,
                                bool is_satisfied,
                                const std::optional<NextAttempt>& next);
/// Adds to a refusal which attempt may follow and when: the members `next_attempt` and
/// `next_attempt_possible`, and Retry-After where it isn't possible yet.
void name_next_attempt(http::Json& members, const NextAttempt& next);
void add_retry_after(http::Response& response, const std::optional<NextAttempt>& next);
/// One line of a listing.
http::Json item_json(const View& view);
/// Everything: the outcome's members, the key, and the timeline of its records.
http::Json details_json(const View& view, const wal::StoredTransaction* stored);

}  // namespace twophase::coordinator
