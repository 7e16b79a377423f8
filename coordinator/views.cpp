#include "coordinator/views.hpp"

#include "coordinator/protocol/modes.hpp"
#include "coordinator/record_json.hpp"
#include "http/instant.hpp"
#include "http/json_text.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Json;
using http::ObjectText;

Json tree(std::string_view text) { return Json::parse(text, nullptr, false); }

/// What is told of one branch: what is durable; of a live one also what a crash would forget, as
/// such.
struct BranchFacts {
    BranchIndex index = 0;
    const BranchRequest* request = nullptr;
    const FoldedBranch* known = nullptr;
    std::optional<How> how;
    const SharedText* result = nullptr;
    const LiveBranch* live = nullptr;
    bool is_owed = false;      // it ended by hand, and its participant is told the decision
    bool is_stranded = false;  // it needs a participant that is not configured
};

/// What `verb` is while it is asked or told.
const char* under_way(Verb verb) {
    switch (verb) {
        case Verb::prepare: return "preparing";
        case Verb::execute: return "executing";
        case Verb::commit: return "committing";
        case Verb::rollback: return "rolling_back";
        case Verb::compensate: return "compensating";
    }
    return "?";
}

std::string branch_state(const BranchFacts& branch, Mode mode, std::optional<Decision> decision) {
    if (branch.how) return std::string(to_text(*branch.how));
    if (branch.live != nullptr && branch.live->is_contradicted) return "needs_attention";
    const Vote vote = branch.known->vote.vote;
    if (decision) {
        if (branch.live != nullptr && branch.live->closing) return "compensating";
        const auto left = delivery(mode, *decision, branch.index, vote);
        if (left) return under_way(*left);
    } else if (vote == Vote::none) {
        const bool waits = branch.live != nullptr && !branch.live->is_asked;
        return waits ? "waiting" : under_way(asking_verb(mode));
    }
    return std::string(to_text(vote));
}

/// What undoing gave, apart from what executing gave.
bool is_undone(const BranchFacts& branch) {
    return branch.how && *branch.how != How::executed && *branch.how != How::committed &&
           *branch.how != How::rolled_back;
}

/// What is seen of a branch and stands in no record yet: a crash forgets it. Empty: nothing.
std::string progress_of(const BranchFacts& branch) {
    if (branch.live == nullptr || branch.how) return {};
    const LiveBranch& live = *branch.live;
    const bool is_answered =
        live.vote.vote != branch.known->vote.vote && live.vote.vote != Vote::unasked;
    const bool is_tried = live.attempts > 0 && live.attempts != branch.known->failed_attempts;
    if (!is_answered && !is_tried) return {};
    std::string text;
    ObjectText object(text);
    if (is_answered) object.text("answered", to_text(live.vote.vote));
    if (live.attempts > 0) object.number("attempts", live.attempts);
    if (is_answered && !live.vote.code.empty()) object.text("code", live.vote.code);
    if (!live.last_error.empty()) object.text("last_error", live.last_error);
    if (is_answered && !live.vote.message.empty()) object.text("message", live.vote.message);
    object.close();
    return text;
}

// Members in alphabetical order, here and in outcome_text, as everywhere.
void append_branch(std::string& to,
                   const BranchFacts& branch,
                   Mode mode,
                   std::optional<Decision> decision) {
    const BranchVote& vote = branch.known->vote;
    const bool undone = is_undone(branch);
    const SharedText& done = undone || branch.result->empty() ? vote.result : *branch.result;
    ObjectText object(to);
    if (branch.known->failed_attempts > 0) object.number("attempts", branch.known->failed_attempts);
    object.text("branch_id", branch.request->branch_id);
    if (!vote.code.empty()) object.text("code", vote.code);
    if (undone && !branch.result->empty()) object.raw("compensation", *branch.result);
    // Of one that was delivered in the end they are history: the timeline has them.
    const bool is_failing = !branch.how || *branch.how == How::dead_letter;
    if (is_failing && branch.known->failed_attempts > 0)
        object.text("last_error",
                    branch.known->failure_code + ": " + branch.known->failure_message);
    if (decision && mode == Mode::eventual && branch.index > 0)
        object.number("max_retries", tries_of(*branch.request) - 1);
    if (!vote.message.empty()) object.text("message", vote.message);
    if (branch.is_stranded) object.raw("not_configured", "true");
    if (const std::string progress = progress_of(branch); !progress.empty())
        object.raw("not_durable", progress);
    object.text("operation", branch.request->operation);
    object.text("participant", branch.request->participant);
    if (!done.empty()) object.raw("result", done);
    object.text("state", branch_state(branch, mode, decision));
    if (branch.is_owed) object.text("still_told", to_text(*decision));
    object.close();
}

/// Appends one branch of the view after another to its text.
class BranchList {
public:
    BranchList(View& view, Mode mode) : view_(view), mode_(mode) { view.branches_text.pop_back(); }

    void add(const BranchFacts& branch) {
        if (branch.index > 0) view_.branches_text += ',';
        append_branch(view_.branches_text, branch, mode_, view_.decision);
    }
    void close() { view_.branches_text += ']'; }

private:
    View& view_;
    Mode mode_;
};

std::string state_of(Mode mode, std::optional<Decision> decision, bool is_completed) {
    if (!decision) return under_way(asking_verb(mode));
    if (*decision == Decision::commit) return is_completed ? "committed" : "committing";
    if (is_completed) return "rolled_back";
    return mode == Mode::two_phase ? "rolling_back" : "compensating";
}

/// A branch that needs a participant which isn't configured: nothing is sent to it.
bool is_stranded(const Transaction& t, BranchIndex i, const Participants& configured) {
    return !configured.empty() && t.needs_participant(i) &&
           !configured.contains(t.started().branches[i].participant);
}

void fill_live(View& view, const Transaction& t, const Participants& configured) {
    for (BranchIndex i = 0; i < t.live.size(); ++i) {
        if (!is_stranded(t, i, configured)) continue;
        std::string name(t.started().branches[i].participant);
        std::vector<std::string>& all = view.not_configured;
        if (std::ranges::find(all, name) == all.end()) all.push_back(std::move(name));
    }
    view.started = &t.started();
    view.decision = t.folded.decision;
    view.why = t.folded.why;
    view.damage = std::string(t.damage);
    view.is_heuristic = t.folded.is_heuristic();
    view.dead_letters = t.dead_letters();
    view.state = t.needs_attention() ? "needs_attention"
                                     : state_of(t.mode(), view.decision, t.is_completed());
    if (view.why.branch && *view.why.branch < t.folded.branches.size())
        view.refused_code = t.folded.branches[*view.why.branch].vote.code;
}

void list_live(View& view, const Transaction& t, const Participants& configured) {
    BranchList list(view, t.mode());
    for (BranchIndex i = 0; i < t.live.size(); ++i)
        list.add({.index = i,
                  .request = &t.started().branches[i],
                  .known = &t.folded.branches[i],
                  .how = t.told_end(i),
                  .result = &t.live[i].result,
                  .live = &t.live[i],
                  .is_owed = t.is_owed(i) && t.told_end(i),
                  .is_stranded = is_stranded(t, i, configured)});
    list.close();
}

void fill_folded(View& view, const Folded& folded, const std::string& damage) {
    view.damage = damage;
    view.is_heuristic = folded.is_heuristic();
    if (folded.is_started) view.started = &folded.started;
    if (!damage.empty()) {
        view.state = "needs_attention";
        return;
    }
    view.decision = folded.decision;
    view.why = folded.why;
    view.state = state_of(folded.started.mode, view.decision, folded.is_delivered());
    if (view.why.branch && *view.why.branch < folded.branches.size())
        view.refused_code = folded.branches[*view.why.branch].vote.code;
}

void list_folded(View& view, const Folded& folded) {
    const Mode mode = folded.started.mode;
    BranchList list(view, mode);
    for (BranchIndex i = 0; i < folded.branches.size(); ++i)
        list.add({.index = i,
                  .request = &folded.started.branches[i],
                  .known = &folded.branches[i],
                  .how = folded.branches[i].how,
                  .result = &folded.branches[i].result});
    list.close();
}

std::string message_of_commit(const View& view) {
    if (view.state != "committed")
        return "decided to commit; it is being delivered to every branch";
    if (view.dead_letters == 0) return "committed";
    return "committed, but " + std::to_string(view.dead_letters) +
           " of its deliveries failed too often and wait for a person (recoveryctl show)";
}

std::string message_of_state(const View& view) {
    if (!view.damage.empty()) return "its records need a person's attention: " + view.damage;
    if (view.state == "needs_attention" && !view.decision)
        return "its log was restored from a backup that does not know the decision; a person must "
               "decide (recoveryctl show)";
    if (view.state == "needs_attention")
        return "a participant can't follow the decision; a person must decide (recoveryctl show)";
    const Mode mode = view.started != nullptr ? view.started->mode : Mode::two_phase;
    if (!view.decision)
        return mode == Mode::two_phase ? "votes are being collected; ask again at Location"
                                       : "being executed; ask again at Location";
    if (*view.decision == Decision::commit) return message_of_commit(view);
    if (view.why.branch && view.started != nullptr) {
        const BranchRequest& branch = view.started->branches.at(*view.why.branch);
        const std::string name = "branch " + branch.branch_id + " (" + branch.participant + ")";
        if (view.why.code == "refused")
            return "rolled back: " + name + " refused: " + view.why.message;
        return "rolled back: " + name + " gave no answer in time; " +
               (mode == Mode::two_phase ? "nothing was changed"
                                        : "what was executed is compensated");
    }
    return "rolled back: " + view.why.message;
}

/// What happened and what to do.
std::string message_of(const View& view) {
    std::string text = message_of_state(view);
    for (const std::string& name : view.not_configured) text += "; " + not_configured_text(name);
    return text;
}

/// The branch that a rollback is due to, for clients that act on it.
void append_why(ObjectText& object, const View& view) {
    if (view.decision != Decision::rollback) return;
    object.text("reason", view.why.code);
    if (!view.why.branch || view.started == nullptr) return;
    const SharedText& branch_id = view.started->branches.at(*view.why.branch).branch_id;
    if (view.why.code != "refused") return object.text("silent_branch", branch_id);
    object.text("refused_branch", branch_id);
    if (!view.refused_code.empty()) object.text("refused_code", view.refused_code);
}

}  // namespace

View summary_of(const Gid& gid, const Found& found, const Participants& configured) {
    View view{.gid = gid};
    if (found.live != nullptr)
        fill_live(view, *found.live, configured);
    else if (found.folded)
        fill_folded(view, *found.folded, found.damage);
    return view;
}

View view_of(const Gid& gid, const Found& found, const Participants& configured) {
    View view = summary_of(gid, found, configured);
    if (found.live != nullptr)
        list_live(view, *found.live, configured);
    else if (found.folded && found.damage.empty())
        list_folded(view, *found.folded);
    return view;
}

std::string outcome_text(const View& view, bool is_repeat) {
    std::string text;
    ObjectText object(text);
    object.raw("branches", view.branches_text);
    if (view.dead_letters > 0) object.number("dead_letters", view.dead_letters);
    if (view.decision)
        object.text("decision", to_text(*view.decision));
    else
        object.raw("decision", "null");
    object.text("gid", to_text(view.gid));
    if (view.is_heuristic) object.raw("heuristic", "true");
    object.raw("idempotent", is_repeat ? "true" : "false");
    object.text("message", message_of(view));
    append_why(object, view);
    object.text("state", view.state);
    object.raw("success", view.decision == Decision::commit ? "true" : "false");
    object.close();
    return text;
}

void name_next_attempt(Json& members, const NextAttempt& next) {
    members["next_attempt"] = next.number;
    members["next_attempt_possible"] = next.is_possible;
}

void add_retry_after(http::Response& response, const std::optional<NextAttempt>& next) {
    if (next && !next->is_possible) response.headers.push_back({"Retry-After", "1"});
}

http::Response outcome_response(const View& view,
                                bool is_repeat,
                                bool is_satisfied,
                                const std::optional<NextAttempt>& next) {
    std::string text = outcome_text(view, is_repeat);
    if (view.decision == Decision::rollback) {
        Json members = tree(text);
        if (next) name_next_attempt(members, *next);
        http::Response response =
            http::problem(409, "transaction-rolled-back", message_of(view), std::move(members));
        add_retry_after(response, next);
        return response;
    }
    http::Response response{
        .status = 200, .body = std::move(text), .content_type = "application/json", .headers = {}};
    if (view.decision == Decision::commit && is_satisfied && view.damage.empty()) return response;
    response.status = 202;
    response.headers.push_back({"Location", "/v1/transactions/" + to_text(view.gid)});
    response.headers.push_back({"Retry-After", "1"});
    return response;
}

Json item_json(const View& view) {
    Json json{{"gid", to_text(view.gid)},
              {"state", view.state},
              {"decision", nullptr},
              {"created_at", http::instant_text(milliseconds_of(view.gid) * 1'000)}};
    if (view.decision) json["decision"] = to_text(*view.decision);
    if (view.is_heuristic) json["heuristic"] = true;
    if (view.dead_letters > 0) json["dead_letters"] = view.dead_letters;
    if (!view.damage.empty()) json["damage"] = view.damage;
    if (!view.not_configured.empty()) json["not_configured"] = view.not_configured;
    if (view.started == nullptr) return json;
    json["mode"] = to_text(view.started->mode);
    json["business_code"] = view.started->key.code;
    json["business_id"] = view.started->key.id;
    json["attempt"] = view.started->key.attempt;
    json["participants"] = Json::array();
    for (const BranchRequest& branch : view.started->branches)
        json["participants"].push_back(branch.participant);
    return json;
}

Json details_json(const View& view, const wal::StoredTransaction* stored) {
    Json json = tree(outcome_text(view, false));
    json.erase("idempotent");
    json.update(item_json(view));
    json["timeline"] = Json::array();
    if (stored == nullptr) return json;
    for (const wal::StoredRecord& record : stored->records) {
        const auto stamped = decode(view.gid, record.payload);
        // What an earlier build wrote in JSON says something even where it isn't understood.
        Json entry = tree(stamped ? json_of(*stamped) : record.payload);
        // Ids may run ahead of the clock: each start begins above all that the last one minted.
        if (stamped && record.n == 0)
            json["created_at"] = http::instant_text(stamped->at_microseconds);
        if (!entry.is_object()) entry = Json{{"unreadable", true}};
        entry["n"] = record.n;
        json["timeline"].push_back(std::move(entry));
    }
    return json;
}

}  // namespace twophase::coordinator
