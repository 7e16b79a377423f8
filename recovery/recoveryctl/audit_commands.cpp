#include "recovery/recoveryctl/audit_commands.hpp"

#include "http/instant.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/draft.hpp"
#include "recovery/recoveryctl/render.hpp"
#include "recovery/recoveryctl/table.hpp"
#include "recovery/recoveryctl/terminal.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace twophase::recoveryctl {
namespace {

constexpr std::size_t page_size = 500;

void tell(const Output& output, const Json& json) {
    output.out << http::dump_replacing(json) << "\n";
}

/// "balance 100, frozen_amount 30".
std::string state_text(const Json& entry, const char* member) {
    if (!entry.is_object() || !entry.contains(member) || !entry[member].is_object()) return {};
    std::string text;
    for (const auto& [name, value] : entry[member].items())
        text += (text.empty() ? "" : ", ") + name + " " + http::dump_replacing(value);
    return text;
}

std::string business_key(const Json& entry) {
    const std::string code = text_in(entry, "business_code");
    return code.empty() ? "" : code + " " + text_in(entry, "business_id");
}

std::string what(const Json& entry) {
    const std::string verb = text_in(entry, "verb");
    const std::string operation = text_in(entry, "operation");
    return verb.empty() || operation.empty() ? verb + operation : verb + " " + operation;
}

std::string outcome(const Json& entry) {
    const bool is_success = entry.is_object() && entry.value("success", Json()) == true;
    return is_success ? "done" : "refused " + text_in(entry, "code");
}

std::string table_of(const Json& items) {
    Table table({"number",
                 "time",
                 "what",
                 "outcome",
                 "user",
                 "amount",
                 "business key",
                 "gid",
                 "before",
                 "after"});
    for (const Json& entry : items)
        table.add({text_in(entry, "seq"),
                   text_in(entry, "timestamp"),
                   what(entry),
                   outcome(entry),
                   text_in(entry, "user_id"),
                   text_in(entry, "amount"),
                   business_key(entry),
                   text_in(entry, "gid"),
                   state_text(entry, "before_state"),
                   state_text(entry, "after_state")});
    return table.text();
}

std::size_t export_to(AuditSource& source, std::ostream& out, const std::string& name) {
    ProgressLine progress("export");
    std::size_t lines = 0;
    std::string after;
    do {
        const ExportPage page = source.export_page(after);
        lines += static_cast<std::size_t>(std::ranges::count(page.lines, '\n'));
        out << page.lines << std::flush;
        if (!out) throw Failure(Exit::not_possible, "can't write " + name);
        progress.show(lines);
        if (page.next == after) break;
        after = page.next;
    } while (!after.empty());
    return lines;
}

}  // namespace

Exit list_audit(AuditSource& source,
                const AuditFilter& filter,
                std::size_t limit,
                const Output& output) {
    Json items = Json::array();
    bool has_more = false;
    std::string before;
    do {
        const std::size_t wanted =
            limit == 0 ? page_size : std::min(page_size, limit - items.size());
        const Json page = source.list(filter, before, wanted);
        for (const Json& item : items_in(page, "items")) items.push_back(item);
        const std::string next = text_in(page, "next");
        has_more = limit != 0 && items.size() >= limit && !next.empty();
        if (has_more || next == before) break;
        before = next;
    } while (!before.empty());
    if (output.is_json)
        tell(output, {{"items", std::move(items)}, {"more", has_more}});
    else if (items.empty())
        output.out << "no entry fits\n";
    else
        output.out << table_of(items) << (has_more ? "there are more: --limit N, 0 for all\n" : "");
    return Exit::done;
}

Exit export_audit(AuditSource& source, const std::string& to, const Output& output) {
    if (to == "-") {
        export_to(source, output.out, "standard output");
        return Exit::done;
    }
    Draft draft(to);
    const std::size_t lines = export_to(source, draft.stream(), to);
    draft.publish();
    if (output.is_json)
        tell(output, {{"exported", lines}, {"to", to}});
    else
        output.out << lines << " entries written to " << printable(to) << "\n";
    return Exit::done;
}

Exit verify_audit(AuditSource& source, const Output& output) {
    Json result;
    {
        ProgressLine line("verify");
        line.show(0);
        result = source.verify([&](std::size_t done) { line.show(done); });
    }
    const Json& findings = items_in(result, "findings");
    const Exit exit = findings.empty() ? Exit::done : Exit::findings;
    if (output.is_json) {
        tell(output, result);
        return exit;
    }
    for (const Json& finding : findings)
        output.out << printable(finding.get<std::string>()) << "\n";
    output.out << number_in(result, "entries") << " entries checked, " << findings.size()
               << " findings\n";
    const std::string hash = text_in(result, "hash");
    if (!hash.empty()) output.out << "the last one's hash: " << printable(hash) << "\n";
    return exit;
}

std::optional<std::string> time_of(const std::string& text) {
    const bool is_day = text.size() == std::string_view("2026-01-31").size();
    const auto time = http::parse_instant(is_day ? text + "T00:00:00Z" : text);
    return time ? std::optional(http::instant_text(*time)) : std::nullopt;
}

}  // namespace twophase::recoveryctl
