#include "tests/conformance/run.hpp"

#include <algorithm>

namespace twophase::conformance {
namespace {

bool is_named(const Check& check, const std::string& name) {
    return name == check.group || name == check.name;
}

bool is_selected(const Check& check, const std::vector<std::string>& only) {
    return only.empty() || std::ranges::any_of(only, [&](const std::string& name) {
               return is_named(check, name);
           });
}

/// The option that the check needs and that was not given; empty when there is all.
std::string missing_option(const Check& check, const Options& options) {
    const struct {
        Needs need;
        bool is_given;
        const char* option;
    } table[] = {
        {refused_payload, !options.refused_payload.empty(), "--refused-payload"},
        {batch, options.batch > 0, "--batch"},
        {restart, options.restart != nullptr, "--restart"},
        {saga, options.is_saga, "--saga"},
        {listen, options.listen.has_value(), "--listen"},
        {observe, options.observe != nullptr, "--observe"},
        {fill, options.fill != nullptr, "--fill"},
    };
    for (const auto& row : table)
        if ((check.needs & row.need) != 0 && !row.is_given) return row.option;
    return "";
}

Outcome outcome_of(const Check& check, Session& session) {
    Outcome outcome{.check = &check, .verdict = Verdict::held, .why = {}, .failure = {}};
    try {
        check.run(session);
    } catch (const DidNotHold& failure) {
        outcome.verdict = Verdict::did_not_hold;
        outcome.failure = failure;
    } catch (const NotOffered& without) {
        outcome.verdict = Verdict::not_offered;
        outcome.why = without.why;
    } catch (const CannotCheck& cannot) {
        outcome.verdict = Verdict::blocked;
        outcome.why = cannot.why;
    }
    session.end_begun();
    return outcome;
}

}  // namespace

const std::vector<Check>& all_checks() {
    static const std::vector<Check> checks = [] {
        std::vector<Check> all;
        for (const auto& part : {vote_checks(),
                                 end_checks(),
                                 identity_checks(),
                                 epoch_checks(),
                                 in_doubt_checks(),
                                 batch_checks(),
                                 hostile_checks(),
                                 concurrency_checks(),
                                 effects_checks(),
                                 saga_checks(),
                                 inquiry_checks(),
                                 log_checks(),
                                 restart_checks(),
                                 full_checks()})
            all.insert(all.end(), part.begin(), part.end());
        return all;
    }();
    return checks;
}

std::vector<Outcome> run(const Options& options, const Watcher& watcher) {
    Session session(options);
    session.go_on_with_known_log();
    std::vector<Outcome> outcomes;
    for (const Check& check : all_checks()) {
        if (!is_selected(check, options.only)) continue;
        watcher.begins(check);
        const std::string missing = missing_option(check, options);
        if (missing.empty())
            outcomes.push_back(outcome_of(check, session));
        else
            outcomes.push_back({.check = &check,
                                .verdict = Verdict::not_asked,
                                .why = "no " + missing,
                                .failure = {}});
        watcher.ends(outcomes.back());
    }
    session.end_all();
    return outcomes;
}

std::string unreachable(const Options& options) {
    Request request;
    request.method = "GET";
    request.target = "/in-doubt?limit=1";
    return Caller(options.base, options.timeout).call(request).failure;
}

std::string unknown_name(const std::vector<std::string>& only) {
    for (const std::string& name : only)
        if (std::ranges::none_of(all_checks(),
                                 [&](const Check& check) { return is_named(check, name); }))
            return name;
    return "";
}

}  // namespace twophase::conformance
