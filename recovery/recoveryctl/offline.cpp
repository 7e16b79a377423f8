#include "recovery/recoveryctl/offline.hpp"

#include "coordinator/dead_letters.hpp"
#include "coordinator/listing.hpp"
#include "coordinator/log_entries.hpp"
#include "coordinator/operator_api.hpp"
#include "coordinator/record_codec.hpp"
#include "coordinator/views.hpp"
#include "recovery/recoveryctl/answer.hpp"
#include "recovery/recoveryctl/failure.hpp"
#include "recovery/recoveryctl/terminal.hpp"

#include <cerrno>
#include <chrono>
#include <utility>

namespace twophase::recoveryctl {
namespace {

using namespace twophase::coordinator;

constexpr std::size_t page_size = 200;

[[noreturn]] void fail(const std::filesystem::path& directory, const wal::StoreError& error) {
    if (error.code() == EBUSY)
        throw Failure(Exit::not_possible,
                      std::string(error.what()) +
                          "; it is running: ask it with --coordinator URL, or stop it first");
    if (error.code() == ENOENT)
        throw Failure(Exit::not_possible, "there is no store in " + directory.string());
    throw Failure(Exit::unreadable, error.what());
}

/// The store's own id and node, so that it opens as its coordinator would open it.
Config config_for(const std::filesystem::path& directory, bool any_filesystem) {
    try {
        const wal::StoreIdentity identity = wal::inspect(directory);
        if (identity.kind != "coordinator")
            throw Failure(Exit::not_possible,
                          directory.string() + " is the store of a " + identity.kind +
                              ", not of a coordinator");
        Config config;
        config.data = directory;
        config.id = identity.id;
        config.node = identity.node;
        config.any_filesystem = any_filesystem;
        return config;
    } catch (const wal::StoreError& e) {
        fail(directory, e);
    }
}

Gid need_gid(const std::string& text) {
    const auto gid = parse_gid(text);
    if (!gid)
        throw Failure(Exit::not_possible, "'" + text + "' is no gid: a UUIDv7, 36 characters");
    return *gid;
}

std::int64_t wall_microseconds() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Why the records of a transaction whose frames are whole can't be followed, or nothing.
std::string fault_of(const wal::StoredTransaction& stored) {
    Folded folded;
    for (const wal::StoredRecord& record : stored.records) {
        const auto stamped = decode(stored.gid, record.payload);
        std::string fault = stamped ? folded.fold(stamped->record) : stamped.error();
        if (!fault.empty()) return "record " + std::to_string(record.n) + ": " + fault;
    }
    if (folded.is_finished != stored.is_finished)
        return stored.is_finished ? "it left the unfinished index without a record finished"
                                  : "it is finished and still in the unfinished index";
    return {};
}

}  // namespace

Offline::Offline(const std::filesystem::path& directory, bool any_filesystem)
    : config_(config_for(directory, any_filesystem)),
      machine_(io_),
      service_(machine_, config_, [](int, const std::string& why) {
          throw Failure(Exit::unreadable, why);
      }) {
    try {
        service_.open();
    } catch (const wal::StoreError& e) {
        fail(directory, e);
    }
    folded_ = service_.core();
    service_.look();
}

Offline::~Offline() { service_.stop(); }

Json Offline::list(const ListFilter& filter, const std::string& before, std::size_t limit) {
    http::Request request{.method = "GET", .query = {{"limit", std::to_string(limit)}}};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) request.query[name] = value;
    };
    add("state", filter.state);
    add("participant", filter.participant);
    add("business_code", filter.business_code);
    add("business_id", filter.business_id);
    add("before", before);
    return read_answer(list_transactions(service_, request), config_.data.string());
}

Json Offline::show(const std::string& text) {
    const Gid gid = need_gid(text);
    const Found found = service_.find(gid);
    if (found.live == nullptr && !found.folded)
        return read_answer(unknown_gid(gid), config_.data.string());
    const auto stored = service_.log().read(gid);
    Json json = details_json(view_of(gid, found), stored ? &*stored : nullptr);
    if (found.live != nullptr && found.live->phase == Phase::deciding)
        json["message"] = "undecided; the next start of the coordinator rolls it back";
    return json;
}

Json Offline::dead_letters(const std::string& participant, const std::string& after) {
    http::Request request{.method = "GET", .query = {{"limit", "500"}}};
    if (!participant.empty()) request.query["participant"] = participant;
    if (!after.empty()) request.query["after"] = after;
    return read_answer(list_dead_letters(service_, request), config_.data.string());
}

Json Offline::retry(const std::string&) {
    throw Failure(
        Exit::not_possible,
        "a stopped coordinator delivers nothing: start it, and it goes on with everything "
        "that is unfinished");
}

// --- a person's decision ---

Json Offline::resolve(const ResolveOrder& order) {
    const Gid gid = need_gid(order.gid);
    if (service_.may_settle_unknown(gid)) return settle_unknown(order);
    if (!service_.log().read(gid)) return read_answer(unknown_gid(gid), config_.data.string());
    const Transaction* t = service_.core().find(gid);
    const bool is_open = t != nullptr && t->phase == Phase::deciding;
    Protocol core = is_open ? folded_ : service_.core();
    const ResolveAsked asked = asked_by(order);
    const ResolveRefusal refusal = core.may_resolve(asked);
    if (refusal != ResolveRefusal::none)
        return read_answer(refused(refusal, gid), config_.data.string());
    append(core.step(asked, Time{}));
    return {{"gid", order.gid}, {"resolved", order.how}, {"reason", order.reason}};
}

Json Offline::settle_unknown(const ResolveOrder& order) {
    const auto decision = parse_decision(order.how);
    if (!decision)
        throw Failure(Exit::not_possible,
                      "nothing but its gid is known here: --how rollback or --how commit");
    if (!order.branch_id.empty())
        throw Failure(Exit::not_possible,
                      "no --branch: of this gid no branches are known here, and the word is about "
                      "the whole transaction");
    bool is_done = false;
    service_.settle_lost(
        need_gid(order.gid), *decision, order.who, order.reason, [&](wal::Written) {
            is_done = true;
        });
    run_until(is_done);
    return {{"gid", order.gid}, {"resolved", order.how}, {"reason", order.reason}};
}

ResolveAsked Offline::asked_by(const ResolveOrder& order) const {
    ResolveAsked asked{
        need_gid(order.gid), std::nullopt, order.how, order.who + " (offline)", order.reason};
    const Transaction* t = service_.core().find(asked.gid);
    if (t == nullptr || order.branch_id.empty()) return asked;
    const auto& branches = t->started().branches;
    asked.branch = static_cast<BranchIndex>(branches.size());  // none of them
    for (BranchIndex i = 0; i < branches.size(); ++i)
        if (branches[i].branch_id == order.branch_id) asked.branch = i;
    return asked;
}

void Offline::append(const Effects& effects) {
    std::vector<wal::Entry> entries;
    for (const Effect& effect : effects)
        if (const auto* append = std::get_if<Append>(&effect))
            entries.push_back(to_entry(*append, wall_microseconds()));
    bool is_done = false;
    service_.log().append(
        std::move(entries), wal::Urgency::forced, [&](wal::Written) { is_done = true; });
    run_until(is_done);
}

void Offline::run_until(const bool& is_done) {
    io_.restart();  // it stops whenever it runs out of work
    const auto work = boost::asio::make_work_guard(io_);
    while (!is_done) io_.run_one();
}

// --- the whole log ---

Json Offline::verify(const Progress& progress) {
    Json findings = Json::array();
    std::size_t transactions = 0;
    const wal::Log& log = service_.log();
    log.verify([&](const std::string& finding) { findings.push_back(finding); },
               [&](std::size_t done) { progress(transactions = done); });
    std::size_t followed = 0;
    for (auto page = log.walk({}, page_size); !page.empty();
         page = log.walk(page.back().gid, page_size)) {
        for (const wal::StoredTransaction& stored : page) {
            if (!stored.damage.empty()) continue;
            if (const std::string fault = fault_of(stored); !fault.empty())
                findings.push_back("transaction " + to_text(stored.gid) + ": " + fault);
        }
        progress(followed += page.size());
    }
    return {{"transactions", transactions}, {"findings", std::move(findings)}};
}

Json Offline::back_up(const std::string& target) {
    try {
        service_.log().store().backup(target);
    } catch (const wal::StoreError& e) {
        throw Failure(e.code() == EEXIST ? Exit::not_possible : Exit::unreadable, e.what());
    }
    return {{"backup", target}};
}

ExportPage Offline::export_page(const std::string& after) {
    http::Request request{.method = "GET", .query = {{"limit", std::to_string(page_size)}}};
    if (!after.empty()) request.query["after"] = after;
    http::Response page = coordinator::export_page(service_.log(), request);
    return {std::move(page.body), std::string(page.header("X-Next"))};
}

Json Offline::participants() {
    throw Failure(Exit::not_possible,
                  "only a running coordinator knows its participants; use --coordinator URL");
}

Json Offline::status() { return read_answer(show_status(service_), config_.data.string()); }

std::string Offline::flags() const { return " --data " + shell_word(config_.data.string()); }

}  // namespace twophase::recoveryctl
