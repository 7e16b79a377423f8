#include "coordinator/views.hpp"

#include "http/problem.hpp"

#include <string_view>

namespace twophase::coordinator {
namespace {

using http::Json;

Json tree(const std::string& text) { return Json::parse(text, nullptr, false); }

/// What is told of one branch: of a live one its votes and errors too.
struct BranchFacts {
    const BranchRequest* request = nullptr;
    BranchVote vote;
    std::optional<How> how;
    std::string result;
    const LiveBranch* live = nullptr;
};

std::string branch_state(const BranchFacts& branch, const std::optional<Decision>& decision) {
    if (branch.how) return std::string(to_text(*branch.how));
    if (branch.vote.vote == Vote::read_only) return "read_only";
    if (branch.live != nullptr && branch.live->is_contradicted) return "needs_attention";
    if (decision) return *decision == Decision::commit ? "committing" : "rolling_back";
    return branch.vote.vote == Vote::none ? "preparing" : std::string(to_text(branch.vote.vote));
}

Json branch_json(const BranchFacts& branch, const std::optional<Decision>& decision) {
    Json json{{"branch_id", branch.request->branch_id},
              {"participant", branch.request->participant},
              {"operation", branch.request->operation},
              {"state", branch_state(branch, decision)}};
    if (!branch.result.empty())
        json["result"] = tree(branch.result);
    else if (!branch.vote.result.empty())
        json["result"] = tree(branch.vote.result);
    if (!branch.vote.code.empty()) json["code"] = branch.vote.code;
    if (!branch.vote.message.empty()) json["message"] = branch.vote.message;
    if (branch.live != nullptr && !branch.live->last_error.empty()) {
        json["attempts"] = branch.live->attempts;
        json["last_error"] = branch.live->last_error;
    }
    return json;
}

std::string decided_state(Decision decision, bool is_delivered) {
    if (decision == Decision::commit) return is_delivered ? "committed" : "committing";
    return is_delivered ? "rolled_back" : "rolling_back";
}

void fill_live(View& view, const Transaction& t) {
    view.started = &t.started();
    view.decision = t.folded.decision;
    view.why = t.folded.why;
    view.damage = t.damage;
    view.is_heuristic = t.folded.is_heuristic();
    view.state = t.needs_attention() ? "needs_attention"
                 : view.decision     ? decided_state(*view.decision, t.phase == Phase::finishing)
                                     : "preparing";
    for (BranchIndex i = 0; i < t.live.size(); ++i)
        view.branches.push_back(branch_json({.request = &t.started().branches[i],
                                             .vote = t.live[i].vote,
                                             .how = t.live[i].how,
                                             .result = t.live[i].result,
                                             .live = &t.live[i]},
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
    view.state = view.decision ? decided_state(*view.decision, folded.is_delivered()) : "preparing";
    for (BranchIndex i = 0; i < folded.branches.size(); ++i)
        view.branches.push_back(branch_json({.request = &folded.started.branches[i],
                                             .vote = folded.branches[i].vote,
                                             .how = folded.branches[i].how,
                                             .result = folded.branches[i].result},
                                            view.decision));
}

/// One sentence on what happened and what to do.
std::string message_of(const View& view) {
    if (!view.damage.empty()) return "its records need a person's attention: " + view.damage;
    if (view.state == "needs_attention" && !view.decision)
        return "its log was restored from a backup that does not know the decision; a person must "
               "decide (recoveryctl show)";
    if (view.state == "needs_attention")
        return "a participant can't follow the decision; a person must decide (recoveryctl show)";
    if (!view.decision) return "votes are being collected; ask again at Location";
    if (*view.decision == Decision::commit)
        return view.state == "committed"
                   ? "committed"
                   : "decided to commit; it is being delivered to every branch";
    if (view.why.branch && view.started != nullptr) {
        const BranchRequest& branch = view.started->branches.at(*view.why.branch);
        const std::string name = "branch " + branch.branch_id + " (" + branch.participant + ")";
        if (view.why.code == "refused")
            return "rolled back: " + name + " refused: " + view.why.message;
        return "rolled back: " + name + " gave no vote in time; nothing was changed";
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
