#include "coordinator/dead_letters.hpp"

#include "coordinator/operator_api.hpp"
#include "coordinator/protocol/modes.hpp"
#include "http/json.hpp"
#include "http/json_text.hpp"
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

/// As text: the payload is shown as it was sent, and no tree is built on the loop.
void append_item(std::string& to, const Transaction& t, BranchIndex index, bool is_configured) {
    const BranchRequest& branch = t.started().branches[index];
    const BusinessKey& key = t.started().key;
    const FoldedBranch& failure = t.folded.branches[index];
    http::ObjectText object(to);
    object.number("attempts", failure.failed_attempts);
    object.text("branch_id", branch.branch_id);
    object.text("business_code", key.code);
    object.text("business_id", key.id);
    object.text("gid", to_text(t.started().gid));
    object.text("last_error", failure.failure_code + ": " + failure.failure_message);
    object.number("max_retries", tries_of(branch) - 1);
    if (!is_configured) object.raw("not_configured", "true");
    object.text("operation", branch.operation);
    object.text("participant", branch.participant);
    object.raw("payload", branch.payload);
    object.close();
}

}  // namespace

http::Response list_dead_letters(const Service& service, const http::Request& request) {
    Filter filter;
    if (auto refusal = read_filter(request, filter)) return *std::move(refusal);
    const Protocol::Transactions& live = service.core().transactions();
    const Participants& configured = service.config().participants;
    std::string items;
    std::size_t count = 0;
    Json next = nullptr;
    std::size_t looked_at = 0;
    auto at = filter.after ? live.upper_bound(*filter.after) : live.begin();
    for (; at != live.end(); ++at) {
        if (count >= filter.limit || looked_at == most_looked_at) {
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
            if (count++ > 0) items += ',';
            append_item(items, t, i, configured.empty() || configured.contains(participant));
        }
    }
    return {.status = 200,
            .body = R"({"items":[)" + items + R"(],"next":)" + next.dump() + "}",
            .content_type = "application/json",
            .headers = {}};
}

}  // namespace twophase::coordinator
