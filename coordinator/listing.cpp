#include "coordinator/listing.hpp"

#include "coordinator/operator_api.hpp"
#include "coordinator/record_codec.hpp"
#include "coordinator/views.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace twophase::coordinator {
namespace {

using http::Json;

constexpr std::size_t largest_page = 500;
constexpr std::size_t log_page = 100;
constexpr std::size_t most_looked_at = 1'000;  // in one request: it shares the loop with payments

/// What a dead letter waits in is not over.
bool is_over(const View& view) {
    return (view.state == "committed" || view.state == "rolled_back") && view.dead_letters == 0;
}

struct Filter {
    std::string state;
    std::string participant;
    std::string business_code;
    std::string business_id;
    std::optional<Gid> before;
    std::size_t limit = 100;

    bool admits(const View& view) const {
        if (state == "unfinished" && is_over(view)) return false;
        if (!state.empty() && state != "unfinished" && view.state != state) return false;
        if (participant.empty() && business_code.empty() && business_id.empty()) return true;
        if (view.started == nullptr) return false;
        if (!business_code.empty() && view.started->key.code != business_code) return false;
        if (!business_id.empty() && view.started->key.id != business_id) return false;
        return participant.empty() ||
               std::ranges::any_of(view.started->branches, [&](const BranchRequest& branch) {
                   return branch.participant == participant;
               });
    }
};

std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::optional<http::Response> read_filter(const http::Request& request, Filter& filter) {
    static const std::set<std::string> states = {"preparing",
                                                 "executing",
                                                 "committing",
                                                 "rolling_back",
                                                 "compensating",
                                                 "committed",
                                                 "rolled_back",
                                                 "needs_attention",
                                                 "unfinished"};
    for (const auto& [name, value] : request.query) {
        if (name == "state") {
            if (!states.contains(value)) return http::problem({name, "one of " + joined(states)});
            filter.state = value;
        } else if (name == "participant") {
            filter.participant = value;
        } else if (name == "business_code") {
            filter.business_code = value;
        } else if (name == "business_id") {
            filter.business_id = value;
        } else if (name == "before") {
            filter.before = parse_gid(value);
            if (!filter.before) return http::problem({name, "a gid"});
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

/// Only the core's transactions can be in such a state.
bool is_only_live(const std::string& state) {
    static const std::set<std::string> ends = {"", "committed", "rolled_back", "needs_attention"};
    return !ends.contains(state);
}

/// Merges the core's transactions and the log's, both newest first.
class Listing {
public:
    Listing(const Service& service, const Filter& filter) : service_(service), filter_(filter) {}

    Json run() {
        if (!filter_.business_code.empty() && !filter_.business_id.empty()) return by_key();
        const auto& live = service_.core().transactions();
        auto upper = filter_.before ? live.lower_bound(*filter_.before) : live.end();
        live_ = std::make_reverse_iterator(upper);
        std::optional<Gid> before = filter_.before;
        while (!is_full() && !is_only_live(filter_.state)) {
            const auto page = service_.log().list(before, log_page);
            for (const auto& stored : page) {
                take_live_above(stored.gid);
                if (is_full()) break;
                take(stored);
            }
            if (page.size() < log_page) break;
            before = page.back().gid;
        }
        if (!is_full()) take_live_above(Gid{});
        return result();
    }

private:
    /// A key's attempts are few and indexed.
    Json by_key() {
        const auto entries =
            service_.log().find_attempts(filter_.business_code, filter_.business_id);
        for (auto entry = entries.rbegin(); entry != entries.rend() && !is_full(); ++entry) {
            if (entry->damaged)
                items_.push_back({{"state", "needs_attention"},
                                  {"attempt", entry->key.attempt},
                                  {"damage", "the entry of its business key fails its checksum"}});
            else if (!filter_.before || entry->gid < *filter_.before)
                take(entry->gid);
        }
        return result();
    }

    void take_live_above(const Gid& gid) {
        const auto end = service_.core().transactions().rend();
        for (; live_ != end && !is_full(); ++live_) {
            if (live_->first < gid) return;
            // Until its start is durable a gid is nobody's to know.
            const bool is_told =
                live_->second.folded.is_started || live_->second.phase == Phase::damaged;
            if (live_->first != gid && is_told) take(live_->first);
        }
    }

    void take(const Gid& gid) { take(gid, service_.find(gid)); }

    void take(const wal::StoredTransaction& stored) {
        const Transaction* live = service_.core().find(stored.gid);
        if (live == nullptr) return take(stored.gid, read_back(stored));
        take(stored.gid,
             {.live = live, .folded = std::nullopt, .damage = std::string(live->damage)});
    }

    void take(const Gid& gid, const Found& found) {
        last_ = gid;
        ++looked_at_;
        const View view = view_of(gid, found);
        if (filter_.admits(view)) items_.push_back(item_json(view));
    }

    bool is_full() const { return items_.size() >= filter_.limit || looked_at_ >= most_looked_at; }

    Json result() {
        Json next = nullptr;
        if (is_full() && last_) next = to_text(*last_);
        return {{"items", std::move(items_)}, {"next", std::move(next)}};
    }

    const Service& service_;
    const Filter& filter_;
    Protocol::Transactions::const_reverse_iterator live_;
    Json items_ = Json::array();
    std::optional<Gid> last_;
    std::size_t looked_at_ = 0;
};

}  // namespace

std::optional<std::size_t> parse_limit(const std::string& text, std::size_t most) {
    std::size_t limit = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    if (limit < 1 || limit > most) return std::nullopt;
    return limit;
}

http::Response list_transactions(const Service& service, const http::Request& request) {
    Filter filter;
    if (auto refusal = read_filter(request, filter)) return *std::move(refusal);
    return http::json_response(Listing(service, filter).run());
}

}  // namespace twophase::coordinator
