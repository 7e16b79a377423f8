#include "coordinator/comparison_api.hpp"

#include "coordinator/branch_evidence.hpp"
#include "coordinator/comparison.hpp"
#include "http/fields.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace twophase::coordinator {
namespace {

using http::Fields;
using http::Json;

constexpr std::size_t most_items = 1'000;
constexpr std::size_t most_payload_bytes = std::size_t{1} << 20;  // in one answer
constexpr std::size_t most_former_names = 100;
constexpr std::size_t most_transactions = 200;  // in one request: it shares the loop with payments
constexpr std::size_t step = 20;

struct Asked {
    std::set<std::string> names;  // the asking participant's, former ones too
    std::optional<Gid> after;
    std::optional<Gid> through;
    std::optional<Gid> forgotten_up_to;
    std::vector<ListedBranch> items;
};

std::optional<Gid> read_gid(Fields& fields, const char* name) {
    const auto text = fields.optional_text(name, {.max_bytes = 64});
    if (!text) return std::nullopt;
    const auto gid = parse_gid(*text);
    if (!gid) fields.fail(name, "a gid");
    return gid;
}

ListedBranch read_item(const http::Value& json, const std::string& path, Fields& whole) {
    static const std::set<std::string> states = {
        "prepared", "committed", "rolled_back", "executed", "compensated"};
    Fields fields(json, path);
    ListedBranch branch;
    branch.gid = read_gid(fields, "gid").value_or(Gid{});
    if (!fields.has("gid")) fields.fail("gid", "a gid");
    branch.branch_id = fields.text("branch_id", {.max_bytes = 64});
    branch.state = fields.text("state", {.max_bytes = 32});
    if (!fields.error() && !states.contains(branch.state))
        fields.fail("state", "prepared, committed, rolled_back, executed or compensated");
    if (const auto& error = fields.finish()) whole.fail(*error);
    return branch;
}

void read_former_names(Fields& fields, Asked& asked) {
    const http::Value* former = fields.optional_array("former_names", 0, most_former_names);
    if (former == nullptr) return;
    for (const http::Value& name : *former) {
        if (name.text().empty() || name.text().size() > 64)
            return fields.fail("former_names", "names of the participant");
        asked.names.insert(std::string(name.text()));
    }
}

std::optional<http::Response> read_asked(const http::Request& request, Asked& asked) {
    const auto json = http::read_json(request.body);
    if (!json) return http::problem(json.error());
    Fields fields(json->root());
    asked.names.insert(fields.text("participant", {.max_bytes = 64}));
    read_former_names(fields, asked);
    asked.after = read_gid(fields, "after");
    asked.through = read_gid(fields, "through");
    asked.forgotten_up_to = read_gid(fields, "forgotten_up_to");
    const http::Value* items = fields.array("items", 0, most_items);
    if (items == nullptr) return http::problem(*fields.error());
    for (const http::Value& item : *items) {
        if (fields.error()) break;
        const std::string path = "items[" + std::to_string(asked.items.size()) + "]";
        asked.items.push_back(read_item(item, path, fields));
        const Gid& gid = asked.items.back().gid;
        const bool is_outside =
            (asked.after && gid <= *asked.after) || (asked.through && gid > *asked.through);
        if (is_outside) fields.fail({path + ".gid", "a gid above `after` and up to `through`"});
    }
    if (const auto& error = fields.finish()) return http::problem(*error);
    return std::nullopt;
}

/// Reads the log's part of the comparison. All of it happens in one turn of the loop, so what is
/// live can't become finished in between.
class LogPart {
public:
    LogPart(const Service& service, const Asked& asked) : service_(service) {
        std::optional<Gid> after = asked.after;
        while (read_ < most_transactions) {
            const auto page = service.log().walk(after, step);
            for (const wal::StoredTransaction& stored : page) {
                if (asked.through && stored.gid > *asked.through) return;
                add(stored);
            }
            if (page.size() < step) return;
            read_ += page.size();
            after = page.back().gid;
        }
        through_ = after;
    }

    /// Where it stopped before the end of what was asked.
    const std::optional<Gid>& through() const { return through_; }

    /// A gid that the walk didn't meet.
    void add_absent(const Gid& gid) {
        if (unreadable_.contains(gid)) ++not_compared_;
        if (log_.contains(gid)) return;
        LoggedTransaction& absent = log_[gid];
        if (service_.core().find(gid) != nullptr) return;  // live and not durable yet
        if (!service_.inquire(gid)) {                      // not minted here: nothing to say
            unreadable_.insert(gid);
            ++not_compared_;
            return;
        }
        const bool is_replaced =
            !service_.guard().own().replaces.empty() && service_.may_settle_unknown(gid);
        if (is_replaced) {
            ++replaced_;
            absent.kind = LoggedTransaction::Kind::replaced;
            return;
        }
        absent.kind = may_be_forgotten(gid) ? LoggedTransaction::Kind::forgotten
                                            : LoggedTransaction::Kind::never;
    }

    const std::map<Gid, LoggedTransaction>& log() const { return log_; }
    /// Transactions of a log whose place this one took, which this one doesn't have.
    std::size_t replaced() const { return replaced_; }
    /// Branches of which the log can say nothing.
    std::size_t not_compared() const { return not_compared_; }

private:
    void add(const wal::StoredTransaction& stored) {
        LoggedTransaction& transaction = log_[stored.gid];
        if (service_.core().find(stored.gid) != nullptr || !stored.is_finished) return;
        const Found found = read_back(stored);
        if (found.damage.empty())
            transaction = logged(*found.folded);
        else
            unreadable_.insert(stored.gid);
    }

    bool may_be_forgotten(const Gid& gid) const { return gid <= service_.log().forgotten_up_to(); }

    const Service& service_;
    std::map<Gid, LoggedTransaction> log_;
    std::size_t read_ = 0;
    std::size_t replaced_ = 0;
    std::size_t not_compared_ = 0;
    std::set<Gid> unreadable_;  // or minted elsewhere
    std::optional<Gid> through_;
};

Json to_json(const Contradiction& found) {
    return {{"kind", found.kind},
            {"gid", to_text(found.gid)},
            {"branch_id", found.branch_id},
            {"recorded_state", found.recorded_state},
            {"expected_state", found.expected_state}};
}

/// What the participant lacks has to be booked again: so it is told what was asked of it.
void add_request(const Service& service,
                 const Contradiction& found,
                 std::size_t& room,
                 Json& finding) {
    if (found.expected_state != "committed" && found.expected_state != "executed") return;
    Json request = request_of_branch(service, found.gid, found.branch_id);
    const std::size_t bytes = request.dump().size();
    if (bytes > room) return;
    room -= bytes;
    finding.update(request);
}

}  // namespace

http::Response compare_branches(const Service& service, const http::Request& request) {
    Asked asked;
    if (auto refusal = read_asked(request, asked)) return *std::move(refusal);
    // What a log that is behind lacks would look like something that nobody knows.
    if (service.log_state() == LogState::behind)
        return http::problem(503, "log-closed", service.log_detail());
    LogPart part(service, asked);
    if (part.through())
        std::erase_if(asked.items,
                      [&](const ListedBranch& item) { return item.gid > *part.through(); });
    for (const ListedBranch& item : asked.items) part.add_absent(item.gid);
    Json findings = Json::array();
    std::size_t room = most_payload_bytes;
    for (const Contradiction& found :
         compare(asked.names, asked.items, part.log(), asked.forgotten_up_to)) {
        findings.push_back(to_json(found));
        add_request(service, found, room, findings.back());
    }
    Json answer{{"coordinator", service.config().id},
                {"epoch", service.epoch()},
                {"of_replaced_logs", part.replaced()},
                {"not_compared", part.not_compared()},
                {"findings", std::move(findings)}};
    if (part.through()) answer["compared_through"] = to_text(*part.through());
    if (const auto forgotten = service.log().forgotten_up_to())
        answer["forgotten_up_to"] = to_text(*forgotten);
    return http::json_response(answer);
}

}  // namespace twophase::coordinator
