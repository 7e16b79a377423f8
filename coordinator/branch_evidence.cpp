#include "coordinator/branch_evidence.hpp"

#include "coordinator/operator_api.hpp"
#include "coordinator/references.hpp"
#include "http/problem.hpp"

#include <optional>

namespace twophase::coordinator {
namespace {

using http::Json;

constexpr std::size_t most_payload = std::size_t{1} << 20;

/// What is durable; nullptr where nothing is, or it can't be read.
const Folded* durable(const Found& found) {
    if (!found.damage.empty()) return nullptr;
    if (found.live != nullptr) return found.live->folded.is_started ? &found.live->folded : nullptr;
    return found.folded ? &*found.folded : nullptr;
}

std::optional<BranchIndex> index_of(const Folded& folded, std::string_view branch_id) {
    for (BranchIndex i = 0; i < folded.branches.size(); ++i)
        if (folded.started.branches[i].branch_id == branch_id) return i;
    return std::nullopt;
}

Json tree(std::string_view text) {
    return text.empty() ? Json() : Json::parse(text, nullptr, false);
}

Json request_of(const Folded& folded, BranchIndex index) {
    const BranchRequest& branch = folded.started.branches[index];
    const auto result_of = [&](std::string_view branch_id) -> std::string_view {
        const auto other = index_of(folded, branch_id);
        return other ? std::string_view(folded.branches[*other].vote.result) : std::string_view();
    };
    FilledPayload filled = with_results(branch.payload, result_of, most_payload);
    const std::string payload =
        filled.objection.empty() ? std::move(filled.text) : std::string(branch.payload);
    return {{"operation", branch.operation},
            {"payload", tree(payload)},
            {"business_code", folded.started.key.code},
            {"business_id", folded.started.key.id}};
}

Json evidence_of(const Service& service, const Folded& folded, BranchIndex index) {
    const FoldedBranch& known = folded.branches[index];
    const LogGuard::Own& own = service.guard().own();
    Json json = request_of(folded, index);
    json.update({{"coordinator", service.config().id},
                 {"log", to_text(own.log)},
                 {"gid", to_text(folded.started.gid)},
                 {"branch_id", folded.started.branches[index].branch_id},
                 {"participant", folded.started.branches[index].participant},
                 {"mode", to_text(folded.started.mode)},
                 {"decision", nullptr},
                 {"end", nullptr},
                 {"vote", to_text(known.vote.vote)},
                 {"prepare_id", known.vote.prepare_id},
                 {"result", tree(known.vote.result)},
                 {"end_result", tree(known.result)}});
    if (folded.decision) json["decision"] = to_text(*folded.decision);
    if (known.how) json["end"] = to_text(*known.how);
    return json;
}

}  // namespace

http::Response show_branch(const Service& service, const http::Request& request) {
    const auto gid = parse_gid(request.parameter("gid"));
    if (!gid) return bad_gid();
    if (service.log_state() == LogState::behind)
        return http::problem(503, "log-closed", service.log_detail());
    const Found found = service.find(*gid);
    const Folded* folded = durable(found);
    if (folded == nullptr && !found.damage.empty())
        return http::problem(409, "damaged", "the log can't read this transaction either");
    if (folded == nullptr) return unknown_gid(*gid);
    const auto index = index_of(*folded, request.parameter("branch_id"));
    if (!index)
        return http::problem(404, "unknown-branch", "the transaction has no branch of this id");
    return http::json_response(evidence_of(service, *folded, *index));
}

Json request_of_branch(const Service& service, const Gid& gid, std::string_view branch_id) {
    const Found found = service.find(gid);
    const Folded* folded = durable(found);
    const auto index = folded == nullptr ? std::nullopt : index_of(*folded, branch_id);
    return index ? request_of(*folded, *index) : Json::object();
}

}  // namespace twophase::coordinator
