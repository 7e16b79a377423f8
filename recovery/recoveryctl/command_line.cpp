#include "recovery/recoveryctl/command_line.hpp"

#include "http/text.hpp"
#include "recovery/common_settings.hpp"
#include "recovery/recoveryctl/audit_options.hpp"
#include "recovery/recoveryctl/offline.hpp"
#include "recovery/recoveryctl/participant_store.hpp"
#include "recovery/recoveryctl/remote.hpp"
#include "recovery/recoveryctl/terminal.hpp"
#include "recovery/recoveryctl/words.hpp"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace twophase::recoveryctl {
namespace {

constexpr std::size_t longest_reason = 1024;  // the coordinator's limit

std::string environment(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
    return value == nullptr ? "" : value;
}

/// As GET /v1/transactions takes them.
constexpr const char* states =
    "preparing, executing, committing, rolling_back, compensating, committed, rolled_back, "
    "needs_attention, unfinished, urgent";

std::string is_state(const std::string& text) {
    const std::string all = states;
    if ((", " + all + ",").find(", " + text + ",") != std::string::npos) return "";
    return "'" + text + "' is no state; there are: " + all;
}

}  // namespace

bool permits_any_filesystem() { return environment("TWOPHASE_TEST_ANY_FILESYSTEM") == "1"; }

std::string user_name() {
    const std::string user = environment("USER");
    return http::is_header_value(user) && !user.empty() ? user
                                                        : "uid " + std::to_string(::getuid());
}

CommandLine::CommandLine() {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", "recoveryctl 0.1.0");
    app_.footer(
        "Exit codes: 0 done, nothing wrong; 1 findings: damage, no such transaction, refused; "
        "2 wrong usage, nobody answers, or the store is in use; 3 the store can't be read.\n"
        "Start with: recoveryctl list");
    add_list();
    add_show();
    add_retry();
    add_resolve();
    add_verify();
    add_backup();
    add_restore();
    add_export();
    add_lookups();
    add_audit(app_, run_, is_json_);
    add_reconcile();
    add_log();
    add_words_on_logs();
    add_succession();
    add_rename_store();
    add_words_on_findings();
    add_log_level(app_);
}

/// To every command that does something.
void CommandLine::add_log_level(CLI::App& app) {
    const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
    for (CLI::App* command : commands) add_log_level(*command);
    if (!commands.empty()) return;
    app.add_option("--log-level",
                   log_level_,
                   "What the programs' own code logs to standard error beside the answer: trace, "
                   "debug, info, warning or error; else only what ends it")
        ->check(CLI::IsMember(recovery::log_levels()));
}

CLI::App* CommandLine::add(const char* name, const char* about, const char* example) {
    CLI::App* command = app_.add_subcommand(name, about);
    command->footer(std::string("Example: ") + example);
    command->add_flag("--json", is_json_, "Answer in JSON, for programs");
    return command;
}

CLI::App* CommandLine::add_with_source(const char* name, const char* about, const char* example) {
    CLI::App* command = add(name, about, example);
    auto* running = command
                        ->add_option("--coordinator",
                                     coordinator_,
                                     "A running coordinator: http://host:port or "
                                     "file:/path of its address file [TWOPHASE_COORDINATOR, "
                                     "else http://127.0.0.1:7070]")
                        ->check(not_empty);
    command->add_option("--data", data_, "The log of a stopped coordinator: its data directory")
        ->check(not_empty)
        ->excludes(running);
    return command;
}

void CommandLine::add_gid(CLI::App* command) {
    command->add_option("gid", gid_, "The transaction, as list prints it")->required();
}

void CommandLine::add_yes(CLI::App* command) {
    command->add_flag("--yes", is_sure_, "Do not ask; needed where there is no terminal");
}

void CommandLine::add_list() {
    auto* command = add_with_source("list",
                                    "Lists what is unfinished, what needs a person first.",
                                    "recoveryctl list --participant credit");
    command->add_option("--state", list_.filter.state, std::string("Only this state: ") + states)
        ->check(is_state);
    command->add_option("--participant", list_.filter.participant, "Only with this participant");
    auto* code = command->add_option(
        "--business-code", list_.filter.business_code, "Only with this business code");
    command
        ->add_option("--business-id",
                     list_.filter.business_id,
                     "And this business id: all attempts, ended ones too")
        ->needs(code);
    command->add_option("--limit", list_.limit, "At most so many; 0 for all")
        ->capture_default_str();
    command->add_flag("--all", list_.is_all, "What is over, too; newest first");
    command->callback([this] {
        run_ = [this] {
            list_.is_all = list_.is_all || !list_.filter.business_id.empty();
            return list(*source(), list_, output());
        };
    });
}

void CommandLine::add_show() {
    auto* command = add_with_source("show",
                                    "Shows one transaction: branches, timeline, and what to try.",
                                    "recoveryctl show 01936b1c-3a70-7000-9c2f-5e2a7b4c0001");
    add_gid(command);
    command->callback([this] { run_ = [this] { return show(*source(), gid(), output()); }; });
}

void CommandLine::add_retry() {
    auto* command =
        add_with_source("retry",
                        "Makes waiting deliveries due now; only a running coordinator delivers.",
                        "recoveryctl retry --all");
    auto* gid_option = command->add_option("gid", gid_, "The transaction, as list prints it");
    command->add_flag("--all", is_every_, "Every unfinished one")->excludes(gid_option);
    command->callback([this] {
        if (gid_.empty() && !is_every_) throw CLI::ValidationError("retry", "give a gid, or --all");
        run_ = [this] {
            const auto asked = source();
            return is_every_ ? retry_all(*asked, output()) : retry(*asked, gid(), output());
        };
    });
}

void CommandLine::add_resolve() {
    auto* command = add_with_source(
        "resolve",
        "Writes down a person's decision on a transaction, or ends one branch of it by hand.",
        "recoveryctl resolve 01936b1c-3a70-7000-9c2f-5e2a7b4c0001 --branch 2 --how by-hand "
        "--reason 'coupon 17 cancelled at the shop'");
    add_gid(command);
    command->add_option("--branch", resolve_.branch_id, "The branch to end, of a decided one");
    command
        ->add_option("--how",
                     resolve_.how,
                     "rollback (undecided), commit (undecided after a restore), by-hand "
                     "(the branch was put right elsewhere; who holds it prepared is told the "
                     "decision all the same), discarded (nobody will do it), retry (a dead letter: "
                     "deliver it again), gone (its participant won't be back)")
        ->required()
        ->check(CLI::IsMember({"rollback", "commit", "by-hand", "discarded", "retry", "gone"}));
    command->add_option("--reason", resolve_.reason, "Why; it stays in the log")->required();
    add_yes(command);
    command->callback([this] {
        run_ = [this] { return resolve(*source(), resolve_order(), is_sure_, output()); };
    });
}

void CommandLine::add_verify() {
    auto* command =
        add_with_source("verify",
                        "Checks every record, index and key of the log; exit code 1 with findings.",
                        "recoveryctl verify --data data/coordinator");
    command->callback([this] {
        run_ = [this] {
            if (is_participant_store(data_))
                return verify_participant(data_, permits_any_filesystem(), output());
            return verify(*source(), output());
        };
    });
}

void CommandLine::add_backup() {
    auto* command =
        add_with_source("backup",
                        "Copies the log: a running coordinator's under its backups directory "
                        "(--name), a stopped one's to --to.",
                        "recoveryctl backup --name monday");
    auto* name = command->add_option("--name", name_, "The backup's name, with --coordinator");
    command->add_option("--to", to_, "The directory to make, with --data")->excludes(name);
    command->callback([this] {
        run_ = [this] {
            const std::string target = backup_target();
            if (is_participant_store(data_))
                return back_up_participant(data_, target, permits_any_filesystem(), output());
            return back_up(*source(), target, output());
        };
    });
}

void CommandLine::add_restore() {
    auto* command =
        add("restore",
            "Makes a store that a coordinator can start on out of a backup, in a new directory.",
            "recoveryctl restore --from data/coordinator-backups/monday --to data/coordinator");
    command->add_option("--from", from_, "The backup's directory")->required();
    command->add_option("--to", to_, "The store's directory: absent or empty")->required();
    add_yes(command);
    command->callback(
        [this] { run_ = [this] { return restore(from_, to_, is_sure_, output()); }; });
}

void CommandLine::add_export() {
    auto* command = add_with_source("export",
                                    "Writes every transaction with its records, a line of JSON "
                                    "each, oldest first.",
                                    "recoveryctl export --to transactions.ndjson");
    to_ = "";
    command->add_option("--to", to_, "A file; - or nothing: standard output");
    command->callback([this] {
        run_ = [this] { return export_all(*source(), to_.empty() ? "-" : to_, output()); };
    });
}

void CommandLine::add_lookups() {
    add_with_source("participants",
                    "Shows how a running coordinator gets along with each participant.",
                    "recoveryctl participants")
        ->callback([this] { run_ = [this] { return participants(*source(), output()); }; });
    auto* letters = add_with_source("dead-letters",
                                    "Lists deliveries that were given up and wait for a person; "
                                    "exit code 1 when there are any.",
                                    "recoveryctl dead-letters --participant coupon");
    letters->add_option("--participant", list_.filter.participant, "Only to this participant");
    letters->callback([this] {
        run_ = [this] { return dead_letters(*source(), list_.filter.participant, output()); };
    });
    add_with_source("status",
                    "Shows the coordinator itself: id, epoch, what is live, room in its log.",
                    "recoveryctl status --json")
        ->callback([this] { run_ = [this] { return status(*source(), output()); }; });
}

std::string CommandLine::coordinator_url() const {
    if (!coordinator_.empty()) return coordinator_;
    const std::string url = environment("TWOPHASE_COORDINATOR");
    return url.empty() ? "http://127.0.0.1:7070" : url;
}

std::string CommandLine::participant_url() const {
    if (!participant_url_.empty()) return participant_url_;
    const std::string url = environment("TWOPHASE_PARTICIPANT");
    return url.empty() ? "http://127.0.0.1:7071" : url;
}

LogOrder CommandLine::log_order(const std::string& url) const {
    return {url, checked_reason(), user_name()};
}

const std::string& CommandLine::checked_reason() const {
    if (reason_.size() > longest_reason || !http::is_utf8(reason_))
        throw Failure(Exit::not_possible, "--reason: 1 to 1024 bytes of text");
    return reason_;
}

std::unique_ptr<Source> CommandLine::source() const {
    if (!data_.empty()) return std::make_unique<Offline>(data_, permits_any_filesystem());
    if (!coordinator_.empty())
        return std::make_unique<Remote>(coordinator_, " --coordinator " + shell_word(coordinator_));
    return std::make_unique<Remote>(coordinator_url(), "");
}

/// In canonical form: findings of verify name gids without hyphens.
std::string CommandLine::gid() const {
    std::string canonical = http::lower(gid_);
    const bool is_bare =
        canonical.size() == 32 && canonical.find_first_not_of("0123456789abcdef") == canonical.npos;
    if (!is_bare) return canonical;
    for (const std::size_t place : {20U, 16U, 12U, 8U}) canonical.insert(place, "-");
    return canonical;
}

ResolveOrder CommandLine::resolve_order() const {
    if (resolve_.reason.empty() || resolve_.reason.size() > longest_reason ||
        !http::is_utf8(resolve_.reason))
        throw Failure(Exit::not_possible, "--reason: 1 to 1024 bytes of text");
    ResolveOrder order = resolve_;
    order.gid = gid();
    order.who = user_name();
    std::ranges::replace(order.how, '-', '_');
    return order;
}

std::string CommandLine::backup_target() const {
    const bool is_offline = !data_.empty();
    if (is_offline && to_.empty())
        throw Failure(Exit::not_possible, "give --to DIR with --data: where to write the backup");
    if (!is_offline && name_.empty())
        throw Failure(Exit::not_possible,
                      "give --name NAME: the coordinator writes it under its backups directory");
    return is_offline ? to_ : name_;
}

int CommandLine::fail(Exit code, const std::string& why) const {
    std::cerr << "recoveryctl: " << printable(why) << "\n";
    if (is_json_)
        std::cout << http::dump_replacing(Json{{"error", why}, {"exit_code", int(code)}}) << "\n";
    return static_cast<int>(code);
}

int CommandLine::run(std::vector<std::string> words) {
    words = command_first(app_, std::move(words));
    if (const std::string wrong = unknown_command(app_, words); !wrong.empty())
        return fail(Exit::not_possible, wrong);
    std::ranges::reverse(words);  // as CLI11 takes them
    try {
        app_.parse(std::move(words));
    } catch (const CLI::ParseError& e) {
        return app_.exit(e) == 0 ? 0 : static_cast<int>(Exit::not_possible);
    }
    spdlog::set_level(spdlog::level::from_str(log_level_));
    try {
        const Exit exit = run_();
        std::cout.flush();
        if (!std::cout) return fail(Exit::not_possible, "can't write to standard output");
        return static_cast<int>(exit);
    } catch (const Failure& e) {
        return fail(e.code(), e.what());
    } catch (const std::exception& e) {
        return fail(Exit::unreadable, e.what());
    }
}

}  // namespace twophase::recoveryctl
