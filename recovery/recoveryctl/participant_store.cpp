#include "recovery/recoveryctl/participant_store.hpp"

#include "http/json.hpp"
#include "participants/config.hpp"
#include "participants/coupon/coupon.hpp"
#include "participants/credit/credit.hpp"
#include "participants/renaming.hpp"
#include "participants/verify.hpp"
#include "recovery/recoveryctl/terminal.hpp"
#include "wal/environment.hpp"
#include "wal/store.hpp"

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <ostream>

namespace twophase::recoveryctl {
namespace {

using participants::Kind;

[[noreturn]] void fail(const wal::StoreError& error) {
    const bool is_usage = error.code() == EBUSY || error.code() == EEXIST || error.code() == ENOENT;
    throw Failure(is_usage ? Exit::not_possible : Exit::unreadable, error.what());
}

std::unique_ptr<Kind> kind_named(const std::string& name) {
    if (name == "credit") return std::make_unique<participants::credit::CreditKind>();
    if (name == "coupon") return std::make_unique<participants::coupon::CouponKind>();
    throw Failure(Exit::not_possible, "no participant of the kind \"" + name + "\" is known here");
}

/// The store of a stopped participant, opened as its program would: barrier and lock included.
struct OpenedStore {
    OpenedStore(const std::string& directory, bool any_filesystem) {
        const wal::StoreIdentity identity = wal::inspect(directory);
        kind = kind_named(identity.kind);
        wal::StoreOptions options{.directory = directory, .kind = identity.kind};
        options.id = identity.id;
        options.node = identity.node;
        options.tables = participants::tables_of(*kind);
        options.any_filesystem = any_filesystem;
        store = std::make_unique<wal::Store>(options, [](const std::function<void()>&) {});
    }
    std::unique_ptr<Kind> kind;
    std::unique_ptr<wal::Store> store;
};

}  // namespace

bool is_participant_store(const std::string& directory) {
    try {
        return wal::inspect(directory).kind != "coordinator";
    } catch (const wal::StoreError&) {
        return false;  // whoever opens it says why it can't be
    }
}

Exit verify_participant(const std::string& directory, bool any_filesystem, const Output& output) {
    Json findings = Json::array();
    std::size_t records = 0;
    try {
        const OpenedStore opened(directory, any_filesystem);
        ProgressLine line("verify");
        participants::verify(
            *opened.store,
            *opened.kind,
            [&](const std::string& finding) { findings.push_back(finding); },
            [&](std::size_t done) { line.show(records = done); });
    } catch (const wal::StoreError& error) {
        fail(error);
    }
    const Exit exit = findings.empty() ? Exit::done : Exit::findings;
    if (output.is_json) {
        output.out << http::dump_replacing(Json{{"records", records}, {"findings", findings}})
                   << "\n";
        return exit;
    }
    for (const Json& finding : findings)
        output.out << printable(finding.get<std::string>()) << "\n";
    output.out << records << " records checked, " << findings.size() << " findings\n";
    return exit;
}

Exit back_up_participant(const std::string& directory,
                         const std::string& to,
                         bool any_filesystem,
                         const Output& output) {
    try {
        OpenedStore(directory, any_filesystem).store->backup(to);
    } catch (const wal::StoreError& error) {
        fail(error);
    }
    if (output.is_json)
        output.out << http::dump_replacing(Json{{"backup", to}}) << "\n";
    else
        output.out << "backup written to " << printable(to) << "\n";
    return Exit::done;
}

Exit rename_participant_store(const RenameOrder& order,
                              bool any_filesystem,
                              bool is_sure,
                              const Output& output) {
    std::string from;
    try {
        const wal::StoreIdentity identity = wal::inspect(order.data);
        if (identity.kind == "coordinator")
            throw Failure(Exit::not_possible,
                          order.data +
                              " is a coordinator's log: participants and the ids of its "
                              "transactions know it by its name, which stays");
        from = identity.id;
        if (!participants::is_participant_name(order.to))
            throw Failure(Exit::not_possible, "--to " + order.to + ": 1 to 64 of A-Za-z0-9_-");
        if (from == order.to)
            throw Failure(Exit::not_possible, "the store is named " + from + " already");
    } catch (const wal::StoreError& error) {
        fail(error);
    }
    const std::string old_name = printable(from);
    const std::string new_name = printable(order.to);
    if (!output.is_json)
        output.out << "The store of " << old_name << " becomes that of " << new_name
                   << ". It goes on with what was begun under the old name, as long as that is "
                      "sent to it:\n"
                      "  1. here: rename-store, then start the program with --id "
                   << new_name << "\n  2. at the coordinator's settings: add " << new_name
                   << ", and leave " << old_name
                   << " there with the new endpoint; restart the coordinator\n"
                      "  3. once `recoveryctl list --participant "
                   << old_name << "` lists nothing, take " << old_name << " out\n"
                   << "Unfinished transactions keep the old name: without it nothing is sent for "
                      "them.\n";
    if (!is_sure && !confirm("Rename the store " + printable(order.data) + " of " + old_name +
                             " to " + new_name + "?"))
        throw Failure(Exit::findings, "nothing was changed");
    try {
        const OpenedStore opened(order.data, any_filesystem);
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        participants::rename_store(
            *opened.store,
            order.to,
            order.reason,
            order.who,
            {.microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count(),
             .running_seconds = opened.store->running_seconds()});
    } catch (const wal::StoreError& error) {
        fail(error);
    }
    output.out << (output.is_json ? http::dump_replacing(Json{{"renamed", from}, {"to", order.to}})
                                  : "renamed; start it with --id " + new_name)
               << "\n";
    return Exit::done;
}

}  // namespace twophase::recoveryctl
