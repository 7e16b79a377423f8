// What can be said to recoveryctl: its subcommands and their options.
#pragma once

#include "recovery/recoveryctl/commands.hpp"
#include "recovery/recoveryctl/log_commands.hpp"
#include "recovery/recoveryctl/reconcile.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace twophase::recoveryctl {

/// Whose word a command is, as it is written down: the user, or its number.
std::string user_name();
/// For tests, whose folders are on no disk.
bool permits_any_filesystem();

/// The command line: options into members, the subcommand into `run_`.
class CommandLine {
public:
    CommandLine();
    int run(std::vector<std::string> words);

private:
    CLI::App* add(const char* name, const char* about, const char* example);
    CLI::App* add_with_source(const char* name, const char* about, const char* example);
    void add_gid(CLI::App* command);
    void add_yes(CLI::App* command);
    void add_list();
    void add_show();
    void add_retry();
    void add_resolve();
    void add_verify();
    void add_backup();
    void add_restore();
    void add_export();
    void add_lookups();
    void add_reconcile();
    void add_log();
    void add_words_on_logs();
    void add_succession();
    void add_rename_store();
    void add_words_on_findings();
    void add_log_level(CLI::App& app);
    CLI::App* add_remote(const char* name, const char* about, const char* example);
    void add_reason(CLI::App* command);
    std::string coordinator_url() const;
    std::string participant_url() const;
    LogOrder log_order(const std::string& url) const;
    const std::string& checked_reason() const;

    std::unique_ptr<Source> source() const;
    std::string gid() const;
    ResolveOrder resolve_order() const;
    std::string backup_target() const;
    Output output() const { return {std::cout, is_json_}; }
    int fail(Exit code, const std::string& why) const;

    CLI::App app_{
        "Looks after transactions that do not end by themselves, on a running coordinator "
        "(--coordinator URL) or on a stopped one's log (--data DIR).",
        "recoveryctl"};
    std::function<Exit()> run_;
    std::string coordinator_;
    std::string data_;
    bool is_json_ = false;
    bool is_sure_ = false;
    ListOrder list_;
    std::string gid_;
    bool is_every_ = false;
    ResolveOrder resolve_;
    std::string name_;
    std::string from_;
    std::string to_;
    ReconcileOrder reconcile_;
    std::string reason_;
    std::string participant_;
    std::string participant_url_;
    std::string coordinator_id_ = "main";
    std::vector<std::string> names_;
    std::string kind_;
    std::string subject_;
    std::string asked_id_;
    // What a start would log, the commands tell by themselves; a store that fails is told anyway.
    std::string log_level_ = "critical";
};

}  // namespace twophase::recoveryctl
