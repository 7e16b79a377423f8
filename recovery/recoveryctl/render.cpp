#include "recovery/recoveryctl/render.hpp"

#include "http/instant.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/table.hpp"
#include "recovery/recoveryctl/terminal.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>

namespace twophase::recoveryctl {
namespace {

constexpr const char* removed_mark = " (not configured)";

/// Those of a list's item; which of them are not configured.
std::string participants_of(const Json& item) {
    std::set<std::string> removed;
    for (const Json& name : items_in(item, "not_configured"))
        removed.insert(name.get<std::string>());
    std::string all;
    for (const Json& each : items_in(item, "participants")) {
        const auto name = each.get<std::string>();
        all += (all.empty() ? "" : " ") + name + (removed.contains(name) ? removed_mark : "");
    }
    return all;
}

std::string business_key(const Json& item) {
    const std::string code = text_in(item, "business_code");
    return code.empty() ? "" : code + " " + text_in(item, "business_id");
}

bool is_over(const Json& details) {
    const std::string state = text_in(details, "state");
    return (state == "committed" || state == "rolled_back") &&
           number_in(details, "dead_letters") == 0;
}

/// It needs a participant that is not configured.
bool is_stranded(const Json& branch) { return text_in(branch, "not_configured") == "true"; }

/// "branch 1 (credit)" for the branch with this index.
std::string branch_name(const Json& details, const Json& entry) {
    const Json& branches = items_in(details, "branches");
    const std::uint64_t index = number_in(entry, "branch");
    if (!entry.contains("branch")) return "";
    if (index >= branches.size()) return "branch #" + std::to_string(index);
    return "branch " + text_in(branches[index], "branch_id") + " (" +
           text_in(branches[index], "participant") + ")";
}

std::string without_empty_end(std::string text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == ':')) text.pop_back();
    return text;
}

/// A record in words. One of a type that is new to this program is shown as it is.
std::string entry_text(const Json& details, const Json& entry) {
    const std::string type = text_in(entry, "type");
    const std::string branch = branch_name(details, entry);
    const auto member = [&](const char* name) { return text_in(entry, name); };
    if (type == "started")
        return "started " + member("mode") + ", " +
               std::to_string(items_in(entry, "branches").size()) + " branches";
    if (type == "decided") {
        const Json why = entry.value("why", Json::object());
        return without_empty_end("decided " + member("decision") + ": " + text_in(why, "code") +
                                 ": " + text_in(why, "message"));
    }
    if (type == "branch_done") return branch + " ended: " + member("how");
    if (type == "step_done") return branch + " executed";
    if (type == "delivery_failed")
        return without_empty_end(branch + " failed " + member("attempts") +
                                 " times: " + member("code") + ": " + member("message"));
    if (type == "resolved")
        return "ordered by " + member("who") + ": " + member("how") + " " + branch + ": " +
               member("reason");
    if (type == "finished") return "finished";
    return http::dump_replacing(entry);
}

/// What the running coordinator has seen of a branch and no record tells.
Json progress_in(const Json& branch) {
    const bool has_progress = branch.is_object() && branch.contains("not_durable");
    return has_progress ? branch["not_durable"] : Json::object();
}

std::string branches_text(const Json& details) {
    Table table({"BRANCH", "PARTICIPANT", "OPERATION", "STATE", "TRIES", "LAST ERROR"});
    bool has_progress = false;
    for (const Json& branch : items_in(details, "branches")) {
        // What is not durable is marked.
        const Json progress = progress_in(branch);
        has_progress = has_progress || !progress.empty();
        const auto member = [&](const char* name) {
            const std::string seen = text_in(progress, name);
            return seen.empty() ? text_in(branch, name) : seen + "*";
        };
        const std::string answered = text_in(progress, "answered");
        const std::string participant = text_in(branch, "participant");
        std::string error = member("last_error");
        if (error.empty()) error = without_empty_end(member("code") + ": " + member("message"));
        table.add({text_in(branch, "branch_id"),
                   is_stranded(branch) ? participant + removed_mark : participant,
                   text_in(branch, "operation"),
                   text_in(branch, "state") + (answered.empty() ? "" : ", " + answered + "*"),
                   member("attempts"),
                   error});
    }
    if (table.is_empty()) return "";
    const char* note = "* seen by the running coordinator, in no record yet\n";
    return "\n" + table.text() + (has_progress ? note : "");
}

std::string timeline_text(const Json& details) {
    Table table({"N", "TIME", "WHAT"});
    for (const Json& entry : items_in(details, "timeline"))
        table.add({text_in(entry, "n"), text_in(entry, "at"), entry_text(details, entry)});
    return table.is_empty() ? "" : "\n" + table.text();
}

std::string head_text(const Json& details, WallTime now) {
    std::string text;
    const auto line = [&](const char* name, const std::string& value) {
        if (value.empty()) return;
        const std::string label(name);
        text += label + std::string(15 - label.size(), ' ') + printable(value) + "\n";
    };
    line("transaction", text_in(details, "gid"));
    line("state", text_in(details, "state"));
    line("decision", text_in(details, "decision"));
    line("heuristic", text_in(details, "heuristic").empty() ? "" : "a person ended a branch of it");
    line("mode", text_in(details, "mode"));
    if (const std::string key = business_key(details); !key.empty())
        line("business key", key + ", attempt " + text_in(details, "attempt"));
    if (const std::string age = age_text(details, now); !age.empty())
        line("created", text_in(details, "created_at") + ", " + age + " ago");
    line("message", text_in(details, "message"));
    return text;
}

/// Whether a participant has been away for so long that a person may put it right elsewhere.
bool is_old(const Json& details, WallTime now) {
    constexpr std::chrono::hours hours{2};
    const auto created = http::parse_instant(text_in(details, "created_at"));
    return created && now.time_since_epoch() >= std::chrono::microseconds(*created) + hours;
}

/// Those who are told a decision and give no answer.
std::string awaited_text(const Json& details) {
    std::set<std::string> names;
    for (const Json& branch : items_in(details, "branches"))
        if (text_in(branch, "state") != "needs_attention" && !is_stranded(branch) &&
            text_in(branch, "still_told").empty() &&
            !text_in(progress_in(branch), "last_error").empty())
            names.insert(text_in(branch, "participant"));
    std::string text;
    for (const Json& branch : items_in(details, "branches"))
        if (const std::string decision = text_in(branch, "still_told");
            !decision.empty() && !is_stranded(branch))
            text += "\nBranch " + printable(text_in(branch, "branch_id")) +
                    " was ended by hand, and " + printable(text_in(branch, "participant")) +
                    " is told to " + (decision == "commit" ? "commit" : "roll back") +
                    " it all the same. Where it won't be back: resolve --how gone.\n";
    if (names.empty() || text_in(details, "decision").empty()) return text;
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + printable(name);
    return text + "\nIt ends by itself once these answer: " + all + ".\n";
}

/// What to do about participants that are not configured.
std::string stranded_text(const Json& details) {
    const bool is_decided = !text_in(details, "decision").empty();
    std::string text;
    for (const Json& name : items_in(details, "not_configured")) {
        const std::string participant = printable(name.get<std::string>());
        text += "\nParticipant " + participant +
                " is no longer configured, and nothing is sent to it. It was\n"
                "  taken out by mistake: put it back into the coordinator's settings and restart "
                "the coordinator; this goes on by itself.\n"
                "  renamed (recoveryctl rename-store): configure its endpoint under " +
                participant +
                " as well, until nothing unfinished names that.\n"
                "  removed for good: put right what it had done or was to do; " +
                (is_decided ? "" : "roll the transaction back; ") +
                "end each of its branches with --how gone.\n";
    }
    return text;
}

/// Of one that needs a participant which is not configured.
void advise_stranded(std::vector<std::string>& commands,
                     const Json& branch,
                     const std::string& of_branch) {
    commands.push_back(of_branch + " --how gone --reason " +
                       shell_word("what was done in place of " + text_in(branch, "participant")));
    const std::string state = text_in(branch, "state");
    if (state == "committing" || state == "rolling_back")
        commands.push_back(of_branch + " --how by-hand --reason " +
                           shell_word("what was done; it is told when it comes back"));
}

void advise_branches(std::vector<std::string>& commands,
                     const Json& details,
                     const std::string& resolve,
                     WallTime now) {
    for (const Json& branch : items_in(details, "branches")) {
        const std::string state = text_in(branch, "state");
        const std::string of_branch =
            resolve + " --branch " + shell_word(text_in(branch, "branch_id"));
        if (is_stranded(branch)) {
            advise_stranded(commands, branch, of_branch);
            continue;
        }
        if (state == "dead_letter") {
            commands.push_back(of_branch + " --how retry --reason 'what was put right'");
            commands.push_back(of_branch + " --how discarded --reason 'why'");
            continue;
        }
        // What waits for an answer ends by itself: a person's word is for what can't.
        const bool is_stuck = !text_in(progress_in(branch), "last_error").empty();
        if (state != "needs_attention" && !(is_stuck && is_old(details, now))) continue;
        commands.push_back(of_branch + " --how by-hand --reason " +
                           shell_word("what was done at " + text_in(branch, "participant")));
    }
}

}  // namespace

std::string age_text(const Json& item, WallTime now) {
    const auto created = http::parse_instant(text_in(item, "created_at"));
    if (!created) return "";
    const auto age = now.time_since_epoch() - std::chrono::microseconds(*created);
    const std::int64_t seconds =
        std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(age).count(), 0);
    if (seconds < 120) return std::to_string(seconds) + "s";
    if (seconds < 7'200) return std::to_string(seconds / 60) + "min";
    if (seconds < 172'800) return std::to_string(seconds / 3'600) + "h";
    return std::to_string(seconds / 86'400) + "d";
}

std::string list_text(const Json& items, WallTime now) {
    Table table({"GID", "STATE", "DECISION", "ATTEMPT", "BUSINESS KEY", "PARTICIPANTS", "AGE"});
    for (const Json& item : items)
        table.add({text_in(item, "gid"),
                   text_in(item, "state"),
                   text_in(item, "decision"),
                   text_in(item, "attempt"),
                   business_key(item),
                   participants_of(item),
                   age_text(item, now)});
    std::set<std::string> removed;
    for (const Json& item : items)
        for (const Json& name : items_in(item, "not_configured"))
            removed.insert(printable(name.get<std::string>()));
    std::string text = table.text();
    for (const std::string& name : removed)
        text += name +
                " is no longer configured: put it back into the coordinator's settings, or end its "
                "branches with resolve --how gone (recoveryctl show GID)\n";
    return text;
}

std::string details_text(const Json& details, const std::string& flags, WallTime now) {
    std::string text = head_text(details, now) + branches_text(details) + timeline_text(details);
    text += awaited_text(details) + stranded_text(details);
    const std::vector<std::string> commands = advice(details, flags, now);
    if (!commands.empty()) text += "\nWhat to try next:\n";
    for (const std::string& command : commands) text += "  " + printable(command) + "\n";
    return text;
}

std::vector<std::string> advice(const Json& details, const std::string& flags, WallTime now) {
    if (is_over(details)) return {};
    const std::string program = "recoveryctl ";
    const std::string gid = shell_word(text_in(details, "gid"));
    const std::string resolve = program + "resolve" + flags + " " + gid;
    if (!text_in(details, "damage").empty())
        return {program + "verify" + flags, program + "restore --from BACKUP --to DIR"};
    const bool is_running = flags.find(" --data ") == std::string::npos;
    std::vector<std::string> commands;
    if (text_in(details, "decision").empty()) {
        const bool is_held = text_in(details, "state") == "needs_attention";
        if (is_held) commands.push_back(resolve + " --how commit --reason 'who has proof of it'");
        commands.push_back(resolve + " --how rollback --reason 'why'");
        return commands;
    }
    if (is_running) {
        commands.push_back(program + "participants" + flags);
        commands.push_back(program + "retry" + flags + " " + gid);
    }
    advise_branches(commands, details, resolve, now);
    return commands;
}

std::string consequence_text(const Json& details,
                             const std::string& branch_id,
                             const std::string& how) {
    const Json branches = items_in(details, "branches");
    const auto found = std::ranges::find_if(
        branches, [&](const Json& branch) { return text_in(branch, "branch_id") == branch_id; });
    if (found == branches.end()) return "";
    const std::string participant = printable(text_in(*found, "participant"));
    const std::string state = text_in(*found, "state");
    const bool is_told = state == "committing" || state == "rolling_back";
    const bool is_undone_first =
        how == "discarded" ||
        (how == "by_hand" && (state == "executing" || state == "dead_letter"));
    if (is_stranded(*found) && is_undone_first)
        return participant +
               " is not configured, so what it may have done can't be undone: this branch ends "
               "once it is configured again. --how gone ends it now.";
    if (is_stranded(*found) && how == "by_hand" && is_told)
        return "Nobody waits for this branch any more. Once " + participant +
               " is configured again, it is told the decision all the same.";
    if (how == "by_hand" && is_told)
        return participant +
               " holds this branch prepared. Nobody waits for it any more, and it is " +
               "told the decision all the same: it will be " +
               (state == "committing" ? "committed" : "rolled back") + " there.";
    if (how == "by_hand") return "Nothing more is sent to " + participant + " for this branch.";
    if (how == "gone")
        return participant + " is told nothing more of this branch. " +
               (is_told || !text_in(*found, "still_told").empty()
                    ? "If it comes back and asks, it is told the decision."
                    : "What it has done of it, nobody undoes.");
    if (how == "discarded")
        return "What " + participant + " may have done is undone first; then nobody delivers it.";
    return "";
}

std::string dead_letters_text(const Json& items, const std::string& flags) {
    const bool has_removed = std::ranges::any_of(items, is_stranded);
    Table table({"GID", "BRANCH", "PARTICIPANT", "OPERATION", "BUSINESS KEY", "TRIES", "ERROR"});
    for (const Json& item : items)
        table.add({text_in(item, "gid"),
                   text_in(item, "branch_id"),
                   text_in(item, "participant") + (is_stranded(item) ? removed_mark : ""),
                   text_in(item, "operation"),
                   business_key(item),
                   text_in(item, "attempts"),
                   text_in(item, "last_error")});
    const std::string resolve =
        "  recoveryctl resolve" + flags + " GID --branch BRANCH --reason WHY --how ";
    return table.text() + "\nWhat can be done:\n" + resolve + "retry      # try again, now\n" +
           resolve + "discarded  # nobody will deliver it\n" +
           (has_removed ? resolve + "gone       # its participant won't be back\n" : "");
}

std::string participants_text(const Json& items) {
    Table table({"PARTICIPANT",
                 "ENDPOINT",
                 "AVAILABLE",
                 "HEARD",
                 "WAITING",
                 "IN FLIGHT",
                 "LAST ERROR",
                 "HELD FOR"});
    for (const Json& item : items)
        table.add({text_in(item, "participant"),
                   text_in(item, "endpoint"),
                   text_in(item, "available"),
                   text_in(item, "heard"),
                   text_in(item, "waiting"),
                   text_in(item, "in_flight"),
                   text_in(item, "last_error"),
                   text_in(item, "held_for")});
    return table.text();
}

std::string members_text(const Json& object) {
    Table table({"WHAT", "VALUE"});
    for (const auto& [name, value] : object.items()) {
        if (!value.is_object()) {
            table.add({name, text_in(object, name.c_str())});
            continue;
        }
        for (const auto& [inner, inner_value] : value.items())
            table.add({name + "." + inner, text_in(value, inner.c_str())});
    }
    return table.text();
}

}  // namespace twophase::recoveryctl
