// Requests that are no messages.
#include "http/json.hpp"
#include "tests/conformance/checks.hpp"

namespace twophase::conformance {
namespace {

/// Whether the body is a problem document with a code. An answer may quote what was wrong, which a
/// coordinator never sends and which our own reader, stricter than JSON, refuses: U+0000, too deep.
bool has_code(const Answer& answer) {
    const http::Json body = http::Json::parse(answer.body, nullptr, false);
    const auto code = body.is_object() ? body.find("code") : body.end();
    return code != body.end() && code->is_string() && *code != "";
}

/// What can't be read names no branch, so only the code can be asked for.
void expect_unreadable(const Answer& answer) {
    const bool is_refused = answer.status == 400 || answer.status == 413 || answer.status == 422;
    expect(is_refused && has_code(answer),
           answer,
           R"(400 (or 413, 422) with a problem document {"code":"...",...})");
}

/// Many servers look at the Content-Type first, and where nothing is there say 415, as they may
/// (RFC 9110 15.5.16); that answer is the server's, so it needs no code.
void expect_no_content(const Answer& answer) {
    if (answer.status != 415) expect_unreadable(answer);
}

void not_json(Session& s) {
    const Branch branch = s.fresh();
    const std::string whole = to_json(s.message(Verb::prepare, branch));
    for (const std::string& body : {std::string("{"),
                                    std::string("gid=1&branch_id=1"),
                                    whole.substr(0, whole.size() - 1),
                                    whole + whole,
                                    std::string("7"),
                                    std::string("null"),
                                    std::string("\"prepare\"")})
        expect_unreadable(s.send(raw_request(Verb::prepare, body, branch)));
    expect_no_content(s.send(raw_request(Verb::prepare, "", branch)));
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void too_deep(Session& s) {
    constexpr std::size_t depth = 100'000;
    Message message = s.message(Verb::prepare, s.fresh());
    message.payload = R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
    expect_unreadable(s.send(raw_request(Verb::prepare, to_json(message))));
    expect_yes(s.prepare(s.fresh()));
}

void missing_members(Session& s) {
    const Branch branch = s.fresh();
    for (const Verb verb : {Verb::prepare, Verb::commit, Verb::rollback}) {
        const Members whole = members_of(s.message(verb, branch));
        for (const auto& [name, value] : whole) {
            const bool is_optional = name == "low_water" || name == "origin" ||
                                     name == "business_code" || name == "business_id";
            if (is_optional) continue;
            const bool names_branch = name != "gid" && name != "branch_id";
            expect_fault(s.send(raw_request(verb, to_json(without(whole, name)), branch)),
                         names_branch);
        }
    }
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void wrong_types(Session& s) {
    const Branch branch = s.fresh();
    const Members whole = members_of(s.message(Verb::prepare, branch));
    const std::string long_text = '"' + std::string(300, 'a') + '"';
    const std::pair<const char*, std::string> wrong[] = {
        {"gid", "7"},
        {"gid", "\"\""},
        {"gid", "\"../../etc/passwd\""},
        {"gid", long_text},
        {"branch_id", "1"},
        {"branch_id", "{}"},
        {"branch_id", "\"\""},
        {"participant", "null"},
        {"coordinator", "[]"},
        {"epoch", '"' + std::to_string(s.epoch()) + '"'},
        {"epoch", "-1"},
        {"epoch", "1.5"},
        {"epoch", "true"},
        {"operation", "7"},
        {"payload", "\"text\""},
        {"payload", "null"},
    };
    for (const auto& [name, value] : wrong) {
        const bool names_branch = std::string(name) != "gid" && std::string(name) != "branch_id";
        expect_fault(s.send(raw_request(Verb::prepare, to_json(with(whole, name, value)), branch)),
                     names_branch);
    }
    // A strict parser refuses the whole text, and then can't name what it did not read.
    const std::string with_nul = '"' + branch.gid.substr(1) + "\\u0000\"";
    expect_unreadable(
        s.send(raw_request(Verb::prepare, to_json(with(whole, "gid", with_nul)), branch)));
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void content_type(Session& s) {
    const Branch branch = s.fresh();
    for (const char* type : {"text/plain", "application/x-www-form-urlencoded"}) {
        Request request = request_of(s.message(Verb::prepare, branch));
        request.content_type = type;
        const Answer answer = s.send(request);
        expect(answer.status == 415 || answer.status == 400,
               answer,
               "415 (or 400): " + std::string(type) + " is not application/json");
    }
    expect_problem(s.commit(branch), 404, "never_prepared");
}

void method(Session& s) {
    const Branch branch = s.prepared().branch;
    for (const char* name : {"GET", "PUT", "DELETE"}) {
        for (const Verb verb : {Verb::commit, Verb::rollback}) {
            Request request = request_of(s.message(verb, branch));
            request.method = name;
            if (request.method == "GET") request.body.clear();
            const Answer answer = s.caller().call(request);
            // A server need not know every method (RFC 9110 15.6.2).
            const bool is_refused = answer.status >= 400 && answer.status < 500;
            expect(is_refused || answer.status == 501, answer, "405 (or another 4xx, or 501)");
        }
    }
    Request stranger = request_of(s.message(Verb::commit, branch));
    stranger.target = "/frobnicate";
    const Answer answer = s.caller().call(stranger);
    expect(answer.status >= 400 && answer.status < 500, answer, "404 (or another 4xx)");
    expect_state(s.rollback(branch), "rolled_back");
}

void problem_document(Session& s) {
    const Answer answer = s.commit(s.fresh());
    expect(answer.status == 404 && answer.content_type.starts_with("application/problem+json"),
           answer,
           "404 with Content-Type: application/problem+json");
}

}  // namespace

std::vector<Check> hostile_checks() {
    constexpr const char* faults =
        "400, 413, 415, 422 with this contract's body: problem+json with "
        R"({"gid","branch_id","code","message"})";
    constexpr const char* gate =
        "POST {base}/prepare|commit|rollback|execute|compensate, JSON; 415, and other 4xx, are "
        "no's; 501 for a method that the server does not know";
    return {
        {.group = "hostile",
         .name = "not-json",
         .claim = "what is not a JSON object is a 400 (415 where nothing was sent)",
         .contract = faults,
         .why = "a 5xx is no answer, so a coordinator would ask again for ever",
         .run = not_json},
        {.group = "hostile",
         .name = "too-deep",
         .claim = "a hundred thousand nested arrays are a 400, and the next request is served",
         .contract = faults,
         .why = "a parser that recurses into it ends the process, and with it everybody's branches",
         .run = too_deep},
        {.group = "hostile",
         .name = "missing-members",
         .claim = "a message without one of its members is a 400 and changes nothing",
         .contract = faults,
         .why = "a guessed member promises or ends what nobody asked for",
         .run = missing_members},
        {.group = "hostile",
         .name = "wrong-types",
         .claim = "a member of another type, or an id that is no id, is a 400 and changes nothing",
         .contract = faults,
         .why = "1.5 read as 1, or \"7\" as 7, makes two readers see two messages",
         .run = wrong_types},
        {.group = "hostile",
         .name = "content-type",
         .claim = "a body that isn't application/json is a 415",
         .contract = gate,
         .why = "any page in a browser may post text/plain to a service inside",
         .run = content_type},
        {.group = "hostile",
         .name = "method",
         .claim = "another method (501, too) or another path is a 4xx and changes nothing",
         .contract = gate,
         .why = "links and caches send GET; none may end a branch",
         .run = method},
        {.group = "hostile",
         .name = "problem-document",
         .claim = "a 4xx is a problem document",
         .contract = R"(4xx: problem+json with {"gid","branch_id","code","message"})",
         .why = "so that proxies and people can tell a participant's answer from an error page",
         .run = problem_document},
    };
}

}  // namespace twophase::conformance
