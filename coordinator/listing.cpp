#include "coordinator/listing.hpp"

#include "coordinator/operator_api.hpp"
#include "coordinator/record_codec.hpp"
#include "coordinator/views.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>
#include <utility>
#include <vector>

namespace twophase::coordinator {
namespace {

using http::Json;

constexpr std::size_t largest_page = 500;
constexpr std::size_t log_page = 100;
constexpr std::size_t most_looked_at = 1'000;  // of the log's, in one request
constexpr std::size_t most_live = 2'000;       // of the core's: it shares the loop with payments
constexpr std::chrono::milliseconds longest_look{100};

/// What a dead letter waits in is not over.
bool is_over(const View& view) {
    return (view.state == "committed" || view.state == "rolled_back") && view.dead_letters == 0;
}

/// A person has to act, or it never ends.
bool is_urgent(const View& view) {
    return view.state == "needs_attention" || !view.not_configured.empty();
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
        if (state == "urgent" && !is_urgent(view)) return false;
        const bool is_group = state.empty() || state == "unfinished" || state == "urgent";
        if (!is_group && view.state != state) return false;
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
                                                 "unfinished",
                                                 "urgent"};
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

/// Only the core's transactions can be in such a state. One that the log holds as finished is over,
/// whatever became of its records since: verify tells.
bool is_only_live(const std::string& state) {
    static const std::set<std::string> ends = {"", "committed", "rolled_back", "needs_attention"};
    return !ends.contains(state);
}

}  // namespace

/// Merges the core's transactions, taken on the loop, and the log's, both newest first.
class Listing::Page {
public:
    Page(const Service& service, Filter filter)
        : log_(service.log()), filter_(std::move(filter)), upper_(service.next_gid()) {
        if (filter_.before && *filter_.before < upper_) upper_ = *filter_.before;
        is_by_key_ = !filter_.business_code.empty() && !filter_.business_id.empty();
        if (is_by_key_)
            take_by_key(service);
        else
            take_live(service);
    }

    Json finish() {
        if (!is_by_key_ && !is_only_live(filter_.state)) take_stored();
        if (!is_full()) take_live_above(Gid{});
        Json next = nullptr;
        if (is_full() && last_) next = to_text(*last_);
        return {{"items", std::move(items_)}, {"next", std::move(next)}};
    }

private:
    /// A transaction of the core's as it was when the page was asked for.
    struct Live {
        Gid gid{};
        std::optional<Json> item;  // nothing: the filter leaves it out, or nobody may know of it
    };

    /// A key's attempts are few and indexed.
    void take_by_key(const Service& service) {
        const auto entries = log_.find_attempts(filter_.business_code, filter_.business_id);
        for (auto entry = entries.rbegin(); entry != entries.rend() && !is_full(); ++entry) {
            if (entry->damaged)
                items_.push_back({{"state", "needs_attention"},
                                  {"attempt", entry->key.attempt},
                                  {"damage", "the entry of its business key fails its checksum"}});
            else if (!filter_.before || entry->gid < *filter_.before)
                take(
                    summary_of(entry->gid, service.find(entry->gid), service.config().participants),
                    entry->gid);
        }
    }

    void take_live(const Service& service) {
        const auto& all = service.core().transactions();
        std::size_t admitted = 0;
        auto at = std::make_reverse_iterator(all.lower_bound(upper_));
        for (; at != all.rend(); ++at) {
            if (admitted == filter_.limit || live_.size() == most_live) {
                live_down_to_ = live_.back().gid;
                return;
            }
            const Transaction& t = at->second;
            live_.push_back({.gid = at->first, .item = {}});
            // Until its start is durable a gid is nobody's to know.
            if (!t.folded.is_started && t.phase != Phase::damaged) continue;
            const Found found{.live = &t, .folded = std::nullopt, .damage = std::string(t.damage)};
            const View view = summary_of(at->first, found, service.config().participants);
            if (!filter_.admits(view)) continue;
            live_.back().item = item_json(view);
            ++admitted;
        }
    }

    void take_stored() {
        const auto end = std::chrono::steady_clock::now() + longest_look;
        Gid before = upper_;
        while (!is_full()) {
            const std::size_t wanted =
                is_filtered() ? log_page : std::min(log_page, filter_.limit - items_.size() + 1);
            const auto page = log_.list(before, wanted);
            for (const wal::StoredTransaction& stored : page) {
                take_live_above(stored.gid);
                if (is_full()) return;
                take(stored);
            }
            if (page.size() < wanted) return;
            before = page.back().gid;
            if (std::chrono::steady_clock::now() >= end) return end_at(before);
        }
    }

    bool is_filtered() const {
        return !filter_.state.empty() || !filter_.participant.empty() ||
               !filter_.business_code.empty() || !filter_.business_id.empty();
    }

    void end_at(const Gid& gid) {
        last_ = gid;
        is_over_budget_ = true;
    }

    void take_live_above(const Gid& gid) {
        for (; next_live_ < live_.size() && !is_full(); ++next_live_) {
            Live& live = live_[next_live_];
            if (live.gid < gid || live.gid == gid) return;
            take(live);
        }
        if (next_live_ == live_.size() && live_down_to_ && gid < *live_down_to_ && !is_full())
            end_at(*live_down_to_);
    }

    void take(Live& live) {
        last_ = live.gid;
        if (live.item) items_.push_back(*std::move(live.item));
    }

    void take(const wal::StoredTransaction& stored) {
        ++looked_at_;
        if (next_live_ < live_.size() && live_[next_live_].gid == stored.gid)
            return take(live_[next_live_++]);
        last_ = stored.gid;
        // It was begun after the page was asked for, or nobody was told of it yet.
        if (!stored.is_finished && stored.damage.empty()) return;
        take(summary_of(stored.gid, read_back(stored)), stored.gid);
    }

    void take(const View& view, const Gid& gid) {
        last_ = gid;
        if (filter_.admits(view)) items_.push_back(item_json(view));
    }

    bool is_full() const {
        return items_.size() >= filter_.limit || looked_at_ >= most_looked_at || is_over_budget_;
    }

    const wal::Log& log_;
    Filter filter_;
    Gid upper_;  // what is listed is below it
    bool is_by_key_ = false;
    std::vector<Live> live_;           // newest first
    std::optional<Gid> live_down_to_;  // the core has more below it; nothing: that is all
    std::size_t next_live_ = 0;
    Json items_ = Json::array();
    std::optional<Gid> last_;
    std::size_t looked_at_ = 0;
    bool is_over_budget_ = false;
};

std::optional<std::size_t> parse_limit(const std::string& text, std::size_t most) {
    std::size_t limit = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    if (limit < 1 || limit > most) return std::nullopt;
    return limit;
}

boost::system::result<Listing, http::Response> Listing::begin(const Service& service,
                                                              const http::Request& request) {
    Filter filter;
    if (auto refusal = read_filter(request, filter)) return *std::move(refusal);
    return Listing(std::make_shared<Page>(service, std::move(filter)));
}

http::Response Listing::finish() const { return http::json_response(page_->finish()); }

http::Response list_transactions(const Service& service, const http::Request& request) {
    const auto listing = Listing::begin(service, request);
    return listing ? listing->finish() : listing.error();
}

}  // namespace twophase::coordinator
