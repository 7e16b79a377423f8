#include "tests/participants/router_bench.hpp"

#include "http/router.hpp"
#include "participants/audit_routes.hpp"
#include "participants/contract_routes.hpp"
#include "recovery/alerts.hpp"
#include "recovery/page_thread.hpp"
#include "wal/store.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace twophase::participants::testing {

class ManualMachine::ManualAlarm : public recovery::Alarm {
public:
    explicit ManualAlarm(ManualMachine& machine) : machine_(machine) {
        machine_.alarms_.insert(this);
    }
    ~ManualAlarm() override { machine_.alarms_.erase(this); }
    void set(recovery::Time at, std::function<void()> ring) override {
        at_ = at;
        ring_ = std::move(ring);
    }
    void cancel() override { at_.reset(); }

    const std::optional<recovery::Time>& at() const { return at_; }
    void ring() {
        at_.reset();
        std::exchange(ring_, nullptr)();
    }

private:
    ManualMachine& machine_;
    std::optional<recovery::Time> at_;
    std::function<void()> ring_;
};

std::unique_ptr<recovery::Alarm> ManualMachine::alarm() {
    return std::make_unique<ManualAlarm>(*this);
}

std::unique_ptr<recovery::Peer> ManualMachine::peer(const http::Endpoint&, std::size_t) {
    throw std::logic_error("the bench calls nobody");
}

bool ManualMachine::run_posted() {
    if (posted_.empty()) return false;
    const auto function = std::move(posted_.front());
    posted_.pop_front();
    function();
    return true;
}

bool ManualMachine::ring_next(recovery::Time end) {
    ManualAlarm* next = nullptr;
    for (ManualAlarm* alarm : alarms_)
        if (alarm->at() && (!next || *alarm->at() < *next->at())) next = alarm;
    if (!next || *next->at() > end) {
        now_ = end;
        return false;
    }
    now_ = std::max(now_, *next->at());
    next->ring();
    return true;
}

struct RouterBench::Running {
    Running(const std::filesystem::path& directory,
            ManualMachine& machine,
            credit::CreditKind& kind,
            const Clock& clock)
        : alerts(machine, {}),

          store(options(directory, kind), poster(machine)) {
        const TableOf table_of = [this](std::string_view name) { return store.table(name); };
        branches.emplace(
            Branches::Options{
                .participant = "credit", .coordinators = {"main"}, .has_room = [] { return true; }},
            table_of,
            kind.open(table_of));
        confirmer.emplace(machine, LogConfirmerOptions{}, *branches, queue, clock);
        add_contract_routes(router, *branches, queue, *confirmer, clock, 256);
        kind.add_routes({.router = router,
                         .queue = queue,
                         .audit = branches->audit(),
                         .clock = clock,
                         .participant = "credit",
                         .machine = machine,
                         .alerts = alerts,
                         .pages = pages});
        add_audit_routes(router, branches->audit(), store, pages);
    }
    static wal::StoreOptions options(const std::filesystem::path& directory,
                                     credit::CreditKind& kind) {
        wal::StoreOptions options;
        options.directory = directory / "store";
        options.kind = "credit";
        options.id = "credit";
        options.tables = branch_tables();
        std::ranges::copy(kind.tables(), std::back_inserter(options.tables));
        options.map_bytes = std::size_t{1} << 26;
        options.any_filesystem = true;
        options.is_stepped = true;
        return options;
    }
    wal::Post poster(ManualMachine& machine) {
        return [&machine, weak = std::weak_ptr<bool>(alive)](std::function<void()> function) {
            machine.post([weak, function = std::move(function)] {
                if (!weak.expired()) function();
            });
        };
    }

    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    recovery::Alerts alerts;
    recovery::PageThread pages;
    http::Router router;
    std::optional<Branches> branches;
    wal::Store store;
    recovery::Metrics metrics;
    ParticipantMetrics participant_metrics{metrics};
    RequestQueue queue{store, 10'000, participant_metrics};
    std::optional<LogConfirmer> confirmer;
};

namespace {

/// A path and its query, which needs no decoding here.
std::pair<std::string, std::map<std::string, std::string>> split(const std::string& target) {
    std::pair<std::string, std::map<std::string, std::string>> parts;
    std::istringstream text(target);
    std::getline(text, parts.first, '?');
    for (std::string member; std::getline(text, member, '&');) {
        const std::size_t equals = member.find('=');
        parts.second[member.substr(0, equals)] = member.substr(equals + 1);
    }
    return parts;
}

}  // namespace

RouterBench::RouterBench() { start(); }

RouterBench::~RouterBench() { crash(); }

void RouterBench::start() {
    kind_ = std::make_unique<credit::CreditKind>();
    running_ =
        std::make_unique<Running>(directory_.path(), machine_, *kind_, [this] { return moment(); });
}

void RouterBench::crash() {
    running_.reset();
    kind_.reset();
}

void RouterBench::back_up() { running_->store.backup(directory_.path() / "backup"); }

void RouterBench::restore() {
    crash();
    std::filesystem::remove_all(directory_.path() / "store");
    wal::restore(directory_.path() / "backup", directory_.path() / "store");
    start();
}

Moment RouterBench::moment() const {
    return {.microseconds = machine_.wall_microseconds(),
            .running_seconds = static_cast<std::uint64_t>(machine_.now().count() / 1'000)};
}

Pending RouterBench::ask(const std::string& method,
                         const std::string& path,
                         const http::Json& body,
                         std::vector<http::Header> headers) {
    Pending pending;
    http::Request request;
    request.method = method;
    std::tie(request.path, request.query) = split(path);
    if (!body.is_null()) request.body = body.dump();
    request.headers = std::move(headers);
    request.remote_address = "127.0.0.1";
    running_->router(std::move(request), [reply = pending.reply_](http::Response response) {
        if (*reply) throw std::logic_error("a second answer to one request");
        Reply made;
        made.status = response.status;
        made.body = http::Json::parse(response.body, nullptr, false);
        made.response = std::move(response);
        *reply = std::move(made);
    });
    return pending;
}

void RouterBench::run() {
    while (running_->store.step(4'096) > 0 || machine_.run_posted()) {
    }
}

Reply RouterBench::call(const std::string& method,
                        const std::string& path,
                        const http::Json& body,
                        std::vector<http::Header> headers) {
    const Pending pending = ask(method, path, body, std::move(headers));
    run();
    return pending.reply();
}

void RouterBench::pass(std::chrono::milliseconds time) {
    const recovery::Time end = machine_.now() + time;
    run();
    while (machine_.ring_next(end)) run();
}

}  // namespace twophase::participants::testing
