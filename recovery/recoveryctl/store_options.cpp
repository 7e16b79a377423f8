// The subcommands about logs and stores: lost, copied, restored, moved, damaged, renamed.
#include "recovery/recoveryctl/audit_options.hpp"
#include "recovery/recoveryctl/command_line.hpp"
#include "recovery/recoveryctl/participant_store.hpp"
#include "recovery/recoveryctl/words.hpp"

#include <string>
#include <utility>

namespace twophase::recoveryctl {

void CommandLine::add_reconcile() {
    auto* command = add("reconcile",
                        "A running participant holds its books against each other and against the "
                        "coordinators' logs; exit code 1 with findings.",
                        "recoveryctl reconcile --participant-url http://127.0.0.1:7072");
    command
        ->add_option("--participant-url",
                     reconcile_.url,
                     "http://host:port or file:/path of its address file "
                     "[TWOPHASE_PARTICIPANT, else http://127.0.0.1:7071]")
        ->check(not_empty);
    auto* accept = command->add_flag("--accept",
                                     reconcile_.is_acceptance,
                                     "Of a restored participant: take its books as they are after "
                                     "a reconciliation, and open it");
    auto* reason =
        command->add_option("--reason", reconcile_.reason, "Why; it stays in the audit log");
    reason->needs(accept);
    accept->needs(reason);
    command->callback([this] {
        run_ = [this] {
            participant_url_ = reconcile_.url;
            reconcile_.url = participant_url();
            reconcile_.who = user_name();
            return reconcile(reconcile_, output());
        };
    });
}

CLI::App* CommandLine::add_remote(const char* name, const char* about, const char* example) {
    CLI::App* command = add(name, about, example);
    command
        ->add_option("--coordinator",
                     coordinator_,
                     "A running coordinator: http://host:port or file:/path of its address file "
                     "[TWOPHASE_COORDINATOR, else http://127.0.0.1:7070]")
        ->check(not_empty);
    return command;
}

void CommandLine::add_reason(CLI::App* command) {
    command->add_option("--reason", reason_, "Why; it is written down")
        ->required()
        ->check(not_empty);
}

void CommandLine::add_log() {
    add_remote("log",
               "Shows which log a coordinator works on, and whether it may be believed.",
               "recoveryctl log")
        ->callback([this] { run_ = [this] { return show_log(coordinator_url(), output()); }; });
    add_remote("lost",
               "Lists transactions of a lost log, with what their branches prove; exit code 1 when "
               "there are any.",
               "recoveryctl lost")
        ->callback([this] { run_ = [this] { return list_lost(coordinator_url(), output()); }; });
}

void CommandLine::add_words_on_logs() {
    auto* accept = add_remote("accept",
                              "Opens a log that takes another's place, or whose file was moved.",
                              "recoveryctl accept --reason 'lost settled, books compared'");
    add_reason(accept);
    accept->add_option("--leave-out",
                       names_,
                       "Don't wait for this participant; it gets nothing until it was heard");
    accept->callback([this] {
        run_ = [this] { return accept_log(log_order(coordinator_url()), names_, output()); };
    });
    auto* settle = add_remote("settle-proven",
                              "Settles the transactions of a lost log whose outcome is proven.",
                              "recoveryctl settle-proven --reason 'the volume of 12 May is gone'");
    add_reason(settle);
    settle->callback([this] {
        run_ = [this] { return settle_proven(log_order(coordinator_url()), output()); };
    });
    auto* store = add_remote("accept-store",
                             "Takes a participant's store as it is, though another was there.",
                             "recoveryctl accept-store coupon --reason 'emptied for the demo'");
    store->add_option("participant", participant_, "As in the coordinator's settings")->required();
    add_reason(store);
    store->callback([this] {
        run_ = [this] {
            return accept_store(log_order(coordinator_url()), participant_, output());
        };
    });
    auto* forget =
        add("forget-log",
            "For development and demos: a running participant forgets which log a "
            "coordinator works on, and takes the next one.",
            "recoveryctl forget-log --participant-url http://127.0.0.1:7072 --reason demo");
    forget->add_option("--participant-url",
                       participant_url_,
                       "http://host:port or file:/path of its address file [TWOPHASE_PARTICIPANT, "
                       "else http://127.0.0.1:7071]");
    forget->add_option("--id", coordinator_id_, "The coordinator's id")->capture_default_str();
    add_reason(forget);
    forget->callback([this] {
        run_ = [this] {
            return forget_log(log_order(participant_url()), coordinator_id_, output());
        };
    });
}

void CommandLine::add_succession() {
    auto* command =
        add("succeed",
            "Makes a new, stopped log the successor of one that is lost for good.",
            "recoveryctl succeed --data data/coordinator --of 2f… --reason 'disk died'");
    command->add_option("--data", data_, "The new log: its data directory")->required();
    command->add_option("--of", names_, "The lost log's identity, as the refused start told it")
        ->required();
    add_reason(command);
    add_yes(command);
    command->callback([this] {
        run_ = [this] {
            return succeed({data_, names_, reason_, user_name()}, is_sure_, output());
        };
    });
    auto* move =
        add("hand-over",
            "Moves a stopped coordinator's log, or a participant's store, to another place.",
            "recoveryctl hand-over --data data/coordinator --to /mnt/new/coordinator");
    move->add_option("--data", data_, "The store's directory; it never starts again")->required();
    move->add_option("--to", to_, "The new directory: absent or empty")->required();
    add_yes(move);
    move->callback([this] { run_ = [this] { return hand_over(data_, to_, is_sure_, output()); }; });
}

void CommandLine::add_rename_store() {
    auto* command = add("rename-store",
                        "Gives a stopped participant's store another name, and tells what has to "
                        "be done at its coordinator.",
                        "recoveryctl rename-store --data data/credit --to points --reason "
                        "'two credits now' --yes");
    command->add_option("--data", data_, "The store's directory")->required()->check(not_empty);
    command->add_option("--to", to_, "The new name: 1 to 64 of A-Za-z0-9_-")->required();
    add_reason(command);
    add_yes(command);
    command->callback([this] {
        run_ = [this] {
            const RenameOrder order{data_, to_, checked_reason(), user_name()};
            return rename_participant_store(order, permits_any_filesystem(), is_sure_, output());
        };
    });
}

void CommandLine::add_words_on_findings() {
    const auto add_url = [this](CLI::App* command) {
        command->add_option("--participant-url",
                            participant_url_,
                            "http://host:port or file:/path of its address file "
                            "[TWOPHASE_PARTICIPANT, else http://127.0.0.1:7071]");
    };
    auto* acknowledged =
        add("acknowledge",
            "Makes a finding of a participant's last reconciliation quiet until its "
            "numbers change. It opens no restored store.",
            "recoveryctl acknowledge balance ann/points --reason 'case 17'");
    acknowledged->add_option("kind", kind_, "As reconcile prints it")->required();
    acknowledged->add_option("subject", subject_, "Likewise")->required();
    add_url(acknowledged);
    add_reason(acknowledged);
    acknowledged->callback([this] {
        run_ = [this] {
            return acknowledge({participant_url(), kind_, subject_, checked_reason(), user_name()},
                               output());
        };
    });
    auto* settled =
        add("settle-damaged",
            "A participant writes a branch whose record is damaged anew, by what its "
            "coordinator's log tells of it.",
            "recoveryctl settle-damaged 01936b1c-3a70-7000-9c2f-5e2a7b4c0001 --branch 2 "
            "--reason 'bad block'");
    add_gid(settled);
    settled->add_option("--branch", subject_, "The branch")->required();
    settled->add_option("--id", asked_id_, "The coordinator's id, where several are configured");
    add_url(settled);
    add_reason(settled);
    settled->callback([this] {
        run_ = [this] {
            return settle_damaged(
                {participant_url(), gid(), subject_, asked_id_, checked_reason(), user_name()},
                output());
        };
    });
}

}  // namespace twophase::recoveryctl
