#include "tests/conformance/report.hpp"

#include "http/json.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <iomanip>
#include <memory>
#include <set>
#include <string>

namespace twophase::conformance {
namespace {

using http::Json;

constexpr int name_width = 26;

std::size_t count(const std::vector<Outcome>& outcomes, Verdict verdict) {
    return static_cast<std::size_t>(
        std::ranges::count(outcomes, verdict, [](const Outcome& one) { return one.verdict; }));
}

const char* for_people(Verdict verdict) {
    switch (verdict) {
        case Verdict::held: return "held";
        case Verdict::did_not_hold: return "DID NOT HOLD";
        case Verdict::not_offered: return "not offered";
        case Verdict::not_asked:
        case Verdict::blocked: return "not checked";
    }
    return "";
}

const char* for_programs(Verdict verdict) {
    switch (verdict) {
        case Verdict::held: return "held";
        case Verdict::did_not_hold: return "did_not_hold";
        case Verdict::not_asked: return "not_asked";
        case Verdict::not_offered: return "not_offered";
        case Verdict::blocked: return "blocked";
    }
    return "";
}

std::string needs_of(const Check& check) {
    constexpr const char* options[] = {
        "--refused-payload", "--batch", "--restart", "--saga", "--listen", "--observe"};
    std::string text;
    for (unsigned bit = 0; bit < std::size(options); ++bit)
        if ((check.needs >> bit & 1) != 0)
            text += std::string(text.empty() ? "" : " ") + options[bit];
    return text;
}

void write_breach(std::ostream& out, const Outcome& outcome) {
    const Check& check = *outcome.check;
    out << "\n"
        << check.name << ": " << check.claim << "\n"
        << "  sent          " << outcome.failure.sent << "\n"
        << "  came          " << outcome.failure.came << "\n"
        << "  expected      " << outcome.failure.expected << "\n"
        << "  the contract  " << check.contract << "\n"
        << "  why           " << check.why << "\n";
}

/// What the participant does without is no breach, but whoever runs it should know.
void write_not_offered(std::ostream& out, const std::vector<Outcome>& outcomes) {
    std::set<std::string> reasons;
    for (const Outcome& outcome : outcomes)
        if (outcome.verdict == Verdict::not_offered) reasons.insert(outcome.why);
    for (const std::string& reason : reasons)
        out << "not offered, as the contract permits: " << http::for_log(reason) << "\n";
}

Json to_json(const Outcome& outcome) {
    const Check& check = *outcome.check;
    Json json{{"group", check.group},
              {"name", check.name},
              {"claim", check.claim},
              {"verdict", for_programs(outcome.verdict)}};
    if (!outcome.why.empty()) json["reason"] = outcome.why;
    if (outcome.verdict == Verdict::did_not_hold)
        json["breach"] = {{"sent", outcome.failure.sent},
                          {"came", outcome.failure.came},
                          {"expected", outcome.failure.expected},
                          {"contract", check.contract},
                          {"why", check.why}};
    return json;
}

}  // namespace

Watcher progress_on(std::ostream& out) {
    const auto group = std::make_shared<std::string>();
    return {.begins =
                [&out, group](const Check& check) {
                    if (*group != check.group) out << "\n" << check.group << "\n";
                    *group = check.group;
                    out << "  " << std::left << std::setw(name_width) << check.name << std::flush;
                },
            .ends =
                [&out](const Outcome& outcome) {
                    out << std::left << std::setw(14) << for_people(outcome.verdict);
                    if (outcome.why.empty())
                        out << outcome.check->claim;
                    else
                        out << "(" << http::for_log(outcome.why) << ")";
                    out << "\n" << std::flush;
                }};
}

void write_report(std::ostream& out, const std::vector<Outcome>& outcomes) {
    for (const Outcome& outcome : outcomes)
        if (outcome.verdict == Verdict::did_not_hold) write_breach(out, outcome);
    const std::size_t blocked = count(outcomes, Verdict::blocked);
    out << "\n"
        << count(outcomes, Verdict::held) << " held, " << count(outcomes, Verdict::did_not_hold)
        << " did not hold, " << blocked + count(outcomes, Verdict::not_asked) << " not checked";
    if (blocked > 0) out << ", of which " << blocked << " because something else went wrong";
    out << "\n";
    write_not_offered(out, outcomes);
}

void write_json(std::ostream& out, const Options& options, const std::vector<Outcome>& outcomes) {
    Json checks = Json::array();
    for (const Outcome& outcome : outcomes) checks.push_back(to_json(outcome));
    out << http::dump_replacing({{"base_url", options.base.text()},
                                 {"participant", options.participant},
                                 {"coordinator", options.coordinator},
                                 {"held", count(outcomes, Verdict::held)},
                                 {"did_not_hold", count(outcomes, Verdict::did_not_hold)},
                                 {"not_asked", count(outcomes, Verdict::not_asked)},
                                 {"not_offered", count(outcomes, Verdict::not_offered)},
                                 {"blocked", count(outcomes, Verdict::blocked)},
                                 {"exit_code", exit_code(outcomes)},
                                 {"checks", std::move(checks)}})
        << "\n";
}

void write_list(std::ostream& out) {
    for (const Check& check : all_checks()) {
        const std::string needs = needs_of(check);
        out << std::left << std::setw(13) << check.group << std::setw(name_width) << check.name
            << check.claim << (needs.empty() ? "" : " [" + needs + "]") << "\n";
    }
}

int exit_code(const std::vector<Outcome>& outcomes) {
    const bool is_clean = std::ranges::all_of(outcomes, [](const Outcome& one) {
        return one.verdict == Verdict::held || one.verdict == Verdict::not_asked ||
               one.verdict == Verdict::not_offered;
    });
    return is_clean ? 0 : 1;
}

}  // namespace twophase::conformance
