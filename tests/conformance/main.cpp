// participant-conformance: checks a participant, in whatever language, against its contract.
#include "http/text.hpp"
#include "tests/conformance/command.hpp"
#include "tests/conformance/payload.hpp"
#include "tests/conformance/report.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <iostream>
#include <string>

namespace twophase::conformance {
namespace {

constexpr int wrong_usage = 2;

struct Arguments {
    std::string base_url;
    std::string restart;
    std::string observe;
    std::string fill;
    std::string listen;
    std::string listen_file;
    std::int64_t timeout_ms = 5'000;
    std::int64_t inquiry_limit_ms = 60'000;
    std::int64_t restart_limit_ms = 60'000;
    bool is_json = false;
    bool is_list = false;
    Options options;
};

struct Usage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

void add_whom(CLI::App& app, Arguments& a) {
    app.add_option("base_url",
                   a.base_url,
                   "Where prepare, commit, ... are: http://host:port/base, or file:/path#/base of "
                   "an address file");
    app.add_option("--participant", a.options.participant, "The participant's name");
    app.add_option(
        "--coordinator",
        a.options.coordinator,
        "Who to be: an id that it knows an inquiry URL for, and that no real coordinator "
        "uses, as its epoch is raised");
    app.add_option("--operation", a.options.operation, "An operation that it offers");
    app.add_option("--payload",
                   a.options.payload,
                   "JSON of one that it can do, some dozen times over and eight at once");
    app.add_option(
        "--refused-payload", a.options.refused_payload, "JSON of one that it must refuse");
    app.add_option("--changed-payload",
                   a.options.changed_payload,
                   "JSON of another one than --payload [made from it]");
}

void add_how(CLI::App& app, Arguments& a) {
    app.add_option("--restart", a.restart, "A shell command that kills it and starts it again");
    app.add_option("--observe",
                   a.observe,
                   "A shell command that prints what it owns, without times and versions");
    app.add_option(
        "--fill",
        a.fill,
        "A shell command that fills its store until it takes no new work; it stays full");
    app.add_option("--listen",
                   a.listen,
                   "address:port where it asks its coordinator, to answer its inquiries there");
    app.add_option("--listen-file", a.listen_file, "A file to write the address of --listen to");
    app.add_option("--batch", a.options.batch, "It takes arrays: send so many messages in one")
        ->check(CLI::Range(1, 10'000));
    app.add_flag("--saga", a.options.is_saga, "It answers execute and compensate");
    app.add_option("--parallel", a.options.parallel, "Requests at the same time")
        ->check(CLI::Range(2, 256))
        ->capture_default_str();
    app.add_option("--only", a.options.only, "Groups or checks, as --list names them; repeatable")
        ->take_all();
    app.add_option("--timeout", a.timeout_ms, "ms for one answer")
        ->check(CLI::Range(1, 600'000))
        ->capture_default_str();
    app.add_option("--inquiry-limit", a.inquiry_limit_ms, "ms within which it must ask")
        ->check(CLI::Range(1, 3'600'000))
        ->capture_default_str();
    app.add_option("--restart-limit", a.restart_limit_ms, "ms until it answers after a restart")
        ->check(CLI::Range(1, 3'600'000))
        ->capture_default_str();
    app.add_flag(
        "--json", a.is_json, "One JSON object on standard output; progress goes to stderr");
    app.add_flag("--list", a.is_list, "Print all checks and end");
}

void require_id(const std::string& text, const char* option) {
    constexpr const char* allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    if (text.empty() || text.find_first_not_of(allowed) != text.npos)
        throw Usage(std::string(option) + ": needed, of A-Z a-z 0-9 _ - .");
}

void require_object(const std::string& text, const char* option) {
    if (!is_json_object(text)) throw Usage(std::string(option) + ": needed, a JSON object");
}

ListenAt parse_listen(const std::string& text, const std::string& file) {
    const std::size_t colon = text.rfind(':');
    ListenAt at{.address = text.substr(0, colon), .address_file = file};
    const char* end = text.data() + text.size();
    const char* begin = colon == text.npos ? end : text.data() + colon + 1;
    const auto [last, error] = std::from_chars(begin, end, at.port);
    if (at.address.empty() || error != std::errc{} || last != end)
        throw Usage("--listen: address:port, such as 127.0.0.1:7999");
    return at;
}

/// Checks what was given and fills in the rest.
void complete(Arguments& a) {
    Options& o = a.options;
    const auto base = http::Endpoint::parse(a.base_url);
    if (!base) throw Usage("base_url: needed, http://host:port/base");
    o.base = *base;
    require_id(o.participant, "--participant");
    require_id(o.coordinator, "--coordinator");
    require_id(o.operation, "--operation");
    require_object(o.payload, "--payload");
    if (!o.refused_payload.empty()) require_object(o.refused_payload, "--refused-payload");
    if (o.changed_payload.empty()) o.changed_payload = changed_copy(o.payload);
    require_object(o.changed_payload, "--changed-payload");
    if (const std::string name = unknown_name(o.only); !name.empty())
        throw Usage("--only: no group or check is called \"" + name + "\"; see --list");
    // Who names the group has said that the participant answers these verbs.
    o.is_saga = o.is_saga || std::ranges::find(o.only, "saga") != o.only.end();
    o.timeout = std::chrono::milliseconds(a.timeout_ms);
    o.inquiry_limit = std::chrono::milliseconds(a.inquiry_limit_ms);
    o.restart_limit = std::chrono::milliseconds(a.restart_limit_ms);
    if (!a.restart.empty()) o.restart = [command = a.restart] { return run_command(command); };
    if (!a.fill.empty()) o.fill = [command = a.fill] { return run_command(command); };
    if (!a.observe.empty()) o.observe = [command = a.observe] { return output_of(command); };
    if (!a.listen.empty()) o.listen = parse_listen(a.listen, a.listen_file);
}

int check(const Arguments& a) {
    if (const std::string why = unreachable(a.options); !why.empty())
        throw Usage(a.base_url + " does not answer GET /in-doubt: " + why);
    std::ostream& progress = a.is_json ? std::cerr : std::cout;
    progress << a.base_url << ", participant " << a.options.participant << ", as coordinator "
             << a.options.coordinator << "\n";
    const std::vector<Outcome> outcomes = run(a.options, progress_on(progress));
    if (a.is_json)
        write_json(std::cout, a.options, outcomes);
    else
        write_report(std::cout, outcomes);
    return exit_code(outcomes);
}

int main_of(int argc, const char* const* argv) {
    Arguments arguments;
    CLI::App app{"Checks a participant against the contract of two-phase commit, over HTTP.",
                 "participant-conformance"};
    app.footer(
        "Exit codes: 0 all that was asked for held; 1 something did not, or could not be checked; "
        "2 wrong usage, or nobody answers.");
    add_whom(app, arguments);
    add_how(app, arguments);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : wrong_usage;
    }
    try {
        if (arguments.is_list) {
            write_list(std::cout);
            return 0;
        }
        complete(arguments);
        return check(arguments);
    } catch (const std::exception& e) {
        std::cerr << "participant-conformance: " << http::for_log(e.what()) << "\n";
        return wrong_usage;
    }
}

}  // namespace
}  // namespace twophase::conformance

int main(int argc, char** argv) { return twophase::conformance::main_of(argc, argv); }
