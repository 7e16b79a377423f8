#include "participants/program.hpp"

#include "http/problem.hpp"
#include "http/server.hpp"
#include "participants/audit_routes.hpp"
#include "participants/branches.hpp"
#include "participants/contract_routes.hpp"
#include "participants/inquirer.hpp"
#include "participants/reconciliation.hpp"
#include "participants/reconciliation_alerts.hpp"
#include "participants/reconciliation_routes.hpp"
#include "participants/restored.hpp"
#include "participants/settler.hpp"
#include "recovery/alerts.hpp"
#include "recovery/backups.hpp"
#include "recovery/machine.hpp"
#include "recovery/page_thread.hpp"
#include "recovery/program_metrics.hpp"
#include "recovery/room_watch.hpp"
#include "wal/store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace twophase::participants {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds forget_every{60};
constexpr std::size_t most_forgotten_at_once = 256;
constexpr std::chrono::seconds stop_grace{10};

std::int64_t now_in_microseconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

/// Coordinators ask again at their own pace, which is faster: a store is opened in less than a
/// second as a rule.
http::Response starting(const http::Request& request) {
    http::Response response = http::problem(503, "starting", "the store is being opened");
    if (!request.path.starts_with("/v1/branches")) response.headers.push_back({"Retry-After", "1"});
    return response;
}

http::ServerOptions server_options(const Config& config) {
    http::ServerOptions options;
    options.address = config.address;
    options.port = config.port;
    options.max_connections = config.max_connections;
    options.max_body_bytes = config.max_body_bytes;
    options.body_limit = [direct = config.max_body_bytes,
                          batch = config.max_batch_bytes](std::string_view path) {
        return path.starts_with("/v1/branches/") ? batch : direct;
    };
    options.allowed_hosts = config.allowed_hosts;
    return options;
}

/// New work stops at 80 % of the map, what ends a branch that was never begun at 90 %: the rest
/// belongs to the ends of branches that are known.
bool has_room_for_ends(const wal::Headroom& room) {
    return room.has_room || room.used_bytes < room.map_bytes / 10 * 9;
}

recovery::AlertOptions alert_options(const Config& config) {
    recovery::AlertOptions options = config.alerts;
    options.source = "/participants/" + config.name;
    return options;
}

void read_in_doubt(recovery::Readings& to, const Branches& branches, const wal::Reader& reader) {
    to.gauge("twophase_branches_in_doubt",
             "Branches that are prepared and wait for their decision.",
             static_cast<double>(branches.in_doubt_count(reader)));
    // Gids grow with time, so the first of them all is about the oldest.
    const Branches::InDoubtPage first = branches.in_doubt(reader, {.after = {}, .limit = 1});
    const double since =
        first.items.empty()
            ? 0
            : static_cast<double>(now_in_microseconds() - first.items.front().entry.prepared_at);
    to.gauge("twophase_branches_in_doubt_oldest_age_seconds",
             "Age of the oldest of these, 0 where there is none.",
             std::max(since, 0.0) / 1e6);
}

std::set<std::string> ids_of(const std::map<std::string, http::Endpoint>& coordinators) {
    std::set<std::string> ids;
    for (const auto& [id, endpoint] : coordinators) ids.insert(id);
    return ids;
}

}  // namespace

struct Program::State {
    State(asio::io_context& the_io,
          Config with,
          Kind& the_kind,
          std::function<void(int)> when_failed)
        : io(the_io),
          config(std::move(with)),
          kind(the_kind),
          failed(std::move(when_failed)),
          machine(the_io),
          alerts(machine, alert_options(config)),
          forget_timer(the_io) {
        router.add("GET", "/livez", [](const http::Request&, const http::Respond& respond) {
            respond(http::json_response({{"status", "up"}}));
        });
        recovery::add_metrics_route(router, metrics);
        metrics.at_scrape([this](recovery::Readings& to) { read_metrics(to); });
    }
    ~State() {
        if (opener.joinable()) opener.join();
        if (reconciliation) reconciliation->stop();  // its thread reads the store
        if (backups) backups->stop();                // likewise
    }

    void listen() {
        http::ServerOptions options = server_options(config);
        options.answered = [this](const http::Answered& what) { http_metrics.note(what); };
        server.emplace(io, std::move(options), [this](http::Request request, auto respond) {
            answer(std::move(request), std::move(respond));
        });
        server->start();
        spdlog::info("{} listens on {}:{}", config.name, config.address, server->port());
    }

    void answer(http::Request request, http::Respond respond) {
        if (request.path == "/livez" || (!is_ready && request.path == "/metrics"))
            router(std::move(request), std::move(respond));
        else if (!is_ready)
            respond(starting(request));
        else if (auto refusal = gate->refusal(request))
            respond(*std::move(refusal));
        else
            router(std::move(request), std::move(respond));
    }

    void read_metrics(recovery::Readings& to) {
        recovery::read_process(to);
        recovery::read_log(to);
        recovery::read_server(to, *server);
        recovery::read_alerts(to, alerts);
        if (!is_ready) return;
        recovery::read_store(to, *store);
        to.gauge("twophase_requests_waiting",
                 "Requests to write that are not durable yet.",
                 static_cast<double>(queue->in_flight()));
        read_in_doubt(to, *branches, store->snapshot());
    }

    /// What the store posts after this is gone must not run.
    wal::Post post() {
        return [&to = io, weak = std::weak_ptr<bool>(alive)](std::function<void()> function) {
            asio::post(to, [weak, function = std::move(function)] {
                if (!weak.expired()) function();
            });
        };
    }

    /// On a thread of its own: opening may take a while, and /livez is answered meanwhile.
    void open_store() {
        wal::StoreOptions options;
        options.directory = config.data;
        options.kind = kind.name();
        options.id = config.name;
        options.tables = branch_tables();
        std::ranges::copy(kind.tables(), std::back_inserter(options.tables));
        options.map_bytes = config.map_bytes;
        options.any_filesystem = config.any_filesystem;
        options.lazy_delay = unhurried_delay;
        options.committed = recovery::store_metrics(metrics);
        opener = std::thread([this, options = std::move(options), to_loop = post()] {
            try {
                auto opened = std::make_shared<std::unique_ptr<wal::Store>>(
                    std::make_unique<wal::Store>(options, to_loop));
                to_loop([this, opened] { use(std::move(*opened)); });
            } catch (const wal::StoreError& error) {
                spdlog::critical("the store can't be opened: {}", error.what());
                // EINVAL: another's store, a backup, ...: a person has to put it right first.
                const bool is_set_up_wrong = error.code() == EBUSY || error.code() == EINVAL;
                to_loop([this, is_set_up_wrong] {
                    failed(is_set_up_wrong ? bad_configuration : wal::store_failed_exit_code);
                });
            } catch (const std::exception& error) {
                spdlog::critical("the store can't be opened: {}", error.what());
                to_loop([this] { failed(wal::store_failed_exit_code); });
            }
        });
    }

    void use(std::unique_ptr<wal::Store> opened) {
        store = std::move(opened);
        if (!tell_address()) return;
        const TableOf table_of = [this](std::string_view name) { return store->table(name); };
        const Clock clock = [this] {
            return Moment{.microseconds = now_in_microseconds(),
                          .running_seconds = store->running_seconds()};
        };
        queue.emplace(*store, config.max_in_flight, participant_metrics);
        queue->when_damaged([this](const std::string& key) {
            alerts.raise({.kind = "damaged_record",
                          .subject = key,
                          .text = "a request met the record " + key +
                                  ", which is not what was written, and was not carried out; of a "
                                  "branch: recoveryctl settle-damaged",
                          .data = {}});
        });
        branches.emplace(
            Branches::Options{.participant = config.name,
                              .coordinators = ids_of(config.coordinators),
                              .former_names = former_names(),
                              .pinned_logs = config.coordinator_logs,
                              .has_room = [this] { return has_room_for_ends(store->headroom()); }},
            table_of,
            kind.open(table_of));
        confirmer.emplace(
            machine,
            LogConfirmerOptions{
                .participant = config.name, .coordinators = config.coordinators, .backoff = {}},
            *branches,
            *queue,
            clock);
        add_contract_routes(router, *branches, *queue, *confirmer, clock, config.max_batch_items);
        kind.add_routes({.router = router,
                         .queue = *queue,
                         .audit = branches->audit(),
                         .clock = clock,
                         .participant = config.name,
                         .machine = machine,
                         .alerts = alerts,
                         .pages = pages});
        add_audit_routes(router, branches->audit(), *store, pages);
        router.add("GET", "/readyz", [this](const http::Request&, const http::Respond& respond) {
            if (gate->is_closed()) return respond(gate->why());
            respond(http::json_response({{"status", "ready"}, {"epoch", store->epoch()}}));
        });
        settler.emplace(
            machine, SettlerOptions{.coordinators = config.coordinators}, *branches, *queue, clock);
        settler->add_route(router);
        start_inquiries(clock);
        start_reconciliation(clock, table_of);
        backups.emplace(
            machine, [this]() -> const wal::Store& { return *store; }, config.backups);
        backups->add_route(router);
        watch_room();
        forget_later(clock);
        is_ready = true;
        spdlog::info("{} is ready, epoch {}", config.name, store->epoch());
    }

    std::set<std::string> former_names() const {
        const auto& all = store->identity().former_ids;
        return {all.begin(), all.end()};
    }

    /// Only now: a second start on this store must not lead everybody to itself.
    bool tell_address() try {
        if (!config.address_file.empty())
            http::write_address_file(config.address_file, config.address, server->port());
        return true;
    } catch (const std::exception& error) {
        spdlog::critical("{}", error.what());
        failed(bad_configuration);
        return false;
    }

    void start_inquiries(const Clock& clock) {
        InquirerOptions options;
        options.participant = config.name;
        options.coordinators = config.coordinators;
        options.inquire_after = config.inquire_after;
        options.look_every = std::clamp<std::chrono::milliseconds>(
            config.inquire_after / 4, std::chrono::milliseconds(10), std::chrono::seconds(1));
        inquirer.emplace(machine, std::move(options), *branches, *queue, clock);
        if (!is_stopping) inquirer->start();
    }

    void start_reconciliation(const Clock& clock, const TableOf& table_of) {
        books = kind.books(table_of);
        gate.emplace(
            machine,
            RestoredGate::Options{.participant = config.name, .wait = 2 * config.inquire_after},
            *queue,
            branches->audit(),
            clock);
        ReconciliationOptions options;
        options.participant = config.name;
        options.former_names = former_names();
        options.coordinators = config.coordinators;
        options.every = config.reconcile_interval;
        options.correct_below = config.correct_below;
        reconciliation.emplace(
            Reconciliation::Parts{.around = machine,
                                  .table_of = table_of,
                                  .branches = *branches,
                                  .kind = books.get(),
                                  .queue = *queue,
                                  .clock = clock},
            std::move(options),
            [this](const Finding& finding) { alert(alerts, finding); },
            [this](const ReconciliationReport& report) {
                alert(alerts, report);
                gate->reconciled(report);
            });
        add_reconciliation_routes(router, *reconciliation, *gate);
        if (is_stopping) return;
        reconciliation->start();
        gate->start(*reconciliation);
    }

    void watch_room() {
        room_watch.emplace(machine, recovery::room_of(*store), alerts);
        if (!is_stopping) room_watch->start();
    }

    void forget_later(const Clock& clock) {
        forget_timer.expires_after(forget_every);
        forget_timer.async_wait([this, clock](boost::system::error_code error) {
            if (error) return;
            forget(clock);
            forget_later(clock);
        });
    }

    /// Small jobs, one after the other, so that nobody waits long behind them.
    void forget(const Clock& clock) {
        const auto retention = static_cast<std::uint64_t>(
            std::chrono::ceil<std::chrono::seconds>(config.retention).count());
        const Moment moment = clock();
        if (is_stopping || moment.running_seconds < retention) return;
        if (std::exchange(is_forgetting, true)) return;
        auto forgotten = std::make_shared<std::size_t>(0);
        queue->submit({
            .work =
                [this, moment, retention, forgotten](wal::Unit& unit) {
                    *forgotten = branches->forget(unit, moment, retention, most_forgotten_at_once);
                },
            .then =
                [this, clock, forgotten](Fate) {
                    is_forgetting = false;
                    if (*forgotten == most_forgotten_at_once) forget(clock);
                },
            .label = "forget",
        });
    }

    void stop(std::function<void()> done) {
        is_stopping = true;
        forget_timer.cancel();
        if (inquirer) inquirer->stop();
        if (confirmer) confirmer->stop();
        if (settler) settler->stop();
        if (gate) gate->stop();
        if (reconciliation) reconciliation->stop();
        if (room_watch) room_watch->stop();
        alerts.stop();
        kind.stop();
        server->stop(stop_grace, std::move(done));
    }

    asio::io_context& io;
    Config config;
    Kind& kind;
    std::function<void(int)> failed;
    recovery::Machine machine;
    recovery::Alerts alerts;
    recovery::Metrics metrics;  // before all that counts, the store's writer too
    recovery::HttpMetrics http_metrics{metrics};
    ParticipantMetrics participant_metrics{metrics};
    asio::steady_timer forget_timer;
    http::Router router;
    std::optional<RequestQueue> queue;
    std::optional<Branches> branches;
    std::optional<LogConfirmer> confirmer;
    std::optional<Settler> settler;
    std::optional<Inquirer> inquirer;
    std::unique_ptr<Books> books;
    std::optional<RestoredGate> gate;
    std::optional<Reconciliation> reconciliation;
    std::optional<recovery::Backups> backups;
    std::optional<recovery::RoomWatch> room_watch;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    bool is_ready = false;
    bool is_stopping = false;
    bool is_forgetting = false;
    // Destroyed before what its last jobs use, and after the server, which hands it no more.
    std::unique_ptr<wal::Store> store;
    std::optional<http::Server> server;
    recovery::PageThread pages{machine};  // its thread reads the store
    std::thread opener;
};

Program::Program(asio::io_context& io, Config config, Kind& kind, std::function<void(int)> failed)
    : state_(std::make_unique<State>(io, std::move(config), kind, std::move(failed))) {}

Program::~Program() = default;

void Program::start() {
    state_->listen();
    state_->open_store();
}

void Program::stop(std::function<void()> done) { state_->stop(std::move(done)); }

std::uint16_t Program::port() const { return state_->server->port(); }

}  // namespace twophase::participants
