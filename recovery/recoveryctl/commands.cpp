#include "recovery/recoveryctl/commands.hpp"

#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/draft.hpp"
#include "recovery/recoveryctl/participant_store.hpp"
#include "recovery/recoveryctl/render.hpp"
#include "recovery/recoveryctl/terminal.hpp"
#include "wal/environment.hpp"
#include "wal/store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ostream>
#include <utility>

namespace twophase::recoveryctl {
namespace {

constexpr std::size_t page_size = 500;

WallTime now() { return std::chrono::system_clock::now(); }

void tell(const Output& output, const Json& json) {
    output.out << http::dump_replacing(json) << "\n";
}

/// Calls `take` with each item that the filter admits until it returns false; that is after about
/// `order.limit` of them.
template <class Take>
void for_each_item(Source& source, const ListOrder& order, const Take& take) {
    const std::size_t limit = order.limit == 0 ? page_size : std::min(page_size, order.limit + 1);
    std::string before;
    do {
        const Json page = source.list(order.filter, before, limit);
        for (const Json& item : items_in(page, "items"))
            if (!take(item)) return;
        const std::string next = text_in(page, "next");
        if (next == before) return;
        before = next;
    } while (!before.empty());
}

struct Gathered {
    Json items = Json::array();
    bool has_more = false;
};

Gathered newest(Source& source, const ListOrder& order) {
    Gathered all;
    for_each_item(source, order, [&](const Json& item) {
        all.has_more = order.limit != 0 && all.items.size() >= order.limit;
        if (!all.has_more) all.items.push_back(item);
        return !all.has_more;
    });
    return all;
}

bool is_urgent(const Json& item) {
    return text_in(item, "state") == "needs_attention" || !items_in(item, "not_configured").empty();
}

/// What is unfinished, what needs a person first. Reads no more of it than asked for.
Gathered most_urgent(Source& source, const ListOrder& order) {
    ListOrder urgent = order;
    urgent.filter.state = "urgent";
    Gathered all = newest(source, urgent);
    if (all.has_more) return all;
    for_each_item(source, order, [&](const Json& item) {
        if (is_urgent(item)) return true;
        all.has_more = order.limit != 0 && all.items.size() >= order.limit;
        if (!all.has_more) all.items.push_back(item);
        return !all.has_more;
    });
    return all;
}

Json retried(Source& source, const std::string& gid) {
    try {
        return source.retry(gid);
    } catch (const Failure& e) {
        if (e.code() != Exit::findings) throw;
        return {{"gid", gid}, {"refused", e.what()}};
    }
}

std::string retry_text(const Json& answer) {
    const std::string gid = text_in(answer, "gid");
    if (answer.contains("refused")) return gid + ": " + text_in(answer, "refused");
    const std::uint64_t hurried = number_in(answer, "hurried");
    const Json& removed = items_in(answer, "not_configured");
    if (hurried == 0 && !removed.empty())
        return gid + ": nothing to ask again: participant " + removed[0].get<std::string>() +
               " is no longer configured (recoveryctl show tells what to do)";
    if (hurried == 0)
        return gid +
               ": nothing waited; its requests are under way (a dead letter: resolve --how retry)";
    return gid + ": " + std::to_string(hurried) + (hurried == 1 ? " branch" : " branches") +
           " asked again now";
}

/// What is to be resolved, before the question. A transaction that the log does not know may still
/// be settled after a restore.
void show_before_asking(Source& source, const std::string& gid, const Output& output) {
    try {
        show(source, gid, {output.out, false});
    } catch (const Failure& e) {
        if (e.code() != Exit::findings) throw;
        output.out << printable(e.what()) << "\n";
    }
}

/// What the order will do; a gid that the log does not know has no branches to say it of.
std::string consequence_of(Source& source, const ResolveOrder& order) {
    if (order.branch_id.empty()) return "";
    try {
        const std::string text =
            consequence_text(source.show(order.gid), order.branch_id, order.how);
        return text.empty() ? "" : "\n" + text + "\n";
    } catch (const Failure& e) {
        if (e.code() != Exit::findings) throw;
        return "";
    }
}

std::size_t export_to(Source& source, std::ostream& out, const std::string& name) {
    ProgressLine progress("export");
    std::size_t lines = 0;
    std::string after;
    do {
        const ExportPage page = source.export_page(after);
        lines += static_cast<std::size_t>(std::ranges::count(page.lines, '\n'));
        out << page.lines << std::flush;
        if (!out) throw Failure(Exit::not_possible, "can't write " + name);
        progress.show(lines);
        after = page.next;
    } while (!after.empty());
    return lines;
}

/// Nobody checks a name: a slip of the pen must not read as "all is well".
std::string none_of(const std::string& participant, const char* what) {
    return "no " + std::string(what) + " names participant \"" + printable(participant) +
           "\": is it spelled as in the settings (`recoveryctl participants` lists them)?\n";
}

}  // namespace

Exit list(Source& source, const ListOrder& order, const Output& output) {
    ListOrder full = order;
    const bool is_plain = order.filter.state.empty() && !order.is_all;
    if (is_plain) full.filter.state = "unfinished";
    Gathered found = is_plain ? most_urgent(source, full) : newest(source, full);
    if (output.is_json) {
        tell(output, {{"items", std::move(found.items)}, {"more", found.has_more}});
        return Exit::done;
    }
    if (found.items.empty() && !order.filter.participant.empty())
        output.out << none_of(order.filter.participant,
                              is_plain ? "unfinished transaction" : "transaction that fits");
    else if (found.items.empty())
        output.out << (is_plain ? "nothing is unfinished (--all lists what is over, too)\n"
                                : "no transaction fits\n");
    else
        output.out << list_text(found.items, now());
    if (found.has_more) output.out << "there are more: --limit N, 0 for all\n";
    return Exit::done;
}

Exit show(Source& source, const std::string& gid, const Output& output) {
    const Json details = source.show(gid);
    if (output.is_json)
        tell(output, details);
    else
        output.out << details_text(details, source.flags(), now());
    return Exit::done;
}

Exit retry(Source& source, const std::string& gid, const Output& output) {
    const Json answer = source.retry(gid);
    if (output.is_json)
        tell(output, answer);
    else
        output.out << printable(retry_text(answer)) << "\n";
    return Exit::done;
}

Exit retry_all(Source& source, const Output& output) {
    Json answers = Json::array();
    const ListOrder every{.filter = {.state = "unfinished"}, .limit = 0};
    for_each_item(source, every, [&](const Json& item) {
        answers.push_back(retried(source, text_in(item, "gid")));
        if (!output.is_json) output.out << printable(retry_text(answers.back())) << "\n";
        return true;
    });
    const auto is_refused = [](const Json& answer) { return answer.contains("refused"); };
    const bool has_refusals = std::ranges::any_of(answers, is_refused);
    if (!output.is_json && answers.empty()) output.out << "nothing is unfinished\n";
    if (output.is_json) tell(output, {{"items", std::move(answers)}});
    return has_refusals ? Exit::findings : Exit::done;
}

Exit resolve(Source& source, const ResolveOrder& order, bool is_sure, const Output& output) {
    if (!is_sure && !output.is_json) show_before_asking(source, order.gid, output);
    if (!output.is_json) output.out << consequence_of(source, order);
    if (!is_sure) {
        const std::string what =
            order.branch_id.empty() ? "the transaction" : "branch " + order.branch_id;
        if (!confirm("\nResolve " + printable(what) + " as " + printable(order.how) +
                     "? It is written down and never taken back."))
            throw Failure(Exit::findings, "nothing was changed");
    }
    const Json answer = source.resolve(order);
    if (output.is_json)
        tell(output, answer);
    else
        output.out << printable(order.gid) << ": resolved as " << printable(order.how)
                   << "; it is durable\n";
    return Exit::done;
}

Exit verify(Source& source, const Output& output) {
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
        output.out << printable(finding.is_string() ? finding.get<std::string>()
                                                    : http::dump_replacing(finding))
                   << "\n";
    output.out << number_in(result, "transactions") << " transactions checked, " << findings.size()
               << " findings\n";
    return exit;
}

Exit back_up(Source& source, const std::string& target, const Output& output) {
    const Json answer = source.back_up(target);
    if (output.is_json)
        tell(output, answer);
    else
        output.out << "backup written to " << printable(text_in(answer, "backup")) << "\n";
    return Exit::done;
}

Exit export_all(Source& source, const std::string& to, const Output& output) {
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
        output.out << lines << " transactions written to " << printable(to) << "\n";
    return Exit::done;
}

Exit dead_letters(Source& source, const std::string& participant, const Output& output) {
    Json items = Json::array();
    std::string after;
    do {
        const Json page = source.dead_letters(participant, after);
        for (const Json& item : items_in(page, "items")) items.push_back(item);
        const std::string next = text_in(page, "next");
        if (next == after) break;
        after = next;
    } while (!after.empty());
    const bool is_none = items.empty();
    if (output.is_json)
        tell(output, {{"items", std::move(items)}});
    else if (is_none && !participant.empty())
        output.out << none_of(participant, "delivery that was given up");
    else
        output.out << (is_none ? "no delivery was given up\n"
                               : dead_letters_text(items, source.flags()));
    return is_none ? Exit::done : Exit::findings;
}

Exit participants(Source& source, const Output& output) {
    const Json answer = source.participants();
    if (output.is_json)
        tell(output, answer);
    else
        output.out << participants_text(items_in(answer, "items"));
    return Exit::done;
}

Exit status(Source& source, const Output& output) {
    const Json answer = source.status();
    if (output.is_json)
        tell(output, answer);
    else
        output.out << members_text(answer);
    return Exit::done;
}

namespace {

constexpr const char* coordinator_consequences =
    "A backup lacks what was decided after it was made. A coordinator that starts on it\n"
    "  - is a log of its own that takes the lost one's place; it only reads from participants, "
    "and\n"
    "    sends nothing, until it is accepted: recoveryctl lost, recoveryctl accept,\n"
    "  - answers participants 'pending' for what the lost log may have decided,\n"
    "  - leaves what was undecided in the backup waiting for a person:\n"
    "      recoveryctl settle-proven, then recoveryctl resolve GID --how commit|rollback,\n"
    "  - is listened to alone once it is accepted: participants refuse what is left of the lost "
    "one.\n"
    "Keep the lost store if there is anything left of it: it may hold those decisions.\n";

constexpr const char* participant_consequences =
    "A backup lacks what its participant promised and did after it was made. One that starts on "
    "it\n"
    "  - stays closed: it answers 503 'restored' to all but reconciliation and reads of its "
    "audit,\n"
    "  - asks about the branches that it has in doubt, and reconciles with its coordinators,\n"
    "  - opens by itself when nothing is found; else a person looks, puts right what is missing, "
    "and\n"
    "    says so: recoveryctl reconcile --accept --reason ...\n"
    "Keep the lost store if there is anything left of it: it may hold what is missing.\n";

}  // namespace

Exit restore(const std::string& from, const std::string& to, bool is_sure, const Output& output) {
    const bool is_participants = is_participant_store(from);
    if (!output.is_json)
        output.out << (is_participants ? participant_consequences : coordinator_consequences);
    if (!is_sure && !confirm("Restore " + printable(from) + " to " + printable(to) + "?"))
        throw Failure(Exit::findings, "nothing was changed");
    try {
        wal::restore(from, to);
    } catch (const wal::StoreError& e) {
        const bool is_usage = e.code() == ENOENT || e.code() == ENOTEMPTY || e.code() == EBUSY;
        throw Failure(is_usage ? Exit::not_possible : Exit::unreadable, e.what());
    }
    if (output.is_json)
        tell(output, {{"restored", to}, {"from", from}});
    else
        output.out << "restored to " << printable(to) << "; start the "
                   << (is_participants ? "participant" : "coordinator") << " with --data "
                   << printable(shell_word(to)) << "\n";
    return Exit::done;
}

}  // namespace twophase::recoveryctl
