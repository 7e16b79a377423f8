#include "coordinator/dead_letters.hpp"

#include "coordinator/operator_api.hpp"
#include "coordinator/protocol/modes.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

namespace twophase::coordinator {
namespace {

using http::Json;

constexpr std::size_t largest_page = 500;
constexpr std::size_t most_looked_at = 10'000;  // in one request: it shares the loop with payments

struct Filter {
    std::string participant;
    std::optional<Gid> after;
    std::size_t limit = 100;
};

std::optional<http::Response> read_filter(const http::Request& request, Filter& filter) {
    for (const auto& [name, value] : request.query) {
        if (name == "participant") {
            filter.participant = value;
        } else if (name == "after") {
            filter.after = parse_gid(value);
            if (!filter.after) return http::problem({name, "a gid"});
        } else if (name == "limit") {
            const auto limit = parse_limit(value, largest_page);
            if (!limit) return http::problem({name, "a whole number from 1 to 500"});
            filter.limit = *limit;
        } else {
            return http::problem({name, "no such query parameter"});
        }
    }
    return std::nullopt;
}

Json item_json(const Transaction& t, BranchIndex index) {
    const BranchRequest& branch = t.started().branches[index];
    const BusinessKey& key = t.started().key;
    const FoldedBranch& failure = t.folded.branches[index];
    return {{"gid", to_text(t.started().gid)},
            {"branch_id", branch.branch_id},
            {"participant", branch.participant},
            {"operation", branch.operation},
            {"payload", Json::parse(std::string_view(branch.payload), nullptr, false)},
            {"business_code", key.code},
            {"business_id", key.id},
            {"attempts", failure.failed_attempts},
            {"max_retries", tries_of(branch) - 1},
            {"last_error", failure.failure_code + ": " + failure.failure_message}};
}

}  // namespace

http::Response list_dead_letters(const Service& service, const http::Request& request) {
    Filter filter;
    if (auto refusal = read_filter(request, filter)) return *std::move(refusal);
    const Protocol::Transactions& live = service.core().transactions();
    Json items = Json::array();
    Json next = nullptr;
    std::size_t looked_at = 0;
    auto at = filter.after ? live.upper_bound(*filter.after) : live.begin();
    for (; at != live.end(); ++at) {
        if (items.size() >= filter.limit || looked_at == most_looked_at) {
            next = to_text(std::prev(at)->first);
            break;
        }
        ++looked_at;
        const Transaction& t = at->second;
        for (BranchIndex i = 0; i < t.live.size(); ++i) {
            // Only what is durably so: a crash must not take back what a person was told.
            if (t.folded.branches.size() <= i || t.folded.branches[i].how != How::dead_letter)
                continue;
            const SharedText& participant = t.started().branches[i].participant;
            if (!filter.participant.empty() && participant != filter.participant) continue;
            items.push_back(item_json(t, i));
            const Participants& all = service.config().participants;
            if (!all.empty() && !all.contains(participant)) items.back()["not_configured"] = true;
        }
    }
    return http::json_response({{"items", std::move(items)}, {"next", std::move(next)}});
}

}  // namespace twophase::coordinator
