#include "recovery/recoveryctl/log_commands.hpp"

#include "http/client.hpp"
#include "http/endpoint.hpp"
#include "http/text.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/query.hpp"
#include "recovery/recoveryctl/table.hpp"
#include "recovery/recoveryctl/terminal.hpp"
#include "wal/store.hpp"

#include <cerrno>
#include <chrono>
#include <ostream>
#include <utility>

namespace twophase::recoveryctl {
namespace {

constexpr std::chrono::hours limit{12};  // many transactions may be settled

Json ask(const std::string& url, http::Call call) {
    auto peer = http::Endpoint::parse(url);
    if (!peer)
        throw Failure(
            Exit::not_possible,
            "'" + url + "' is no address: http://host:port, or file:/path of an address file");
    const auto response = http::call_once(*peer, std::move(call), limit);
    if (!response)
        throw Failure(Exit::not_possible,
                      peer->text() + ": " + response.error().message() + "; does it run there?");
    return read_answer(*response, peer->text());
}

Json get(const std::string& url, const std::string& target) {
    return ask(url, {.method = "GET", .target = target});
}

Json post(const LogOrder& order, const std::string& target, Json body) {
    body["reason"] = order.reason;
    http::Call call{.method = "POST", .target = target, .body = http::dump_replacing(body)};
    call.headers.push_back({"X-Actor", order.who});
    return ask(order.url, std::move(call));
}

void tell(const Output& output, const Json& answer, const std::string& text) {
    output.out << (output.is_json ? http::dump_replacing(answer) : printable(text)) << "\n";
}

std::string names(const Json& object, const char* member) {
    std::string text;
    for (const Json& each : items_in(object, member))
        text += (text.empty() ? "" : ", ") +
                printable(each.is_string() ? each.get<std::string>() : http::dump_replacing(each));
    return text;
}

std::string branches_of(const Json& lost) {
    std::string text;
    for (const Json& branch : items_in(lost, "branches"))
        text += (text.empty() ? "" : " ") + text_in(branch, "participant") + "/" +
                text_in(branch, "branch_id") + "=" + text_in(branch, "state");
    return text;
}

[[noreturn]] void fail(const wal::StoreError& error) {
    const bool is_usage = error.code() == EBUSY || error.code() == EEXIST ||
                          error.code() == ENOENT || error.code() == ENOTEMPTY ||
                          error.code() == EINVAL;
    throw Failure(is_usage ? Exit::not_possible : Exit::unreadable, error.what());
}

}  // namespace

Exit show_log(const std::string& url, const Output& output) {
    const Json log = get(url, "/v1/log");
    if (output.is_json) {
        output.out << http::dump_replacing(log) << "\n";
        return Exit::done;
    }
    output.out << "coordinator " << printable(text_in(log, "coordinator")) << ", log "
               << printable(text_in(log, "log")) << ", epoch " << text_in(log, "epoch")
               << ", position " << text_in(log, "position") << "\n"
               << "state: " << printable(text_in(log, "state")) << "\n";
    if (const std::string why = text_in(log, "why_it_replaces"); !why.empty())
        output.out << "a successor: " << printable(why) << "\n";
    if (const std::string detail = text_in(log, "detail"); !detail.empty())
        output.out << printable(detail) << "\n";
    for (const auto& [member, title] : {std::pair("replaces", "takes the place of"),
                                        std::pair("unheard", "not heard yet"),
                                        std::pair("unlisted", "branches not read yet")})
        if (const std::string all = names(log, member); !all.empty())
            output.out << title << ": " << all << "\n";
    return Exit::done;
}

Exit accept_log(const LogOrder& order,
                const std::vector<std::string>& left_out,
                const Output& output) {
    Json body = Json::object();
    if (!left_out.empty()) body["leave_out"] = left_out;
    tell(output, post(order, "/v1/log/accept", body), "accepted: the log is open");
    return Exit::done;
}

Exit list_lost(const std::string& url, const Output& output) {
    Json items = Json::array();
    Json page;
    std::string after;
    do {
        std::string query = "?limit=500";
        add_to_query(query, "after", after);
        page = get(url, "/v1/lost" + query);
        for (const Json& item : items_in(page, "items")) items.push_back(item);
        after = text_in(page, "next");
    } while (!after.empty());
    const Exit exit = items.empty() ? Exit::done : Exit::findings;
    if (output.is_json) {
        page["items"] = std::move(items);
        page.erase("next");
        output.out << http::dump_replacing(page) << "\n";
        return exit;
    }
    Table table({"GID", "BUSINESS KEY", "PROVEN", "BRANCHES"});
    for (const Json& item : items)
        table.add({text_in(item, "gid"),
                   text_in(item, "business_code") + " " + text_in(item, "business_id"),
                   text_in(item, "proven").empty() ? "nothing" : text_in(item, "proven"),
                   branches_of(item)});
    if (!table.is_empty()) output.out << table.text() << "\n";
    output.out << items.size() << " transactions of a lost log wait to be settled\n";
    if (const std::string all = names(page, "unlisted"); !all.empty())
        output.out << "not read yet: " << all << "\n";
    if (const std::string all = names(page, "listless"); !all.empty())
        output.out << "these give no list of their branches, so what they hold is not known: "
                   << all << "\n";
    if (!items.empty())
        output.out
            << "Not known of any: branches that no participant was ever asked for (of a saga, of "
               "an "
               "eventual delivery).\n"
               "recoveryctl settle-proven --reason TEXT settles what is proven; the rest one by "
               "one:\n"
               "recoveryctl resolve GID --how commit|rollback --reason TEXT\n";
    return exit;
}

Exit settle_proven(const LogOrder& order, const Output& output) {
    const Json answer = post(order, "/v1/lost/settle", Json::object());
    tell(output, answer, text_in(answer, "settled") + " settled");
    return Exit::done;
}

Exit accept_store(const LogOrder& order, const std::string& participant, const Output& output) {
    const Json answer =
        post(order,
             "/v1/participants/" + http::percent_encode(participant) + "/accept-store",
             Json::object());
    tell(output, answer, "accepted: " + participant + " is talked to as it is");
    return Exit::done;
}

Exit forget_log(const LogOrder& order, const std::string& coordinator, const Output& output) {
    const Json answer = post(
        order, "/v1/coordinators/" + http::percent_encode(coordinator) + "/forget", Json::object());
    tell(output,
         answer,
         "forgotten: the next log of coordinator " + coordinator +
             " that its URL confirms is "
             "listened to");
    return Exit::done;
}

Exit succeed(const SuccessionOrder& order, bool is_sure, const Output& output) {
    std::vector<wal::Token> replaced;
    for (const std::string& text : order.of) {
        const auto token = wal::parse_token(text);
        if (!token)
            throw Failure(Exit::not_possible,
                          "--of " + text + ": an identity is 32 hexadecimal digits in lower case");
        replaced.push_back(*token);
    }
    if (!output.is_json)
        output.out << "The new log takes the place of the lost one for good: its participants will "
                      "refuse the lost one.\nIt starts closed and only reads from them; look at "
                      "recoveryctl lost, then recoveryctl accept.\nKeep the lost store if it turns "
                      "up: recoveryctl list --data reads it, as evidence.\n";
    if (!is_sure && !confirm("Make " + printable(order.data) + " the successor?"))
        throw Failure(Exit::findings, "nothing was changed");
    try {
        const wal::StoreIdentity made =
            wal::succeed(order.data, "coordinator", replaced, order.who + ": " + order.reason);
        Json all = Json::array();
        for (const wal::Token& each : made.replaces) all.push_back(to_text(each));
        tell(output,
             {{"log", to_text(made.log)}, {"replaces", std::move(all)}},
             "log " + to_text(made.log) + " is the successor; start the coordinator with --data " +
                 shell_word(order.data));
    } catch (const wal::StoreError& error) {
        fail(error);
    }
    return Exit::done;
}

Exit hand_over(const std::string& from, const std::string& to, bool is_sure, const Output& output) {
    if (!output.is_json)
        output.out << "The store is copied to " << printable(to) << " and goes on there; "
                   << printable(from) << " never starts again.\n";
    if (!is_sure && !confirm("Hand " + printable(from) + " over to " + printable(to) + "?"))
        throw Failure(Exit::findings, "nothing was changed");
    try {
        wal::hand_over(from, to);
    } catch (const wal::StoreError& error) {
        fail(error);
    }
    tell(output,
         {{"handed_over", from}, {"to", to}},
         "handed over; start it with --data " + shell_word(to));
    return Exit::done;
}

}  // namespace twophase::recoveryctl
