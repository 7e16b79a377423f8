#include "coordinator/views.hpp"

#include "coordinator/protocol/modes.hpp"
#include "http/problem.hpp"

#include <string_view>

namespace twophase::coordinator {
namespace {

using http::Json;

Json tree(const std::string& text) { return Json::parse(text, nullptr, false); }

/// What is told of one branch: of a live one its votes and errors too.
struct BranchFacts {
    BranchIndex index = 0;
    const BranchRequest* request = nullptr;
    BranchVote vote;
    std::optional<How> how;
    std::string result;
    std::uint32_t attempts = 0;  // unclear answers, or tries that failed
    std::string last_error;
    const LiveBranch* live = nullptr;
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
    const Vote vote = branch.vote.vote;
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

/// What executing gave, and apart from it what undoing that gave.
void add_results(Json& json, const BranchFacts& branch) {
    const bool is_undone = branch.how && *branch.how != How::executed &&
                           *branch.how != How::committed && *branch.how != How::rolled_back;
    const std::string& done =
        is_undone || branch.result.empty() ? branch.vote.result : branch.result;
    if (!done.empty()) json["result"] = tree(done);
    if (is_undone && !branch.result.empty()) json["compensation"] = tree(branch.result);
}

Json branch_json(const BranchFacts& branch, Mode mode, std::optional<Decision> decision) {
    Json json{{"branch_id", branch.request->branch_id},
              {"participant", branch.request->participant},
              {"operation", branch.request->operation},
              {"state", branch_state(branch, mode, decision)}};
    add_results(json, branch);
    if (!branch.vote.code.empty()) json["code"] = branch.vote.code;
    if (!branch.vote.message.empty()) json["message"] = branch.vote.message;
    if (branch.attempts > 0) json["attempts"] = branch.attempts;
    if (!branch.last_error.empty()) json["last_error"] = branch.last_error;
    if (decision && mode == Mode::eventual && branch.index > 0)
        json["max_retries"] = tries_of(*branch.request) - 1;
    return json;
}

std::string state_of(Mode mode, std::optional<Decision> decision, bool is_completed) {
    if (!decision) return under_way(asking_verb(mode));
    if (*decision == Decision::commit) return is_completed ? "committed" : "committing";
    if (is_completed) return "rolled_back";
    return mode == Mode::two_phase ? "rolling_back" : "compensating";
}

void fill_live(View& view, const Transaction& t) {
    view.started = &t.started();
    view.decision = t.folded.decision;
    view.why = t.folded.why;
    view.damage = t.damage;
    view.is_heuristic = t.folded.is_heuristic();
    view.dead_letters = t.dead_letters();
    view.state = t.needs_attention() ? "needs_attention"
                                     : state_of(t.mode(), view.decision, t.is_completed());
    for (BranchIndex i = 0; i < t.live.size(); ++i)
        view.branches.push_back(branch_json({.index = i,
                                             .request = &t.started().branches[i],
                                             .vote = t.live[i].vote,
                                             .how = t.live[i].how,
                                             .result = t.live[i].result,
                                             .attempts = t.live[i].attempts,
                                             .last_error = t.live[i].last_error,
                                             .live = &t.live[i]},
                                            t.mode(),
                                            view.decision));
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
    const Mode mode = folded.started.mode;
    view.state = state_of(mode, view.decision, folded.is_delivered());
    for (BranchIndex i = 0; i < folded.branches.size(); ++i)
        view.branches.push_back(branch_json({.index = i,
                                             .request = &folded.started.branches[i],
                                             .vote = folded.branches[i].vote,
                                             .how = folded.branches[i].how,
                                             .result = folded.branches[i].result,
                                             .attempts = folded.branches[i].failed_attempts},
                                            mode,
                                            view.decision));
}

std::string message_of_commit(const View& view) {
    if (view.state != "committed")
        return "decided to commit; it is being delivered to every branch";
    if (view.dead_letters == 0) return "committed";
    return "committed, but " + std::to_string(view.dead_letters) +
           " of its deliveries failed too often and wait for a person (recoveryctl show)";
}

/// One sentence on what happened and what to do.
std::string message_of(const View& view) {
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

/// The branch that a rollback is due to, for clients that act on it.
void add_why(Json& json, const View& view) {
    if (!view.decision || *view.decision != Decision::rollback) return;
    json["reason"] = view.why.code;
    if (!view.why.branch) return;
    const Json& branch = view.branches.at(*view.why.branch);
    if (view.why.code != "refused") {
        json["silent_branch"] = branch["branch_id"];
        return;
    }
    json["refused_branch"] = branch["branch_id"];
    if (branch.contains("code")) json["refused_code"] = branch["code"];
}

}  // namespace

View view_of(const Gid& gid, const Found& found) {
    View view{.gid = gid};
    if (found.live != nullptr)
        fill_live(view, *found.live);
    else if (found.folded)
        fill_folded(view, *found.folded, found.damage);
    return view;
}

Json outcome_json(const View& view, bool is_repeat) {
    Json json{{"gid", to_text(view.gid)},
              {"state", view.state},
              {"decision", nullptr},
              {"success", view.decision == Decision::commit},
              {"idempotent", is_repeat},
              {"message", message_of(view)},
              {"branches", view.branches}};
    if (view.decision) json["decision"] = to_text(*view.decision);
    if (view.is_heuristic) json["heuristic"] = true;
    if (view.dead_letters > 0) json["dead_letters"] = view.dead_letters;
    add_why(json, view);
    return json;
}

http::Response outcome_response(const View& view, bool is_repeat, bool is_satisfied) {
    Json json = outcome_json(view, is_repeat);
    if (view.decision == Decision::rollback) {
        const std::string detail = json["message"];
        return http::problem(409, "transaction-rolled-back", detail, std::move(json));
    }
    if (view.decision == Decision::commit && is_satisfied && view.damage.empty())
        return http::json_response(json);
    http::Response response = http::json_response(json, 202);
    response.headers.push_back({"Location", "/v1/transactions/" + to_text(view.gid)});
    return response;
}

Json item_json(const View& view) {
    Json json{{"gid", to_text(view.gid)},
              {"state", view.state},
              {"decision", nullptr},
              {"created_at_ms", milliseconds_of(view.gid)}};
    if (view.decision) json["decision"] = to_text(*view.decision);
    if (view.is_heuristic) json["heuristic"] = true;
    if (view.dead_letters > 0) json["dead_letters"] = view.dead_letters;
    if (!view.damage.empty()) json["damage"] = view.damage;
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
    Json json = outcome_json(view, false);
    json.erase("idempotent");
    json.update(item_json(view));
    json["timeline"] = Json::array();
    if (stored == nullptr) return json;
    for (const wal::StoredRecord& record : stored->records) {
        Json entry = tree(record.payload);
        if (!entry.is_object()) entry = Json{{"unreadable", true}};
        entry["n"] = record.n;
        json["timeline"].push_back(std::move(entry));
    }
    return json;
}

}  // namespace twophase::coordinator
