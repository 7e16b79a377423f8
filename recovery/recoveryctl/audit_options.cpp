#include "recovery/recoveryctl/audit_options.hpp"

#include "recovery/recoveryctl/audit_commands.hpp"
#include "recovery/recoveryctl/audit_source.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace twophase::recoveryctl {
namespace {

/// What was given; shared by the callbacks.
struct Given {
    std::string url;
    std::string data;
    AuditFilter filter;
    std::size_t limit = 100;
    std::string to;

    std::unique_ptr<AuditSource> source() const {
        const auto variable = [](const char* name) {
            const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no threads yet
            return std::string(value == nullptr ? "" : value);
        };
        if (!data.empty())
            return stopped_audit(data, variable("TWOPHASE_TEST_ANY_FILESYSTEM") == "1");
        if (!url.empty()) return running_audit(url);
        const std::string fallback = variable("TWOPHASE_PARTICIPANT");
        return running_audit(fallback.empty() ? "http://127.0.0.1:7071" : fallback);
    }
};

std::string time_given(const std::string& option, const std::string& text) {
    if (text.empty()) return text;
    if (auto time = time_of(text)) return *std::move(time);
    throw Failure(Exit::not_possible,
                  option + ": '" + text + "' is no time: 2026-01-31T09:15:02Z, or 2026-01-31");
}

class AuditOptions {
public:
    AuditOptions(CLI::App& audit, std::function<Exit()>& run, bool& is_json)
        : audit_(audit), run_(run), is_json_(is_json) {}

    void add_list() {
        auto* command = add("list",
                            "Lists entries, newest first.",
                            "recoveryctl audit list --user-id ann --from 2026-01-31");
        AuditFilter& filter = given_->filter;
        command->add_option("--user-id", filter.user_id, "Only of this user");
        auto* code = command->add_option(
            "--business-code", filter.business_code, "Only with this business code");
        auto* id = command->add_option("--business-id", filter.business_id, "And this business id");
        code->needs(id);
        id->needs(code);
        command->add_option("--gid", filter.gid, "Only of this transaction");
        command->add_option(
            "--from",
            filter.from,
            "Not before 2026-01-31T09:15:02Z, or 2026-01-31 (its beginning in UTC)");
        command->add_option("--to", filter.to, "Before this time");
        command->add_option("--limit", given_->limit, "At most so many; 0 for all")
            ->capture_default_str();
        on(command, [](const Given& given, const Output& output) {
            AuditFilter asked = given.filter;
            asked.from = time_given("--from", asked.from);
            asked.to = time_given("--to", asked.to);
            return list_audit(*given.source(), asked, given.limit, output);
        });
    }

    void add_export() {
        auto* command = add("export",
                            "Writes every entry with its hashes, a line of JSON each, oldest "
                            "first.",
                            "recoveryctl audit export --to audit.ndjson");
        command->add_option("--to", given_->to, "A file; - or nothing: standard output");
        on(command, [](const Given& given, const Output& output) {
            return export_audit(*given.source(), given.to.empty() ? "-" : given.to, output);
        });
    }

    void add_verify() {
        auto* command = add("verify",
                            "Walks the chain of hashes and names the first entry that was "
                            "altered, removed or put elsewhere; exit code 1 then.",
                            "recoveryctl audit verify --data data/credit");
        on(command, [](const Given& given, const Output& output) {
            return verify_audit(*given.source(), output);
        });
    }

private:
    CLI::App* add(const char* name, const char* about, const char* example) {
        CLI::App* command = audit_.add_subcommand(name, about);
        command->footer(std::string("Example: ") + example);
        command->add_flag("--json", is_json_, "Answer in JSON, for programs");
        auto* running =
            command
                ->add_option("--participant-url",
                             given_->url,
                             "A running participant: http://host:port or file:/path of its "
                             "address file [TWOPHASE_PARTICIPANT, else http://127.0.0.1:7071]")
                ->check(not_empty);
        command
            ->add_option(
                "--data", given_->data, "The store of a stopped participant: its data directory")
            ->check(not_empty)
            ->excludes(running);
        return command;
    }

    template <class Command>
    void on(CLI::App* command, Command what) {
        command->callback([given = given_, &run = run_, &is_json = is_json_, what] {
            run = [given, &is_json, what] { return what(*given, {std::cout, is_json}); };
        });
    }

    CLI::App& audit_;
    std::function<Exit()>& run_;
    bool& is_json_;
    std::shared_ptr<Given> given_ = std::make_shared<Given>();
};

}  // namespace

void add_audit(CLI::App& app, std::function<Exit()>& run, bool& is_json) {
    CLI::App* audit = app.add_subcommand(
        "audit", "Lists, exports and checks a participant's audit log, running or stopped.");
    audit->require_subcommand(1);
    AuditOptions options(*audit, run, is_json);
    options.add_list();
    options.add_export();
    options.add_verify();
}

}  // namespace twophase::recoveryctl
