#include "participants/comparing.hpp"

#include "http/fields.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "participants/credible.hpp"
#include "participants/record.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace twophase::participants {
namespace {

using http::Fields;
using http::Json;

constexpr std::size_t items_in_page = 500;
constexpr std::size_t most_items = 900;  // the branches of the last gid come along
constexpr std::size_t rows_in_page = 5'000;
constexpr std::size_t most_findings = 2'000;

constexpr std::array<std::string_view, 4> kinds{"unknown", "missing", "different", "doubled"};

std::string sentence(const Finding& finding) {
    const std::string ours = finding.recorded_state.empty() ? "none" : finding.recorded_state;
    if (finding.kind == "unknown" && ours == "prepared")
        return "the coordinator has forgotten this transaction, or never knew it; here its branch "
               "is prepared, and only a person can end it (recoveryctl resolve)";
    if (finding.kind == "unknown")
        return "the coordinator's log knows no such transaction; here its branch is " + ours;
    if (finding.kind == "missing")
        return "the coordinator was told " + finding.expected_state + "; here is no such branch";
    if (finding.kind == "doubled")
        return "the transaction names no such branch here; here it is " + ours;
    return "the coordinator's log says " + finding.expected_state + "; here it is " + ours;
}

Finding read_finding(const http::Value& json,
                     const std::string& path,
                     const std::string& coordinator) {
    Finding finding;
    Fields fields(json, path);
    finding.kind = fields.text("kind", {.max_bytes = 32});
    finding.gid = fields.text("gid", {.max_bytes = 64});
    finding.branch_id = fields.text("branch_id", {.max_bytes = 64});
    finding.recorded_state = fields.text("recorded_state", {.min_bytes = 0, .max_bytes = 32});
    finding.expected_state = fields.text("expected_state", {.min_bytes = 0, .max_bytes = 32});
    if (fields.error() || std::ranges::find(kinds, finding.kind) == kinds.end()) return {};
    finding.operation = fields.optional_text("operation", {.max_bytes = 64}).value_or("");
    if (const http::Value* payload = fields.optional_object("payload"))
        finding.payload = http::dump(*payload);
    finding.business_code = fields.optional_text("business_code", {.max_bytes = 128}).value_or("");
    finding.business_id = fields.optional_text("business_id", {.max_bytes = 128}).value_or("");
    if (fields.error()) return {};
    finding.coordinator = coordinator;
    finding.subject = finding.account_id = branch_key(finding.gid, finding.branch_id);
    // By the number of branches, as there is no balance to this.
    finding.recorded = finding.kind == "missing" ? 0 : 1;
    finding.calculated = finding.kind == "missing" || finding.kind == "different" ? 1 : 0;
    finding.text = sentence(finding);
    return finding;
}

std::optional<Branch> branch_in(const wal::Cursor& cursor) {
    try {
        return decode<Branch>(cursor.key(), cursor.value());
    } catch (const DamagedRecord&) {
        return std::nullopt;  // BranchBooks tells of it
    }
}

}  // namespace

BranchPage branches_to_compare(const wal::Reader& reader,
                               const TableOf& table_of,
                               const std::string& coordinator,
                               const std::string& after,
                               const Moment& moment) {
    BranchPage page;
    page.after = after;
    if (const auto sender = read<Coordinator>(reader, table_of("coordinators"), coordinator)) {
        page.forgotten_up_to = sender->forgotten_up_to;
        page.low_water = sender->low_water;
    }
    std::string last;  // the gid of the row before
    std::size_t rows = 0;
    wal::Cursor cursor = reader.cursor(table_of("branches"));
    // '0' comes right behind '/', so this is the first key of a gid above `after`.
    bool is_there = after.empty() ? cursor.first() : cursor.seek(after + '0');
    for (; is_there; is_there = cursor.next(), ++rows) {
        auto [gid, branch_id] = split_branch_key(cursor.key());
        const bool is_enough = page.items.size() >= items_in_page || rows >= rows_in_page;
        if (is_enough && gid != last && !last.empty()) {
            page.through = last;
            break;
        }
        const auto branch = branch_in(cursor);
        const bool is_its = branch && branch->coordinator == coordinator;
        // What can't be read may be anybody's, and nobody can tell what state it is in.
        const bool is_askable = branch && is_time_ordered(gid);
        if (is_time_ordered(gid)) last = gid;
        if (!is_askable) {
            if (is_its || !branch) page.not_askable.push_back(std::move(gid));
            continue;
        }
        if (!is_its || page.items.size() >= most_items) continue;
        const bool is_ahead = !is_credible(gid, moment);
        page.items.push_back({std::move(gid), std::move(branch_id), branch->state, is_ahead});
    }
    return page;
}

std::string comparison_body(const std::string& participant,
                            const std::set<std::string>& former_names,
                            const BranchPage& page) {
    Json body{{"participant", participant}};
    if (!former_names.empty()) body["former_names"] = former_names;
    if (!page.after.empty()) body["after"] = page.after;
    if (!page.through.empty()) body["through"] = page.through;
    if (!page.forgotten_up_to.empty()) body["forgotten_up_to"] = page.forgotten_up_to;
    Json& items = body["items"] = Json::array();
    for (const BranchPage::Item& item : page.items)
        items.push_back(
            {{"gid", item.gid}, {"branch_id", item.branch_id}, {"state", to_string(item.state)}});
    return http::dump(body);
}

std::optional<Compared> read_comparison(const http::Response& response,
                                        const std::string& coordinator,
                                        const BranchPage& page,
                                        std::string& fault) {
    if (response.status != 200) {
        fault = "it answered with " + http::describe(response);
        return std::nullopt;
    }
    const auto json = http::read_json(response.body);
    fault = "its answer can't be read";
    if (!json) return std::nullopt;
    Compared compared;
    Fields fields(json->root());
    const std::string answered_by = fields.text("coordinator", {.max_bytes = 64});
    compared.through = fields.optional_text("compared_through", {.max_bytes = 64}).value_or("");
    const std::string forgotten =
        fields.optional_text("forgotten_up_to", {.max_bytes = 64}).value_or("");
    compared.of_replaced_logs = static_cast<std::size_t>(
        fields.optional_integer("of_replaced_logs", 0, 1'000'000'000).value_or(0));
    compared.not_compared = static_cast<std::size_t>(
        fields.optional_integer("not_compared", 0, 1'000'000'000).value_or(0));
    compared.has_forgotten_later_ones = !forgotten.empty() && forgotten >= page.low_water;
    const http::Value* findings = fields.array("findings", 0, most_findings);
    if (fields.error()) return std::nullopt;
    fault = "another coordinator answers there: " + answered_by;
    if (answered_by != coordinator) return std::nullopt;
    fault = "its answer can't be meant";
    // Otherwise the same page would come again and again.
    if (!compared.through.empty() && compared.through <= page.after) return std::nullopt;
    for (const http::Value& each : *findings) {
        const std::string index = std::to_string(compared.findings.size());
        Finding finding = read_finding(each, "findings[" + index + "]", coordinator);
        if (finding.kind.empty()) return std::nullopt;
        compared.findings.push_back(std::move(finding));
    }
    return compared;
}

}  // namespace twophase::participants
