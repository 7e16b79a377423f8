#include "coordinator/operation_log.hpp"

#include <map>
#include <string_view>

namespace twophase::coordinator {
namespace {

using http::Json;

std::string step_status(const Json& branch) {
    static const std::map<std::string, const char*, std::less<>> by_state{
        {"executed", "completed"},
        {"committed", "completed"},
        {"read_only", "completed"},
        {"compensating", "compensating"},
        {"rolling_back", "compensating"},
        {"compensated", "compensated"},
        {"rolled_back", "compensated"},
        {"refused", "failed"},
        {"dead_letter", "failed"},
        {"discarded", "failed"},
        {"by_hand", "failed"},
        {"needs_attention", "failed"},
    };
    // A refusal is undone as well, to be on the safe side; it is a failure all the same.
    if (branch.contains("code")) return "failed";
    const auto found = by_state.find(branch["state"].get_ref<const std::string&>());
    return found == by_state.end() ? "pending" : found->second;
}

/// The ids in `result` that the request had not given.
void add_ids(Json& step, const Json& result, const Json& payload, const std::string& prefix) {
    if (!result.is_object()) return;
    for (const auto& [name, value] : result.items())
        if (name.ends_with("_id") && !payload.contains(name)) step[prefix + name] = value;
}

std::string error_of(const Json& branch) {
    if (branch.contains("last_error")) return branch["last_error"];
    if (!branch.contains("code")) return {};
    std::string error = branch["code"];
    if (branch.contains("message")) error += ": " + branch["message"].get<std::string>();
    return error;
}

Json step_json(const Json& branch, const BranchRequest& request) {
    Json step{{"id", branch["branch_id"]},
              {"participant", branch["participant"]},
              {"operation", branch["operation"]},
              {"status", step_status(branch)}};
    const Json payload = Json::parse(std::string_view(request.payload), nullptr, false);
    if (branch.contains("result")) add_ids(step, branch["result"], payload, "");
    if (branch.contains("compensation"))
        add_ids(step, branch["compensation"], payload, "compensation_");
    if (const std::string error = error_of(branch); !error.empty()) step["error"] = error;
    return step;
}

const char* status_of(const View& view, const Json& steps) {
    if (view.state == "needs_attention") return "failed";
    if (!view.decision) return "started";
    if (view.decision == Decision::commit) {
        if (view.dead_letters > 0) return "failed";
        return view.state == "committed" ? "completed" : "started";
    }
    if (view.state != "rolled_back") return "compensating";
    for (const Json& step : steps)
        if (step["status"] == "compensated") return "compensated";
    return "failed";
}

/// Why the operation did not complete: the first step's error, else the decision's reason.
std::string error_of(const View& view, const Json& steps) {
    if (!view.damage.empty()) return view.damage;
    for (const Json& step : steps)
        if (step.contains("error")) return step["error"];
    return view.decision == Decision::rollback ? std::string(view.why.message) : "";
}

}  // namespace

Json operation_json(const View& view) {
    Json steps = Json::array();
    const Json branches = Json::parse(view.branches_text);
    for (std::size_t i = 0; i < branches.size(); ++i)
        steps.push_back(step_json(branches[i], view.started->branches[i]));
    Json json{{"operation_id", to_text(view.gid)},
              {"type", view.started != nullptr ? view.started->key.code : ""},
              {"mode", view.started != nullptr ? to_text(view.started->mode) : ""},
              {"status", status_of(view, steps)},
              {"steps", steps}};
    if (json["status"] != "completed")
        if (const std::string error = error_of(view, steps); !error.empty()) json["error"] = error;
    return json;
}

}  // namespace twophase::coordinator
